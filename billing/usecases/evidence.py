"""Evidence: files that prove a claim or a decision, entered by the use case they are for and opened by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from billing.store.evidence import EvidenceFile
from tenants.kernel.errors import FieldError, Invalid, NotFound, TooLarge
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.files import safe_media_type, safe_name

MOST_BYTES = 16 << 20
"""The largest file taken as evidence: a scanned contract, not a data set."""

_COLUMNS = (
    EvidenceFile.id,
    EvidenceFile.tenant_id,
    EvidenceFile.name,
    EvidenceFile.media_type,
    EvidenceFile.size_bytes,
    EvidenceFile.sha256,
    EvidenceFile.uploaded_by,
    EvidenceFile.uploaded_at,
)


@dataclass(frozen=True)
class Upload:
    """A file as it comes in."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class EvidenceView:
    """A file without its bytes."""

    id: UUID
    tenant_id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    uploaded_by: UUID | None
    uploaded_at: datetime


@dataclass(frozen=True)
class EvidenceContent:
    """A file with its bytes."""

    view: EvidenceView
    content: bytes


def keep(work: Work, tenant_id: UUID, file: Upload, *, field: str = "file") -> EvidenceView:
    """Keep a file about a park, for use cases that have asked for their own permission; the same content is kept once.

    Raises Invalid at ``field`` for an empty file and TooLarge above ``MOST_BYTES``.
    """
    if not file.content:
        empty = msg("文件是空的。请检查后重新上传。")
        raise Invalid("evidence.empty", empty, errors=[FieldError(field, "evidence.empty", empty)])
    if len(file.content) > MOST_BYTES:
        large = msg("文件超过 {limit} MB。请压缩或拆分后再上传。", limit=MOST_BYTES >> 20)
        raise TooLarge("evidence.too_large", large, errors=[FieldError(field, "evidence.too_large", large)])
    digest = hashlib.sha256(file.content).hexdigest()
    row = {
        "tenant_id": tenant_id,
        "id": new_id(),
        "name": safe_name(file.name),
        "media_type": safe_media_type(file.media_type),
        "size_bytes": len(file.content),
        "sha256": digest,
        "content": file.content,
        "uploaded_by": work.actor.user_id,
        "uploaded_at": work.now,
    }
    work.session.execute(insert(EvidenceFile).values(row).on_conflict_do_nothing())
    kept = select(*_COLUMNS).where(EvidenceFile.tenant_id == tenant_id, EvidenceFile.sha256 == digest)
    return _view(work.session.execute(kept).mappings().one())


def open_evidence(work: Work, *, evidence_id: UUID) -> EvidenceContent:
    """Return a file with its bytes; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    query = select(*_COLUMNS, EvidenceFile.content).where(EvidenceFile.id == evidence_id)
    row = work.session.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("evidence.not_found", msg("没有找到该佐证材料。请从列表中重新打开。"))
    return EvidenceContent(_view(row), row["content"])


def _view(row: Mapping[Any, Any]) -> EvidenceView:
    return EvidenceView(**{column.key: row[column.key] for column in _COLUMNS})
