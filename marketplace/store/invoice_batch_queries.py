"""Reads and writes of batches of invoices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from marketplace.store.invoice_batches import InvoiceBatch, InvoiceBatchPart
from tenants.kernel.writing import rows_written

_PART = InvoiceBatchPart
_QUEUED = "queued"


@dataclass(frozen=True)
class OpenPart:
    """An invoice of a batch that is not made yet."""

    position: int
    invoice_id: UUID


def insert_batch(session: Session, batch: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> None:
    """Write a batch and the invoices it is made of."""
    session.execute(insert(InvoiceBatch), [dict(batch)])
    session.execute(insert(_PART), [dict(part) for part in parts])


def batch_of(session: Session, batch_id: UUID) -> InvoiceBatch | None:
    """Return a batch without its bytes."""
    query = select(InvoiceBatch).where(InvoiceBatch.id == batch_id).execution_options(populate_existing=True)
    return session.execute(query).scalar_one_or_none()


def waiting_batch(session: Session, values: Mapping[str, Any]) -> InvoiceBatch | None:
    """Return a batch that is being made and is just what ``values`` ask for."""
    same = [getattr(InvoiceBatch, name).is_not_distinct_from(value) for name, value in values.items()]
    query = select(InvoiceBatch).where(InvoiceBatch.status == _QUEUED, *same).limit(1)
    return session.execute(query).scalar_one_or_none()


def batches(session: Session, limit: int) -> Sequence[InvoiceBatch]:
    """Return batches, newest first."""
    query = select(InvoiceBatch).order_by(InvoiceBatch.requested_at.desc(), InvoiceBatch.id.desc()).limit(limit)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def done_of(session: Session, batch_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many invoices of each batch are made."""
    made = select(_PART.batch_id, func.count(_PART.sha256)).where(_PART.batch_id.in_(batch_ids))
    return {batch: int(done) for batch, done in session.execute(made.group_by(_PART.batch_id))}


def open_parts(session: Session, batch_id: UUID) -> Sequence[OpenPart]:
    """Return the invoices of a batch that are not made yet, in order."""
    query = select(_PART.position, _PART.invoice_id).where(_PART.batch_id == batch_id, _PART.sha256.is_(None))
    return [OpenPart(*row) for row in session.execute(query.order_by(_PART.position))]


def keep_part(session: Session, batch_id: UUID, position: int, *, content: bytes, sha256: str) -> None:
    """Keep what was made of an invoice, unless another worker has done so."""
    still = update(_PART).where(_PART.batch_id == batch_id, _PART.position == position, _PART.sha256.is_(None))
    session.execute(still.values(content=content, sha256=sha256))


def parts_of(session: Session, batch_id: UUID) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, hash and bytes of each invoice of a batch whose bytes are still here."""
    query = select(_PART.name, _PART.sha256, _PART.content).where(_PART.batch_id == batch_id)
    kept = query.where(_PART.content.is_not(None)).order_by(_PART.position).execution_options(yield_per=20)
    for name, sha256, content in session.execute(kept):
        if sha256 is not None and content is not None:
            yield name, sha256, content


def lock_queued(session: Session, batch_id: UUID) -> bool:
    """Lock a batch; tell whether it is still being made."""
    query = select(InvoiceBatch.id).where(InvoiceBatch.id == batch_id, InvoiceBatch.status == _QUEUED)
    return session.execute(query.with_for_update()).scalar_one_or_none() is not None


def end(session: Session, batch_id: UUID, *, status: str, at: datetime, **file: Any) -> bool:
    """End a batch that is being made, and let its parts' bytes go; tell whether it was still being made."""
    still = update(InvoiceBatch).where(InvoiceBatch.id == batch_id, InvoiceBatch.status == _QUEUED)
    if not rows_written(session, still.values(status=status, finished_at=at, **file)):
        return False
    session.execute(update(_PART).where(_PART.batch_id == batch_id).values(content=None))
    return True


def content_of(session: Session, batch_id: UUID) -> bytes | None:
    """Return the bytes of a batch that is done."""
    return session.execute(select(InvoiceBatch.content).where(InvoiceBatch.id == batch_id)).scalar_one_or_none()
