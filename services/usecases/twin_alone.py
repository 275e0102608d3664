"""The twin by itself: a document and its files in, the run's files out, no database.

The same two steps serve a worker: ``read_request`` checks everything before anything is charged, and the request then
goes to ``services.gateways.twin.run_twin``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from services.gateways.twin import Progress, TwinResult, run_twin
from services.usecases.twin_reading import Opener, read_request
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

__all__ = ["Opener", "folder_opener", "no_files", "read_document", "read_request", "twin_command"]


def twin_command(input_path: Path, output_dir: Path, *, progress: Progress | None = None) -> TwinResult:
    """Run ``park.json`` at ``input_path`` and write the files into ``output_dir``, which is made when missing."""
    result = run_twin(
        read_request(read_document(input_path), folder_opener(input_path.parent)),
        progress=progress or (lambda _stage, _done: None),
    )
    output_dir.mkdir(parents=True, exist_ok=True)
    for name, content in result.files.items():
        (output_dir / name).write_bytes(content)
    return result


def folder_opener(folder: Path) -> Opener:
    """Open files inside ``folder`` only: a document cannot point out of it, by dots, links or absolute paths."""
    root = folder.resolve()

    def open_file(name: str) -> AbstractContextManager[BinaryIO]:
        path = (root / name).resolve() if "\0" not in name else root
        if not path.is_relative_to(root) or not path.is_file():
            wrong = msg("找不到文件“{name}”，请把它放在园区文件旁边并填写相对路径。", name=name)
            raise Invalid("load.missing", wrong, errors=[FieldError("load.csv", "load.missing", wrong)])
        return path.open("rb")

    return open_file


def no_files(name: str) -> AbstractContextManager[BinaryIO]:
    """Refuse every file: for documents that come without any."""
    wrong = msg("没有随文档上传文件“{name}”，请一并上传。", name=name)
    raise Invalid("load.missing", wrong, errors=[FieldError("load.csv", "load.missing", wrong)])


def read_document(path: Path) -> bytes:
    """Return the bytes of a document; Invalid when there is none to read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid("park.unreadable", msg("无法读取“{name}”，请检查路径与权限。", name=path.name)) from error
