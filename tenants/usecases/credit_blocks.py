"""The dishonesty list: who gets no public money, since when and by whose decision; entered, imported and lifted by staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from tenants.kernel.clock import CHINA
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.rules.standing import BlockEntry, check_entry, check_grounds, read_list
from tenants.store.standing import CreditBlock
from tenants.store.standing_queries import counts_on
from tenants.usecases import audit

_AT_ONCE = 500
"""Rows of one statement."""


@dataclass(frozen=True)
class CreditBlockView:
    """An entry; ``counts`` tells whether it bars subsidies now."""

    id: UUID
    uscc: str
    name: str
    source: str
    document_no: str
    valid_from: date
    valid_until: date | None
    entered_at: datetime
    lifted_at: datetime | None
    lift_reason: str | None
    counts: bool


@dataclass(frozen=True)
class Imported:
    """What a file brought: ``known`` are entries whose code and document number the list had before."""

    entered: int
    known: int


@dataclass(frozen=True)
class OwnBlock:
    """An entry as the organisation it names reads it."""

    source: str
    document_no: str
    valid_from: date
    valid_until: date | None


def enter_block(
    work: Work, *, uscc: str, name: str, source: str, document_no: str, valid_from: str, valid_until: str = ""
) -> CreditBlockView:
    """Put an organisation on the list; days are written ``YYYY-MM-DD``.

    Raises Invalid with every wrong field, Conflict ``credit.known`` when code and document number are on the list.
    """
    work.actor.require(Permission.MANAGE_STANDING)
    texts = {
        "uscc": uscc, "name": name, "source": source, "document_no": document_no, "valid_from": valid_from,
        "valid_until": valid_until,
    }  # fmt: skip
    entry = check_entry(texts)
    entered = _insert(work, [entry])
    if not entered:
        raise Conflict(
            "credit.known", msg("失信名单中已有 {uscc} 的 {number}。请核对文号。", uscc=entry.uscc, number=document_no)
        )
    audit.record(work, "credit.enter", "credit_block", entered[0], uscc=entry.uscc, document_no=entry.document_no)
    return _read(work, entered[0])


def import_blocks(work: Work, *, content: bytes) -> Imported:
    """Put all entries of a CSV file on the list, in whole or not at all; those it has already are passed over.

    Raises Invalid with every fault at its line, ``lines[3].uscc``.
    """
    work.actor.require(Permission.MANAGE_STANDING)
    entries = read_list(content)
    entered = _insert(work, entries)
    audit.record(work, "credit.import", "credit_block", "", lines=len(entries), entered=len(entered))
    return Imported(len(entered), len(entries) - len(entered))


def lift_block(work: Work, *, block_id: UUID, reason: str) -> CreditBlockView:
    """Take an entry off from now on; it stays readable. Raises NotFound, Invalid, Conflict ``credit.lifted``."""
    work.actor.require(Permission.MANAGE_STANDING)
    with Faults() as faults:
        told = faults.take("reason", check_grounds, reason)
    lifting = (
        update(CreditBlock)
        .where(CreditBlock.id == block_id, CreditBlock.lifted_at.is_(None))
        .values(lifted_by=work.actor.user_id, lifted_at=work.now, lift_reason=told)
        .execution_options(synchronize_session=False)
    )
    if not rows_written(work.session, lifting):
        _read(work, block_id)
        raise Conflict("credit.lifted", msg("该记录已移出失信名单。请刷新列表。"))
    view = _read(work, block_id)
    audit.record(work, "credit.lift", "credit_block", block_id, uscc=view.uscc, reason=told)
    return view


def list_blocks(
    work: Work, *, search: str = "", active: bool = False, limit: int = 50, cursor: str | None = None
) -> Page[CreditBlockView]:
    """Return entries, newest first, of a code or a part of a name, and only those that count now if ``active``."""
    work.actor.require(Permission.READ_ALL_PARKS)
    query = select(CreditBlock.__table__)
    before = decode_cursor(cursor)
    if before is not None:
        query = query.where(tuple_(CreditBlock.entered_at, CreditBlock.id) < before)
    if search.strip():
        wanted = search.strip()
        query = query.where(or_(CreditBlock.uscc == wanted.upper(), CreditBlock.name.contains(wanted, autoescape=True)))
    if active:
        query = query.where(counts_on(_today(work)))
    query = query.order_by(CreditBlock.entered_at.desc(), CreditBlock.id.desc()).limit(check_limit(limit) + 1)
    today = _today(work)
    rows: Sequence[AnyRow] = work.session.execute(query).all()
    return page_of(rows, limit, lambda row: _view(row, today), lambda row: (row.entered_at, row.id))


def own_blocks(work: Work, *, uscc: str) -> tuple[OwnBlock, ...]:
    """Return the entries that bar an organisation now, as it may read them itself."""
    work.actor.require(Permission.READ_PARK)
    query = select(CreditBlock.source, CreditBlock.document_no, CreditBlock.valid_from, CreditBlock.valid_until)
    mine = query.where(CreditBlock.uscc == uscc, counts_on(_today(work))).order_by(CreditBlock.valid_from)
    return tuple(OwnBlock(*row) for row in work.session.execute(mine))


def _insert(work: Work, entries: Sequence[BlockEntry]) -> list[UUID]:
    """Enter some, and return the ids of those whose code and document number were not on the list."""
    entered: list[UUID] = []
    for first in range(0, len(entries), _AT_ONCE):
        rows = [
            {
                "id": new_id(),
                "uscc": entry.uscc,
                "name": entry.name,
                "source": entry.source,
                "document_no": entry.document_no,
                "valid_from": entry.valid_from,
                "valid_until": entry.valid_until,
                "entered_by": work.actor.user_id,
                "entered_at": work.now,
            }
            for entry in entries[first : first + _AT_ONCE]
        ]
        adding = insert(CreditBlock).values(rows).on_conflict_do_nothing().returning(CreditBlock.id)
        entered += work.session.execute(adding).scalars()
    return entered


def _read(work: Work, block_id: UUID) -> CreditBlockView:
    row = work.session.execute(select(CreditBlock.__table__).where(CreditBlock.id == block_id)).one_or_none()
    if row is None:
        raise NotFound("credit.not_found", msg("没有找到该失信记录。请从列表中重新打开。"))
    return _view(row, _today(work))


def _view(row: AnyRow, today: date) -> CreditBlockView:
    return CreditBlockView(
        id=row.id,
        uscc=row.uscc,
        name=row.name,
        source=row.source,
        document_no=row.document_no,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        entered_at=row.entered_at,
        lifted_at=row.lifted_at,
        lift_reason=row.lift_reason,
        counts=row.lifted_at is None
        and row.valid_from <= today
        and (row.valid_until is None or today < row.valid_until),
    )


def _today(work: Work) -> date:
    return work.now.astimezone(CHINA).date()
