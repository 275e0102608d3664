"""What a PDF of ours says: its fonts map glyphs to characters, and its pages show glyphs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_PAIR = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]+)>")
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pdf_texts(content: bytes) -> tuple[str, ...]:
    """Return all that is shown, read once with each font: what was set in it is readable, the rest is not."""
    streams = list(_streams(content))
    shown = [_unescaped(each) for stream in streams if b"BT" in stream for each in _SHOWN.findall(stream)]
    fonts = [dict(_PAIR.findall(stream)) for stream in streams if b"beginbfchar" in stream]
    return tuple("".join(_read(each, font) for each in shown) for font in fonts)


def _streams(content: bytes) -> Iterator[bytes]:
    for found in _STREAM.finditer(content):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:
            continue  # a picture, or a font


def _unescaped(text: bytes) -> bytes:
    return _ESCAPED.sub(
        lambda found: bytes([int(found[1], 8)]) if found[1].isdigit() else _LETTERS.get(found[1], found[1]), text
    )


def _read(glyphs: bytes, font: dict[bytes, bytes]) -> str:
    codes = (glyphs[at : at + 2].hex().upper().encode() for at in range(0, len(glyphs), 2))
    return "".join(bytes.fromhex(font[code].decode()).decode("utf-16-be") if code in font else "□" for code in codes)
