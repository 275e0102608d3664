"""Models of a park in other people's formats: Asset Administration Shells in and out, FMUs by their description only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.gateways.aas import ShellSummary, read_aasx, write_aasx
from services.gateways.fmu import FmuSummary, read_fmu
from services.rules.catalogue import Delivery
from services.store.runs import Run
from services.usecases.artefacts import check_size, upload
from services.usecases.twin_requests import park_document
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

AASX, FMU, JSON = ".aasx", ".fmu", ".json"
_NOT_A_PART_NAME = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class ModelView:
    """What a model file holds. ``request`` orders a twin run of the park in it, None where there is no park.

    Exactly one of ``shell`` and ``unit`` is set, or neither for a plain ``park.json``.
    """

    shell: ShellSummary | None
    unit: FmuSummary | None
    request: dict[str, Any] | None


def read_model(work: Work, *, name: str, content: bytes) -> ModelView:
    """Read an AASX, an FMU or a ``park.json``; the files that a park's document names are kept as the park's own.

    An FMU is never run: it is described. Raises Invalid for what cannot be read, with the remedy.
    """
    work.actor.require(Permission.UPLOAD_DATA)
    check_size(content)
    kind = name.lower()[name.rfind(".") :] if "." in name else ""
    if kind == FMU:
        return ModelView(None, read_fmu(content), None)
    if kind == JSON:
        return ModelView(None, None, {"park": _json(content)})
    if kind != AASX:
        wrong = msg("须为 .aasx、.fmu 或 .json 文件。请另存为其中一种。")
        raise Invalid("model.kind", wrong, errors=[FieldError("file", "model.kind", wrong)])
    shell = read_aasx(content)
    return ModelView(shell, None, None if shell.park is None else _request(work, shell.park, shell.attachments))


def park_of_model(work: Work, *, name: str, content: bytes) -> dict[str, Any]:
    """Return the request of a twin run that a model file means; Invalid for a file without a park."""
    work.actor.require(Permission.UPLOAD_DATA)
    found = read_model(work, name=name, content=content)
    if found.request is None:
        wrong = msg("文件中没有园区数据（park.json）。FMU 不在平台上运行：请在外部计算后上传结果序列。")
        raise Invalid("model.no_park", wrong, errors=[FieldError("file", "model.no_park", wrong)])
    return found.request


def export_run(work: Work, *, run_id: UUID) -> bytes:
    """Return a twin run as an AASX package: the park, the files it names, and the figures with their manifest's hash.

    Raises NotFound for another park's run, Conflict for one that is no twin or has not succeeded.
    """
    work.actor.require(Permission.READ_ORDER)
    own = () if work.actor.tenant_id is None else (Run.tenant_id == work.actor.tenant_id,)
    row = work.session.execute(
        select(Run.tenant_id, Run.delivery, Run.request, Run.kpis, Run.manifest_sha256).where(Run.id == run_id, *own)
    ).one_or_none()
    if row is None:
        raise NotFound("run.not_found", msg("没有找到该次计算。请从订单中打开。"))
    if row.delivery != Delivery.TWIN or row.kpis is None:
        raise Conflict("model.no_result", msg("只有已完成的数字孪生推演可以导出为 AASX。"))
    park, files = park_document(work, row.request, tenant_id=row.tenant_id)
    named = {name: _NOT_A_PART_NAME.sub("_", name) for name in files}
    return write_aasx(
        asset_id=str(row.tenant_id),
        name=str(park.get("site", {}).get("name", "")),
        park=_renamed(park, named),
        attachments={named[name]: content for name, content in files.items()},
        kpis=row.kpis,
        manifest_sha256=row.manifest_sha256,
    )


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        wrong = msg("不是有效的 JSON 对象。请检查括号、引号和逗号。")
        raise Invalid("model.json", wrong, errors=[FieldError("file", "model.json", wrong)])
    return found


def _request(work: Work, park: dict[str, Any], attachments: Mapping[str, bytes]) -> dict[str, Any]:
    """Keep a park's files and return the request that names them."""
    kept = {
        name: str(upload(work, name=name, media_type="application/octet-stream", content=content).id)
        for name, content in attachments.items()
    }
    return {"park": park, **({"files": kept} if kept else {})}


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    """Return a document in which files go by the names that they have in the package."""
    if isinstance(tree, dict):
        return {key: _renamed(value, names) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_renamed(value, names) for value in tree]
    return names.get(tree, tree) if isinstance(tree, str) else tree
