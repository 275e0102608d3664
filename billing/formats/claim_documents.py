"""The evidence pack of a claim batch: a zip with a manifest of hashes.

The same batch gives the same bytes: members carry no time of making, and the order is that of the lines.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import IO, Any

FORMAT = "claim-evidence-pack/1"
MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return a document's bytes in the one spelling that is hashed: sorted keys, no white space, UTF-8."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def readable(document: Mapping[str, Any]) -> bytes:
    """Return a document's bytes for people, in a stable order."""
    return (json.dumps(document, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def write_pack(target: IO[bytes], about: Mapping[str, Any], members: Iterable[tuple[str, bytes]]) -> str:
    """Write the zip and return the SHA-256 of its manifest.

    The manifest comes last: ``about``, then name, size and SHA-256 of every other member, and ``manifest_sha256``, which
    is that of the manifest without itself in the ``canonical`` spelling.
    """
    listed: list[dict[str, Any]] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in members:
            archive.writestr(_entry(name), content)
            listed.append({"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)})
        manifest = {**about, "format": FORMAT, "members": listed}
        digest = hashlib.sha256(canonical(manifest)).hexdigest()
        archive.writestr(_entry(MANIFEST), readable({**manifest, "manifest_sha256": digest}))
    return digest


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry that says nothing of when and where it was made."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry
