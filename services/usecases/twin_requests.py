"""A park's request for a twin run, from what it sent to what the engine takes.

Three forms: ``{"demo": true}``; ``{"park": <park.json>}``, with ``artefact_id`` when its load is a file; and
``{"artefact_id", "site": {parts of park.json}}``, an uploaded load on the demo county's tariff, PV and battery, of which
``site`` replaces what it names. Further files that a document names (meters, weather) come in ``files``, by the name
they have there. Checked in full before anything is sold: a run that starts can read its input.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, BinaryIO, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.formats.documents import Document, read_document
from services.rules.demo_park import demo_park
from services.rules.twin.inputs import TwinRequest
from services.store.runs import Artefact
from services.usecases.twin_alone import Opener, no_files, read_request
from services.usecases.workdays import working_days
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.usecases import onboarding

LOAD_FILE = "load.csv"
_STEPS = (15, 30, 60)
_NOT_THE_PARKS = ("wind", "buildings", "network", "logistics", "fuels")
"""What the demo county has and a park that sent its own load may well not have."""
_WHOLE = {"weather", "load", "network", "logistics"}
"""Parts that replace the demo's as they are; the others change what they name."""


class TwinDocument(Document):
    """A twin run as a park asks for it."""

    demo: Literal[True] | None = None
    park: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    artefact_id: UUID | None = None
    site: dict[str, Any] | None = None
    files: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=200)], UUID], Field(default_factory=dict, max_length=60)
    ]

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.demo is not None, self.park is not None, self.park is None and self.artefact_id is not None)
        if sum(ways) != 1 or (self.site is not None and not ways[2]):
            raise ValueError(
                msg("请恰好选择一种方式：demo；park（负荷为文件时附 artefact_id）；或 artefact_id（可附 site）。")
            )
        return self


def read_twin_request(
    work: Work, given: Mapping[str, Any], *, tenant_id: UUID, where: str = "request"
) -> tuple[dict[str, Any], TwinRequest]:
    """Return the request in its full form, and what the engine takes.

    Raises Invalid that names every wrong field below ``where``, or the rows of the load file.
    """
    asked = read_document(TwinDocument, given, where=where, code="twin.invalid")
    request = read_park_request(work, asked, demo_park(), tenant_id=tenant_id, where=where)
    return asked.model_dump(mode="json", exclude_none=True, exclude=set() if asked.files else {"files"}), request


def read_park_request(
    work: Work, asked: TwinDocument, demo: Mapping[str, Any], *, tenant_id: UUID, where: str
) -> TwinRequest:
    """Return the park that a request means; ``demo`` stands in where it is silent.

    Raises Invalid that names every wrong field below ``where``, or the rows of the load file.
    """
    session = work.session
    content = (
        None if asked.artefact_id is None else _content(session, tenant_id, asked.artefact_id, f"{where}.artefact_id")
    )
    named = {
        name: _content(session, tenant_id, artefact_id, f"{where}.files[{name}]")
        for name, artefact_id in asked.files.items()
    }
    own_name = onboarding.park_names(work, park_ids={tenant_id}).get(tenant_id)
    park = _park(asked, content, copy.deepcopy(dict(demo)), own_name)
    try:
        return read_request(json.dumps(park).encode(), _opener(content, named), working_days(work))
    except Problem as problem:
        raise within(problem, asked, where) from problem


def park_document(work: Work, given: Mapping[str, Any], *, tenant_id: UUID) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the whole ``park.json`` that a request means, and the bytes of the files it names, by their names there.

    Raises Invalid as ``read_twin_request`` does.
    """
    asked = read_document(TwinDocument, given, where="request", code="twin.invalid")
    session = work.session
    content = None if asked.artefact_id is None else _content(session, tenant_id, asked.artefact_id, "artefact_id")
    own_name = onboarding.park_names(work, park_ids={tenant_id}).get(tenant_id)
    park = _park(asked, content, copy.deepcopy(demo_park()), own_name)
    files = {name: _content(session, tenant_id, found, name) for name, found in asked.files.items()}
    load = park.get("load", {}).get("csv") if isinstance(park.get("load"), dict) else None
    return park, files | ({str(load): content} if content is not None and load else {})


def _content(session: Session, tenant_id: UUID, artefact_id: UUID, at: str) -> bytes:
    query = select(Artefact.content).where(Artefact.tenant_id == tenant_id, Artefact.id == artefact_id)
    content = session.execute(query).scalar_one_or_none()
    if content is None:
        missing = msg("没有找到该文件。请先上传负荷数据，再引用它的编号。")
        raise Invalid("twin.no_artefact", missing, errors=[FieldError(at, "twin.no_artefact", missing)])
    return bytes(content)


def _park(asked: TwinDocument, content: bytes | None, park: dict[str, Any], own_name: str | None) -> dict[str, Any]:
    """Return the whole ``park.json``; where the request is silent, the demo park's plant under the park's own name."""
    if asked.park is not None:
        return dict(asked.park)
    park["site"]["name"] = own_name or park["site"]["name"]
    if content is None:
        return park
    for name in _NOT_THE_PARKS:
        park.pop(name, None)
    park |= span_of(content)
    for name, part in (asked.site or {}).items():
        given = None if name in _WHOLE else park.get(name)
        park[name] = {**given, **part} if isinstance(given, dict) and isinstance(part, dict) else part
    return park | {"load": {"csv": LOAD_FILE}}


def _opener(content: bytes | None, named: Mapping[str, bytes]) -> Opener:
    def open_file(name: str) -> AbstractContextManager[BinaryIO]:
        found = named.get(name, content)  # a document with one file may call it as it likes
        return no_files(name) if found is None else nullcontext(io.BytesIO(found))

    return open_file


def span_of(content: bytes) -> dict[str, Any]:
    """Return period and step of a load file by its first two stamps and its last, as parts of ``park.json``.

    Empty when they cannot be told; the reader of the file then says what is wrong with it.
    """
    lines = [line for line in content[:400].decode("utf-8-sig", "replace").splitlines()[1:3] if line.strip()]
    tail = content[-200:].decode("utf-8", "replace").strip().splitlines()
    try:
        first, second, last = (datetime.fromisoformat(line.split(",")[0].strip()) for line in (*lines, tail[-1]))
        minutes = (second - first) / timedelta(minutes=1)
    except (ValueError, IndexError, TypeError):
        return {}
    if minutes not in _STEPS:
        return {}
    until: date = last.date() + timedelta(days=1)
    return {"period": {"from": first.date().isoformat(), "to": until.isoformat()}, "step_minutes": int(minutes)}


def within(problem: Problem, asked: TwinDocument, where: str) -> Problem:
    """Return ``problem`` with its fields named as the park sent them."""
    below = f"{where}.park" if asked.park is not None else f"{where}.site"
    errors = [
        replace(error, field=where if error.field == "document" else f"{below}.{error.field}")
        for error in problem.errors
    ]
    return type(problem)(problem.code, problem.message, errors=errors)
