"""Finding delivered lines whose later awards nobody has offered: those from before there were offers, or of a gap."""

from __future__ import annotations

from uuid import UUID

from billing.usecases import entitlement_offers
from billing.usecases.entitlement_offers import UnofferedLine
from marketplace.store.order_queries import line_with_order
from marketplace.store.orders import OrderLine
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def delivered_by(line: OrderLine) -> dict[str, str]:
    """Return what delivered a line, as its proof names it."""
    sources = {
        "run": line.run_id,
        "booking": line.booking_id,
        "site_month": line.site_month_id,
        "samples": line.sample_batch_id,
    }
    return {name: str(source) for name, source in sources.items() if source is not None}


def lines_to_offer(work: Work) -> tuple[UnofferedLine, ...]:
    """Return delivered lines with later awards that were never offered."""
    work.actor.require(Permission.RUN_PLATFORM)
    return entitlement_offers.unoffered_lines(work)


def offer_line(work: Work, *, order_line_id: UUID) -> int:
    """Offer the later awards of a delivered line of the acting park; return how many are new."""
    work.actor.require(Permission.METER_USAGE)
    found = line_with_order(work.session, order_line_id)
    if found is None:
        return 0
    line, order = found
    proof = {"order": order.number, "order_line": str(line.id), "report_sha256": line.result_sha256}
    settled = entitlement_offers.SettledLine(
        order_line_id=line.id,
        reference=order.number,
        quote_id=order.quote_id,
        position=line.position,
        proof=proof | delivered_by(line),
    )
    return entitlement_offers.offer_later_awards(work, line=settled)
