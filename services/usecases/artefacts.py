"""Files of a park: what it uploads and what is delivered to it. Their bytes never change; their hash proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.store.entering import enter_file
from services.store.runs import Artefact
from tenants.kernel.errors import FieldError, Invalid, NotFound, TooLarge
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST_BYTES = 64 << 20
"""The largest file taken when a door does not set a limit of its own."""

_COLUMNS = (
    Artefact.id,
    Artefact.kind,
    Artefact.source_id,
    Artefact.name,
    Artefact.media_type,
    Artefact.size_bytes,
    Artefact.sha256,
    Artefact.created_at,
)


@dataclass(frozen=True)
class ArtefactView:
    """A file without its bytes. ``source_id`` is the run or booking that delivered it, None for an upload."""

    id: UUID
    kind: str
    source_id: UUID | None
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True)
class ArtefactContent:
    """A file with its bytes."""

    view: ArtefactView
    content: bytes


def upload(work: Work, *, name: str, media_type: str, content: bytes, most_bytes: int = MOST_BYTES) -> ArtefactView:
    """Keep a file of the acting park.

    Raises TooLarge above ``most_bytes`` and Invalid for an empty file.
    """
    work.actor.require(Permission.UPLOAD_DATA)
    tenant_id = work.actor.require_tenant()
    check_size(content, most_bytes)
    row = enter_file(
        work.session,
        tenant_id,
        kind="input",
        source_id=None,
        name=name,
        media_type=media_type,
        content=content,
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    view = _view(row)
    audit.record(work, "artefact.upload", "artefact", view.id, name=view.name, sha256=view.sha256)
    return view


def list_artefacts(work: Work, *, source_id: UUID | None) -> tuple[ArtefactView, ...]:
    """Return the files delivered by a run or booking, in the order they were stored; the park's uploads for None."""
    work.actor.require(Permission.READ_ORDER)
    query = select(*_COLUMNS).where(Artefact.source_id == source_id, *_own(work)).order_by(Artefact.id)
    return tuple(_view(row) for row in work.session.execute(query).mappings())


def open_artefact(work: Work, *, artefact_id: UUID) -> ArtefactContent:
    """Return a file; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    query = select(*_COLUMNS, Artefact.content).where(Artefact.id == artefact_id, *_own(work))
    row = work.session.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("artefact.not_found", msg("没有找到该文件。请从订单或上传记录中重新打开。"))
    return ArtefactContent(_view(row), row["content"])


def file_of(work: Work, tenant_id: UUID, artefact_id: UUID) -> ArtefactContent:
    """Return a park's file, for use cases that have asked for their own permission and may show it."""
    query = select(*_COLUMNS, Artefact.content).where(Artefact.tenant_id == tenant_id, Artefact.id == artefact_id)
    row = work.session.execute(query).mappings().one()
    return ArtefactContent(_view(row), row["content"])


def check_size(content: bytes, most_bytes: int = MOST_BYTES) -> None:
    """Refuse an empty file and one above ``most_bytes``."""
    if len(content) > most_bytes:
        raise TooLarge("artefact.too_large", msg("文件超过 {limit} MB。请压缩或拆分后再上传。", limit=most_bytes >> 20))
    if not content:
        empty = msg("文件是空的。请检查后重新上传。")
        raise Invalid("artefact.empty", empty, errors=[FieldError("content", "artefact.empty", empty)])


def _own(work: Work) -> tuple[Any, ...]:
    """Return the condition that leads the index to the acting park's files; row security demands it anyway."""
    return () if work.actor.tenant_id is None else (Artefact.tenant_id == work.actor.tenant_id,)


def _view(row: Mapping[Any, Any]) -> ArtefactView:
    return ArtefactView(**{column.key: row[column.key] for column in _COLUMNS})
