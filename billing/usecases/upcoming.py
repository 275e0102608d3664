"""What meters have counted and nothing was charged for yet, as lines of the next invoice: for drafts, never stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.rules.periods import month_before, month_name
from billing.store import metered_queries as store
from billing.store.invoice_queries import PendingLine
from billing.usecases.arrears import metered_parks, work_out
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class Upcoming:
    """A line that charging would make now. ``pending`` is what an invoice's sums need of it, under an id of the moment."""

    pending: PendingLine
    offering: str
    title: str
    quantity: Decimal
    period: str
    used_at: datetime


def upcoming_lines(work: Work, period: str, park_id: UUID | None = None) -> dict[UUID, list[Upcoming]]:
    """Return, by park, what charging its metered use up to a month would add to its invoice now; parks that have the
    month's invoice are left out. Of one park or of all that the transaction may see, for use cases that have asked for
    their own permission.
    """
    asked: Collection[UUID] = metered_parks(work, period) if park_id is None else {park_id}
    parks = sorted(set(asked) - store.invoiced_parks(work.session, asked, period))
    found: dict[UUID, list[Upcoming]] = {}
    if not parks:
        return found
    for line in work_out(work, period, parks).lines:
        if line.charged_fen > 0:
            fen = line.charged_fen
            pending = PendingLine(line.park_id, new_id(), fen, 0, fen, line.price.vat_bp, is_prepaid=False)
            found.setdefault(line.park_id, []).append(
                Upcoming(pending, line.offering, line.title, line.units, line.period, line.used_at(work.now))
            )
    return found


def read_metered_use(work: Work) -> tuple[Upcoming, ...]:
    """Return what the acting park's meters have counted in this and the last month that is not charged yet, in order of
    months.
    """
    work.actor.require(Permission.READ_USAGE)
    park_id = work.actor.require_tenant()
    this_month = month_name(work.now)
    last_month = month_name(month_before(work.now).start)
    found: dict[tuple[str, str], Upcoming] = {}
    for period in (last_month, this_month):
        for each in upcoming_lines(work, period, park_id).get(park_id, ()):
            found[each.period, each.title] = each
    return tuple(found[key] for key in sorted(found))
