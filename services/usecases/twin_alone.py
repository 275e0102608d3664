"""The twin by itself: a document and its files in, four files out, no database.

The same two steps serve a worker: ``read_request`` checks everything before anything is charged, and the request then
goes to ``services.gateways.twin.run_twin``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from services.formats.park import ParkDocument, parse_park, to_request
from services.gateways.load_files import read_load_csv, series_from_values
from services.gateways.twin import Progress, TwinResult, run_twin
from services.rules.twin.calendar import make_calendar
from services.rules.twin.demo_load import Mix, demo_load
from services.rules.twin.inputs import LoadSeries, TwinRequest
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

Opener = Callable[[str], AbstractContextManager[BinaryIO]]


def read_request(data: bytes, open_file: Opener) -> TwinRequest:
    """Check a document and the files it names; ``open_file`` opens one by the name it has in the document.

    Raises Invalid with every wrong field or row, or TooLarge.
    """
    document = parse_park(data)
    return to_request(document, _load(document, open_file))


def twin_command(input_path: Path, output_dir: Path, *, progress: Progress | None = None) -> TwinResult:
    """Run ``park.json`` at ``input_path`` and write the files into ``output_dir``, which is made when missing."""
    result = run_twin(
        read_request(_read(input_path), folder_opener(input_path.parent)),
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid("park.unreadable", msg("无法读取“{name}”，请检查路径与权限。", name=path.name)) from error


def _load(document: ParkDocument, open_file: Opener) -> LoadSeries:
    horizon, part = document.horizon(), document.load
    if part.csv is not None:
        with open_file(part.csv) as stream:
            return read_load_csv(stream, horizon, name=part.csv)
    if part.values_kw is not None:
        values = np.array(part.values_kw, dtype=np.float64)
        return series_from_values(values, horizon, name="values_kw", field_name="load.values_kw")
    profile = part.profile
    if profile is None:
        raise AssertionError("the document's own check lets exactly one way through")
    mix = Mix(profile.mix.textile, profile.mix.food, profile.mix.workshops)
    generated = demo_load(make_calendar(horizon), seed=profile.seed, annual_kwh=profile.annual_kwh, mix=mix)
    series = series_from_values(generated, horizon, name="profile", field_name="load.profile")
    return LoadSeries(series.kw, series.source, series.sha256, (str(msg("由演示负荷生成器按种子产生，不是实测。")),))
