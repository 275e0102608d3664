"""What discounts of whole invoices take off: of those that count for a park the best one, split over its open lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from billing.rules.discounts import WHOLE_INVOICE, Discount, best, own_part, spread
from billing.rules.periods import parse_month
from billing.store import discounts as store
from billing.store import invoice_queries
from billing.store.invoice_queries import PendingLine
from tenants.kernel.work import Work
from tenants.usecases import subscriptions

LAST_MOMENT = timedelta(microseconds=1)

Credits = Mapping[UUID, Sequence[tuple[UUID, int]]]
"""By rated usage: the returns, with their fen, whose credit waits for its invoice."""


@dataclass(frozen=True)
class TakenOff:
    """The discount that counts, if any, and what of it falls on each line, in fen."""

    discount_id: UUID | None
    by_line: tuple[int, ...]


def discounts_of(work: Work, period: str, parks: Collection[UUID]) -> dict[UUID, list[Discount]]:
    """Return, by park, the discounts that count for its invoice of a month, for use cases of billing.

    Their window holds the month's last moment; a tier's are those of the parks that have it then.
    """
    span = parse_month(period)
    assert span is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    last = span.end - LAST_MOMENT
    rows = store.of_invoices(work.session, WHOLE_INVOICE, work.now, last)
    tiers: Mapping[UUID, str] = {}
    if any(row.tier for row in rows):
        tiers = subscriptions.tiers_at(work, park_ids=parks, at=last)
    found: dict[UUID, list[Discount]] = {}
    for row in rows:
        whose = [row.park_id] if row.park_id else [park for park in parks if tiers.get(park) == row.tier]
        for park in whose:
            found.setdefault(park, []).append(row.rule())
    return found


def take_off(
    work: Work, park_id: UUID, lines: Sequence[PendingLine], returned: Credits, discounts: Sequence[Discount]
) -> TakenOff:
    """Return what the best discount takes off a park's next invoice: at most what the park itself still has to pay."""
    if not discounts:
        return TakenOff(None, (0,) * len(lines))
    later = invoice_queries.later_awards_of(work.session, park_id, [line.id for line in lines])
    still_open = [
        own_part(
            line.payable_fen,
            sum(fen for _, fen in returned.get(line.id, ())),
            later.get(line.id, 0),
            prepaid=line.is_prepaid,
        )
        for line in lines
    ]
    discount, fen = best(discounts, sum(still_open))
    return TakenOff(None if discount is None else discount.id, spread(fen, still_open))
