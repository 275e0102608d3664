"""Zip packages from outside, opened with limits: no bomb, no path that leads out, no entity in any XML."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import Message, msg

MOST_MEMBERS = 2_000
MOST_BYTES = 64 * 1024 * 1024
"""What all members come to when they are unpacked."""
MOST_RATIO = 200
"""How often larger than its packed bytes a member of more than a mebibyte may be."""
_XML = (".xml", ".rels")
_MARKS = (b"<!DOCTYPE", b"<!ENTITY")
_PIECE = 1 << 20


@contextmanager
def open_package(content: bytes) -> Iterator[zipfile.ZipFile]:
    """Open a package whose members have been checked by their directory; each is checked again as it is read.

    Raises Invalid ``package.…`` for what is no zip, or one that is too large, packed too tightly, or leads out of itself.
    """
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise _refused("package.no_zip", msg("文件不是有效的压缩包。请重新导出后上传。")) from None
    with package:
        check_members(package, MOST_BYTES)
        yield package


def check_members(package: zipfile.ZipFile, most_bytes: int) -> None:
    """Refuse what a package's directory says is too much; raises Invalid ``package.…``.

    A directory may lie, but not in our favour: a member is never read beyond the size that it states.
    """
    members = package.infolist()
    if len(members) > MOST_MEMBERS:
        raise _refused("package.too_many", msg("压缩包内文件过多（最多 {most} 个）。", most=MOST_MEMBERS))
    if sum(each.file_size for each in members) > most_bytes or any(_is_bomb(each) for each in members):
        raise _refused("package.too_large", msg("压缩包展开后过大（最多 {most} MiB）。", most=most_bytes >> 20))
    if any(_leads_out(each.filename) for each in members):
        raise _refused("package.path", msg("压缩包内有指向外部的路径。请重新导出后上传。"))


def holds_document_type(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Tell whether a member has a document type, or is in an encoding in which none could be seen; read piece by piece."""
    if not member.filename.lower().endswith(_XML):
        return False
    before = b""
    with package.open(member) as stream:
        while piece := stream.read(_PIECE):
            if not before and (piece[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in piece[:200]):
                return True
            seen = before + piece
            if any(mark in seen for mark in _MARKS):
                return True
            before = piece[-16:]
    return False


def read_member(package: zipfile.ZipFile, name: str) -> bytes:
    """Return a member's bytes, never more than its directory said. Raises Invalid for a broken or encrypted one."""
    size = package.getinfo(name).file_size
    try:
        with package.open(name) as member:
            content = member.read(size + 1)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, NotImplementedError):
        raise _refused("package.broken", msg("压缩包中的 {name} 无法读取。", name=name[:80])) from None
    if len(content) > size:
        raise _refused("package.too_large", msg("压缩包展开后过大（最多 {most} MiB）。", most=MOST_BYTES >> 20))
    return content


def check_xml(package: zipfile.ZipFile) -> None:
    """Refuse any XML member with a document type: entities could grow without end or read files of ours."""
    for each in package.infolist():
        if each.filename.lower().endswith(_XML):
            refuse_document_type(read_member(package, each.filename))


def refuse_document_type(content: bytes) -> None:
    """Refuse XML with a document type, and encodings in which one could not be seen."""
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in content[:200] or not head.startswith(b"<"):
        raise _refused("package.xml", msg("XML 须为 UTF-8 编码。请重新导出后上传。"))
    declared = head[: head.find(b"?>") + 2].lower() if head.startswith(b"<?xml") else b""
    if b"encoding" in declared and b"utf-8" not in declared and b"ascii" not in declared:
        raise _refused("package.xml", msg("XML 须为 UTF-8 编码。请重新导出后上传。"))
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise _refused("package.doctype", msg("XML 中不得含有文档类型或实体声明。请重新导出后上传。"))


def _is_bomb(member: zipfile.ZipInfo) -> bool:
    return member.file_size > 1024 * 1024 and member.file_size > MOST_RATIO * max(member.compress_size, 1)


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name


def _refused(code: str, message: Message) -> Invalid:
    return Invalid(code, message)
