"""Names and kinds of files that people send."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 120
_FORBIDDEN = frozenset('<>:"|?*')
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.ASCII)


def safe_name(name: str) -> str:
    """Return ``name`` without folders, control and invisible characters, in NFC, at most 120 characters long.

    A folder in the name could lead out of one when it is saved, and an invisible turn of the writing direction
    could show ``exe.csv`` for ``vsc.exe``. The ending survives a cut. An unusable name becomes ``file``.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = "".join(char for char in last if char not in _FORBIDDEN and unicodedata.category(char)[0] != "C")
    plain = " ".join(plain.split()).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if dot and 0 < len(ending) <= 10:
        return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"
    return plain[:LONGEST_NAME] or "file"


def safe_media_type(media_type: str) -> str:
    """Return the media type without its parameters, or that of plain bytes when it is none."""
    given = media_type.split(";", 1)[0].strip().lower()
    return given if _MEDIA_TYPE.fullmatch(given) else "application/octet-stream"
