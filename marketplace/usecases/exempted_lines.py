"""What case-by-case decisions touched: the decision from billing, the order lines from here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.usecases import exemptions
from marketplace.store.order_queries import lines_with_orders
from tenants.kernel.paging import MOST_ITEMS
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class ExemptedLine:
    """What one order line got under a decision: promised, still held, and captured. ``status`` is its hold's."""

    order_id: UUID
    order_number: str
    order_line_id: UUID
    title: str
    programme: str
    version: int
    amount_fen: int
    held_fen: int
    captured_fen: int
    status: str
    created_at: datetime


@dataclass(frozen=True)
class ExemptionWithLines:
    """A decision and every order line it touched, oldest first."""

    exemption: exemptions.ExemptionView
    lines: tuple[ExemptedLine, ...]


def read_exemption_with_lines(work: Work, *, exemption_id: UUID) -> ExemptionWithLines:
    """Return a decision with what it touched; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    found = exemptions.read_exemption(work, exemption_id=exemption_id)
    uses = exemptions.list_exemption_uses(work, exemption_id=exemption_id)
    known = lines_with_orders(work.session, found.park_id, [use.order_line_id for use in uses])
    lines = tuple(
        ExemptedLine(
            order_id=known[use.order_line_id].order_id,
            order_number=known[use.order_line_id].number,
            order_line_id=use.order_line_id,
            title=known[use.order_line_id].title,
            programme=use.programme,
            version=use.version,
            amount_fen=use.amount_fen,
            held_fen=use.held_fen,
            captured_fen=use.captured_fen,
            status=use.status,
            created_at=use.created_at,
        )
        for use in uses
        if use.order_line_id in known
    )
    return ExemptionWithLines(found, lines)


def export_exemptions(work: Work, *, park_id: UUID | None = None) -> tuple[ExemptionWithLines, ...]:
    """Return every decision with all it touched, newest first: a park its own, staff those of ``park_id`` or of all."""
    work.actor.require(Permission.READ_ORDER)
    found: list[ExemptionWithLines] = []
    cursor: str | None = None
    while True:
        page = exemptions.list_exemptions(work, park_id=park_id, limit=MOST_ITEMS, cursor=cursor)
        found += [read_exemption_with_lines(work, exemption_id=each.id) for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    audit.record(work, "exemption.export", "exemption", None, rows=len(found))
    return tuple(found)
