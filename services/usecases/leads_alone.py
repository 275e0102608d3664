"""The leads engine by itself: a brief and a registry file in, ten files out, no database."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field

from services.formats.brief import StudyDocument, read_brief
from services.formats.documents import Document, read_document
from services.gateways.lead_index import index_company_file
from services.gateways.leads import LeadsResult, Progress, run_leads
from services.gateways.reference_tables import ReferenceTables, read_demands, read_input_output
from services.rules.company_cells import region_in
from tenants.kernel.clock import CHINA, Clock, SystemClock
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

MOST_BYTES = 1 << 20


class _Dates(Document):
    """When the request is made, and as of when rows without a date of their own are."""

    made_on: date | None = Field(default=None, alias="date")
    as_of: date | None = None


def leads_command(
    input_path: Path,
    companies_path: Path,
    output_dir: Path,
    *,
    events_path: Path | None = None,
    flows_path: Path | None = None,
    demands_path: Path | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> LeadsResult:
    """Rank the companies at ``companies_path`` for the brief at ``input_path``; write the files into ``output_dir``.

    The brief may carry ``date`` (today unless given; of the expansions at ``events_path`` only those before it count), ``as_of``
    of the registry, up to 1,000 as ``count``, no industries (any then), and as ``region_code`` four digits or a name (also as
    ``region``). The positioning stands on the input–output table at ``flows_path`` and the industries' needs at
    ``demands_path`` too, where they are given. Raises Invalid for bad input and Conflict for a registry that is too old or too thin; then nothing is written.
    """
    given = _document(input_path)
    dates = read_document(
        _Dates,
        {name: given.pop(name) for name in ("date", "as_of") if name in given},
        where="request",
        code="leads.invalid",
    )
    if "region" in given:
        given.setdefault("region_code", given.pop("region"))
    if isinstance(given.get("region_code"), str):
        given["region_code"] = _code_of(given["region_code"])
    _, brief = read_brief(given, form=StudyDocument)
    if not companies_path.is_file():
        raise Invalid("companies.unreadable", msg("找不到企业名录“{name}”。请检查路径。", name=companies_path.name))
    if events_path is not None and not events_path.is_file():
        raise Invalid("expansions.unreadable", msg("找不到扩张事件文件“{name}”。请检查路径。", name=events_path.name))
    tables = ReferenceTables(
        None if flows_path is None else read_input_output(_content(flows_path), name=flows_path.name),
        None if demands_path is None else read_demands(_content(demands_path), name=demands_path.name),
    )
    today = dates.made_on or (clock or SystemClock()).now().astimezone(CHINA).date()
    tell = progress or _quiet
    with tempfile.TemporaryDirectory(prefix="leads-") as folder:
        index_company_file(
            companies_path,
            Path(folder),
            default_as_of=dates.as_of or today,
            progress=lambda rows: tell("index", rows / (rows + 200_000)),
        )
        result = run_leads(brief, Path(folder), today, events_path, tables, progress=tell)
    output_dir.mkdir(parents=True, exist_ok=True)
    for name, content in result.files.items():
        (output_dir / name).write_bytes(content)
    return result


def _quiet(_stage: str, _done: float) -> None:
    """Tell nobody."""


def _code_of(region: str) -> str:
    """Return the six-digit code of a region's code or name; what is neither stays, and is refused as a code."""
    try:
        return region_in(region)
    except ValueError:
        return region


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid("table.unreadable", msg("无法读取“{name}”。请检查路径与权限。", name=path.name)) from error


def _document(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid("leads.unreadable", msg("无法读取“{name}”。请检查路径与权限。", name=path.name)) from error
    try:
        given = json.loads(content[:MOST_BYTES].decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Invalid("leads.not_json", msg("招商需求不是完整的 JSON。请检查文件是否被截断。")) from error
    if not isinstance(given, dict):
        raise Invalid("leads.not_json", msg("招商需求应为一个 JSON 对象。请按接口说明填写。"))
    return given
