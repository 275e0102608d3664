"""Files that are too large for memory: an upload is written to disk as it comes, and gone with the request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flask import request

from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, NUL, too_large
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

_PIECE = 1 << 20


@dataclass(frozen=True)
class UploadedFile:
    """A file as it came, and where it lies."""

    name: str
    path: Path


@contextmanager
def uploaded_file(field: str = "file") -> Iterator[UploadedFile]:
    """Give the file of the request: the form's ``field``, else the raw body with its name in ``?file_name=``.

    Raises Invalid when there is none, TooLarge above ``MAX_UPLOAD_MIB``.
    """
    if request.mimetype == "multipart/form-data":
        given = request.files.get(field)
        name, stream = ("", None) if given is None else (given.filename or "", given.stream)
    else:
        name, stream = request.args.get("file_name", ""), request.stream
    if NUL in name:
        raise Invalid("request.nul", msg("输入含有不可用的空字符。请删除后重试。"))
    with tempfile.NamedTemporaryFile(prefix="upload-") as target:
        if stream is None or not _copied(stream, target):
            missing = msg("请选择要上传的文件。")
            raise Invalid("artefact.missing", missing, errors=[FieldError(field, "artefact.missing", missing)])
        target.flush()
        yield UploadedFile(name, Path(target.name))


def _copied(stream: IO[bytes], target: IO[bytes]) -> int:
    """Copy what comes, and return its size in bytes. A body of unknown length is counted here, whatever cut it off."""
    most, size = current_market().settings.max_upload_mib * MIB, 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > most:
            raise too_large(most)
        target.write(piece)
    return size
