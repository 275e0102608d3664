"""Closing a month of the books: nothing is written into it any more, and its hash says what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.closing import BookedJournal, BookedPosting, journals_hash
from billing.rules.periods import month_name
from billing.store import books
from billing.store.ledger import ClosedPeriod, Journal
from billing.usecases.invoice_drafts import check_period
from billing.usecases.reconciliation import reconcile
from tenants.kernel.errors import Conflict, FieldError
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class ClosedPeriodView:
    """A closed month: how many journals it has, the sum of their debits, their hash, and who closed it when."""

    period: str
    journals: int
    debit_fen: int
    journals_sha256: str
    closed_by: UUID
    closed_at: datetime


def close_period(work: Work, *, period: str) -> ClosedPeriodView:
    """Close a month for good. What is late is written into the first open month after it.

    Raises Invalid for a text that is no month, and Conflict for a month that is not over, is closed already, comes after
    an open one with journals, or has breaks: ``errors`` lists them.
    """
    work.actor.require(Permission.CLOSE_PERIOD)
    closer = work.actor.require_person()
    check_period(period)
    books.lock_period(work.session, period)
    _check_in_turn(work, period)
    _check_agreed(work, period)
    journals = booked_journals(work, books.journals_of(work.session, period))
    closed = ClosedPeriodView(
        period=period,
        journals=len(journals),
        debit_fen=sum(each.amount_fen for one in journals for each in one.postings if each.side == "debit"),
        journals_sha256=journals_hash(journals),
        closed_by=closer,
        closed_at=work.now,
    )
    if not books.close(work.session, asdict(closed)):
        raise _closed(period)
    audit.record(work, "period.close", "period", period, journals=closed.journals, sha256=closed.journals_sha256)
    return closed


def list_closed_periods(work: Work) -> tuple[ClosedPeriodView, ...]:
    """Return the closed months, the latest first."""
    work.actor.require(Permission.READ_LEDGER)
    return tuple(_view(row) for row in books.closed_periods(work.session))


def booked_journals(work: Work, journals: Sequence[Journal]) -> tuple[BookedJournal, ...]:
    """Return journals with their lines, for use cases of billing, which have asked for their own permission."""
    lines: dict[UUID, list[BookedPosting]] = {}
    for posting in books.postings_of(work.session, [journal.id for journal in journals]):
        line = BookedPosting(posting.line, posting.account, posting.side, posting.amount_fen)
        lines.setdefault(posting.journal_id, []).append(line)
    return tuple(
        BookedJournal(
            id=journal.id,
            source_kind=journal.source_kind,
            source_id=journal.source_id,
            description=journal.description,
            occurred_at=journal.occurred_at,
            reverses_id=journal.reverses_id,
            postings=tuple(lines.get(journal.id, ())),
        )
        for journal in journals
    )


def _check_in_turn(work: Work, period: str) -> None:
    if period >= month_name(work.now):
        raise Conflict("period.not_over", msg("{period} 尚未结束，不能结账。请在下月初办理。", period=period))
    closed = {row.period for row in books.closed_periods(work.session)}
    if period in closed:
        raise _closed(period)
    earlier = [each for each in books.periods_before(work.session, period) if each not in closed]
    if earlier:
        raise Conflict(
            "period.earlier_open", msg("{earlier} 尚未结账。请按月份先后依次结账。", earlier="、".join(earlier))
        )


def _check_agreed(work: Work, period: str) -> None:
    breaks = reconcile(work, period=period).breaks
    if breaks:
        message = msg("{period} 还有 {count} 处差异。请先在对账页逐项处理，再结账。", period=period, count=len(breaks))
        errors = [
            FieldError(
                f"breaks[{place}]", f"break.{each.kind}", msg("{kind}：{key}", kind=each.kind.value, key=each.key)
            )
            for place, each in enumerate(breaks[:50])
        ]
        raise Conflict("period.has_breaks", message, errors=errors)


def _closed(period: str) -> Conflict:
    return Conflict("period.closed", msg("{period} 已结账，不能再次结账。更正请记入之后的月份。", period=period))


def _view(row: ClosedPeriod) -> ClosedPeriodView:
    return ClosedPeriodView(
        period=row.period,
        journals=row.journals,
        debit_fen=row.debit_fen,
        journals_sha256=row.journals_sha256,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
    )
