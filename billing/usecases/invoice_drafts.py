"""What a park's next invoice holds: worked out from its use whenever somebody asks, and by the run that finalises it.

A draft is never stored, so none is ever half written or out of date; what people look at is what would be issued now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.invoices import LEGAL_ENTITY, BilledLine, Totals, grace_ends, totals
from billing.rules.money import vat_of_gross
from billing.rules.periods import month_name, parse_month
from billing.store import invoice_queries, legal_entities, return_queries
from billing.store.invoice_queries import PendingLine, PendingSum
from billing.usecases.invoice_discounts import TakenOff, discounts_of, take_off
from billing.usecases.invoice_views import InvoiceLineView, draft_line, upcoming_line
from billing.usecases.minimums import expected_minimum
from billing.usecases.upcoming import Upcoming, upcoming_lines
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

NOTHING: Mapping[UUID, Sequence[Upcoming]] = {}


@dataclass(frozen=True)
class Draft:
    """A park's invoice before it has a number. ``credited`` are the returns of its lines that wait for it, in fen."""

    park_id: UUID
    period: str
    usages: Sequence[PendingLine]
    billed: Totals
    taken_off: TakenOff
    prepaid_fen: int
    credited: tuple[tuple[UUID, int], ...]

    @property
    def paid_fen(self) -> int:
        """Return what is paid before it is issued: from the wallet at delivery, and by what was returned."""
        return self.prepaid_fen + sum(fen for _, fen in self.credited)


@dataclass(frozen=True)
class DraftRow:
    """What a park would be invoiced now, as a list shows it. Until ``grace_ends_at`` late use is waited for."""

    park_id: UUID
    park_name: str
    period: str
    line_count: int
    gross_fen: int
    subsidy_fen: int
    discount_fen: int
    payable_fen: int
    vat_fen: int
    paid_fen: int
    grace_ends_at: datetime
    grace_is_over: bool


@dataclass(frozen=True)
class DraftView(DraftRow):
    """A draft with its lines."""

    lines: tuple[InvoiceLineView, ...]
    expected_minimum_fen: int
    """What the month's charges fall short of the plans' minimum so far: it is charged when the month is settled."""

    @property
    def list_fen(self) -> int:
        """Return the sum of the lines' list prices."""
        return sum(line.list_fen for line in self.lines)

    @property
    def included_fen(self) -> int:
        """Return what the included units would have cost."""
        return sum(line.included_fen for line in self.lines)

    @property
    def repeated_fen(self) -> int:
        """Return what of it is of deliveries that were repeated."""
        return sum(line.repeated_fen for line in self.lines)

    @property
    def agreed_discount_fen(self) -> int:
        """Return what discounts took off prices before any subsidy."""
        return sum(line.agreed_discount_fen for line in self.lines)


def list_drafts(work: Work, *, period: str) -> tuple[DraftRow, ...]:
    """Return what would be invoiced for a month now, park by park: a park's own, for staff all. By name."""
    work.actor.require(Permission.READ_INVOICE)
    check_period_begun(work, period)
    sums: dict[UUID, list[PendingSum]] = {}
    for each in invoice_queries.pending_sums(work.session, period):
        sums.setdefault(each.tenant_id, []).append(each)
    whole = _whole(work, period, sums)
    parks = {*sums, *whole}
    credited = return_queries.waiting_sums(work.session)
    names = dict.fromkeys(parks, "") | onboarding.park_names(work, park_ids=parks)
    ends_at = grace_end(work, period)
    rows = [
        DraftRow(
            park_id=park_id,
            park_name=names[park_id],
            period=period,
            grace_ends_at=ends_at,
            grace_is_over=work.now >= ends_at,
            **(_of_draft(whole[park_id]) if park_id in whole else _of_sums(sums[park_id], credited.get(park_id, 0))),
        )
        for park_id in parks
    ]
    return tuple(sorted(rows, key=lambda row: (row.park_name, row.park_id)))


def _of_draft(draft: Draft) -> dict[str, int]:
    return {
        "line_count": len(draft.usages),
        "gross_fen": draft.billed.gross_fen,
        "subsidy_fen": draft.billed.subsidy_fen,
        "discount_fen": draft.billed.discount_fen,
        "payable_fen": draft.billed.payable_fen,
        "vat_fen": draft.billed.vat_fen,
        "paid_fen": draft.paid_fen,
    }


def _of_sums(found: Sequence[PendingSum], credited_fen: int) -> dict[str, int]:
    return {
        "line_count": sum(each.lines for each in found),
        "gross_fen": sum(each.gross_fen for each in found),
        "subsidy_fen": sum(each.subsidy_fen for each in found),
        "discount_fen": 0,
        "payable_fen": sum(each.payable_fen for each in found),
        "vat_fen": sum(vat_of_gross(each.gross_fen, each.vat_bp) for each in found),
        "paid_fen": sum(each.prepaid_fen for each in found) + credited_fen,
    }


def read_draft(work: Work, *, period: str, park_id: UUID | None = None) -> DraftView:
    """Return a park's draft of a month with its lines; a park reads its own. NotFound when there is nothing to bill."""
    work.actor.require(Permission.READ_INVOICE)
    check_period_begun(work, period)
    wanted = park_id or work.actor.tenant_id
    is_own = work.actor.tenant_id in {None, wanted}
    upcoming = upcoming_lines(work, period, wanted) if wanted is not None and is_own else {}
    found = list(drafts(work, period, [wanted], upcoming)) if wanted is not None and is_own else []
    if not found:
        raise NotFound("invoice.nothing_to_bill", msg("{period} 没有待开具的用量。请查看已开具的账单。", period=period))
    (draft,) = found
    ends_at = grace_end(work, period)
    return DraftView(
        park_id=draft.park_id,
        park_name=onboarding.park_names(work, park_ids={draft.park_id}).get(draft.park_id, ""),
        period=period,
        grace_ends_at=ends_at,
        grace_is_over=work.now >= ends_at,
        **_of_draft(draft),
        lines=_lines(work, draft, {each.pending.id: each for each in upcoming.get(draft.park_id, ())}),
        expected_minimum_fen=_expected_minimum(work, draft, upcoming.get(draft.park_id, ())),
    )


def _expected_minimum(work: Work, draft: Draft, upcoming: Sequence[Upcoming]) -> int:
    """Return what would be missing to the month's minimum, metered use that is yet to be charged counted in."""
    missing_fen = expected_minimum(work, period=draft.period, park_id=draft.park_id)
    return max(0, missing_fen - sum(each.pending.gross_fen for each in upcoming if each.period == draft.period))


def _lines(work: Work, draft: Draft, upcoming: Mapping[UUID, Upcoming]) -> tuple[InvoiceLineView, ...]:
    ids = [usage.id for usage in draft.usages if usage.id not in upcoming]
    times = invoice_queries.event_times(work.session, draft.park_id, ids)
    whole = invoice_queries.usage_by_id(work.session, draft.park_id, ids)
    parts = zip(draft.usages, draft.billed.line_vat_fen, draft.taken_off.by_line, strict=True)
    return tuple(
        upcoming_line(place, upcoming[usage.id], vat_fen, discount_fen)
        if usage.id in upcoming
        else draft_line(place, whole[usage.id], vat_fen, discount_fen, times[usage.id])
        for place, (usage, vat_fen, discount_fen) in enumerate(parts, start=1)
    )


def drafts(
    work: Work, period: str, parks: Collection[UUID], upcoming: Mapping[UUID, Sequence[Upcoming]] = NOTHING
) -> Iterator[Draft]:
    """Yield the drafts of some parks, one at a time, for use cases that have asked for their own permission.

    ``upcoming`` are lines that charging would add; the run has charged before, and has none.
    """
    credits_of = return_queries.waiting_credits(work.session, parks)
    discounts = discounts_of(work, period, parks)
    for park_id, usages in _with_upcoming(invoice_queries.pending_usage(work.session, period, parks), upcoming):
        taken_off = take_off(work, park_id, usages, credits_of, discounts.get(park_id, ()))
        lines = [
            BilledLine(each.gross_fen, each.subsidy_fen, each.payable_fen - less, each.vat_bp, less)
            for each, less in zip(usages, taken_off.by_line, strict=True)
        ]
        yield Draft(
            park_id=park_id,
            period=period,
            usages=usages,
            billed=totals(lines),
            taken_off=taken_off,
            prepaid_fen=sum(each.payable_fen for each in usages if each.is_prepaid),
            credited=tuple(each for usage in usages for each in credits_of.get(usage.id, ())),
        )


def _with_upcoming(
    pending: Iterator[tuple[UUID, list[PendingLine]]], upcoming: Mapping[UUID, Sequence[Upcoming]]
) -> Iterator[tuple[UUID, list[PendingLine]]]:
    more = {park_id: [each.pending for each in lines] for park_id, lines in upcoming.items()}
    for park_id, usages in pending:
        yield park_id, [*usages, *more.pop(park_id, ())]
    yield from more.items()


def _whole(work: Work, period: str, parks: Collection[UUID]) -> dict[UUID, Draft]:
    """Return those drafts that a discount may lower or that have lines yet to be charged; the others are sums that the
    database works out.
    """
    upcoming = upcoming_lines(work, period)
    concerned = {*discounts_of(work, period, parks), *upcoming}
    return {draft.park_id: draft for draft in drafts(work, period, concerned, upcoming)} if concerned else {}


def grace_end(work: Work, period: str) -> datetime:
    """Return until when late use of a month is waited for."""
    span = parse_month(period)
    assert span is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    return grace_ends(span, legal_entities.entity_of(work.session, LEGAL_ENTITY).grace_days)


def check_period(period: str) -> None:
    """Raise Invalid unless ``period`` is a month."""
    if parse_month(period) is None:
        raise Invalid(
            "period.not_a_month",
            msg("月份须写作 YYYY-MM，如 2026-03。请改正。"),
            errors=[FieldError("period", "period.not_a_month", msg("须为 YYYY-MM"))],
        )


def check_period_begun(work: Work, period: str) -> None:
    """Raise Invalid for a text that is no month, Conflict for a month that has not begun."""
    check_period(period)
    if period > month_name(work.now):
        raise Conflict(
            "invoice.period_not_begun", msg("{period} 尚未开始，不能开票。请选择已有用量的月份。", period=period)
        )
