"""What was booked and not used is given back: noted beside what is charged, and no longer counted on limits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.store import unused_parts as store
from billing.usecases import budgets, plan_uses
from billing.usecases.delivered_lines import DeliveredLine
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

_DIFFERENCES = ("gross_fen", "subsidy_fen", "payable_fen", "included", "discount_fen", "agreed_discount_fen")


@dataclass(frozen=True)
class UnusedPartView:
    """How many units of a line were booked and used, and what was given back of its price and by whom it was held."""

    order_line_id: UUID
    booked_units: int
    used_units: int
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    given_back_at: datetime


def note_unused(work: Work, *, line: DeliveredLine, charged: DeliveredLine) -> None:
    """Note what a line is charged less than it was ordered for, and count only the rest on budgets and the plan.

    For billing's own use cases, which have asked for their own permission. The money itself is given back by whoever
    settles the line: from its holds and from the wallet.
    """
    differences = {name: getattr(line, name) - getattr(charged, name) for name in _DIFFERENCES}
    store.insert_part(
        work.session,
        {
            "tenant_id": work.actor.require_tenant(),
            "order_line_id": line.order_line_id,
            "booked_units": line.quantity,
            "used_units": charged.quantity,
            **differences,
            "given_back_at": work.now,
        },
    )
    budgets.keep_part(
        work,
        line.order_line_id,
        payable_fen=charged.payable_fen,
        gross_fen=charged.gross_fen,
        quantity=charged.quantity,
    )
    plan_uses.keep_part(work, line.order_line_id, units=charged.quantity, included=charged.included)
    audit.record(
        work, "delivery.unused", "order_line", line.order_line_id, booked=line.quantity, used=charged.quantity,
        gross_fen=differences["gross_fen"],
    )  # fmt: skip


def unused_by_line(work: Work, *, order_line_ids: Collection[UUID]) -> dict[UUID, UnusedPartView]:
    """Return what was given back of lines that the acting person's rows show; lines used as a whole are missing."""
    work.actor.require(Permission.READ_ORDER)
    if not order_line_ids:
        return {}
    return {row.order_line_id: _view(row) for row in store.parts_of_lines(work.session, order_line_ids)}


def _view(row: store.UnusedPart) -> UnusedPartView:
    return UnusedPartView(
        order_line_id=row.order_line_id,
        booked_units=row.booked_units,
        used_units=row.used_units,
        gross_fen=row.gross_fen,
        subsidy_fen=row.subsidy_fen,
        payable_fen=row.payable_fen,
        given_back_at=row.given_back_at,
    )
