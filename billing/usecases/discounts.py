"""Discounts: asked for a park or a tier, decided by one person or two, ended, listed.

Finance sets them and is held by limits that the platform's operator sets: up to these one person decides, above them, and
for a whole tier, another one than who asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.discounts import WHOLE_INVOICE
from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.money import MAX_FEN, WHOLE_BP
from billing.store import discounts as store
from billing.store import legal_entities
from billing.store.discounts import DiscountRow
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit, onboarding, subscriptions


@dataclass(frozen=True)
class DiscountWish:
    """Who gets how much off what and when. Of park and tier exactly one, of share and amount exactly one.

    ``offering`` empty means whole invoices: those of the months whose last day lies in the window. An amount comes off
    once an order line, or once an invoice.
    """

    park_id: UUID | None
    tier: Tier | None
    offering: str
    rate_bp: int | None
    amount_fen: int | None
    valid_from: datetime
    valid_to: datetime
    reason: str


@dataclass(frozen=True)
class DiscountView:
    """A discount. ``counts`` tells whether it counts at the moment of asking."""

    id: UUID
    park_id: UUID | None
    park_name: str
    tier: str | None
    offering: str
    rate_bp: int | None
    amount_fen: int | None
    valid_from: datetime
    valid_to: datetime
    reason: str
    status: str
    by_two: bool
    asked_by: UUID
    asked_at: datetime
    decided_at: datetime | None
    ended_at: datetime | None
    counts: bool

    @property
    def is_of_invoices(self) -> bool:
        """Tell whether it comes off whole invoices."""
        return self.offering == WHOLE_INVOICE


def ask_discount(work: Work, *, wish: DiscountWish) -> DiscountView:
    """Put a discount in force, or ask for it where it takes two people.

    It changes no price that was quoted and ordered, and no invoice that was issued. Raises Invalid with every wrong
    field, NotFound for an unknown park.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("park_id", _check_whose, wish)
        faults.take("rate_bp", _check_how_much, wish)
        faults.take("valid_to", _check_window, wish, work.now)
        faults.take("offering", _check_offering, wish.offering)
        faults.take("reason", check_name, wish.reason)
    if wish.park_id is not None:
        onboarding.read_park(work, park_id=wish.park_id)
    discount_id = new_id()
    values = {
        "id": discount_id,
        **{name: value for name, value in vars(wish).items() if name != "reason"},
        "reason": wish.reason.strip(),
        "status": "asked",
        "by_two": _takes_two(work, wish),
        "asked_by": person,
        "asked_at": work.now,
    }
    store.insert_discount(work.session, values)
    audit.record(work, "discount.ask", "discount", discount_id, tenant_id=wish.park_id, offering=wish.offering)
    if not values["by_two"]:
        _decide(work, _asked(work, discount_id), "in_force")
    return _read(work, discount_id)


def approve_discount(work: Work, *, discount_id: UUID) -> DiscountView:
    """Put a discount in force that another person asked for. Raises Conflict when it was decided, or one's own."""
    work.actor.require(Permission.ISSUE_INVOICE)
    row = _asked(work, discount_id)
    if row.asked_by == work.actor.require_person():
        raise Conflict("discount.same_person", msg("该折扣须由两人办理。请由申请人以外的人确认。"))
    _decide(work, row, "in_force")
    return _read(work, discount_id)


def refuse_discount(work: Work, *, discount_id: UUID) -> DiscountView:
    """Refuse a discount that was asked for; who asked may take it back."""
    work.actor.require(Permission.ISSUE_INVOICE)
    _decide(work, _asked(work, discount_id), "refused")
    return _read(work, discount_id)


def end_discount(work: Work, *, discount_id: UUID) -> DiscountView:
    """Let a discount count for nothing from now on; what was ordered or issued with it stays. A repeat changes nothing."""
    work.actor.require(Permission.ISSUE_INVOICE)
    row = store.lock_discount(work.session, discount_id)
    if row is None:
        raise _not_found()
    if row.status != "in_force":
        raise Conflict("discount.not_in_force", msg("该折扣没有生效，无需终止。"))
    if row.ended_at is None:
        row.ended_by, row.ended_at = work.actor.require_person(), work.now
        work.session.flush()
        audit.record(work, "discount.end", "discount", discount_id, tenant_id=row.park_id)
    return _read(work, discount_id)


def list_discounts(
    work: Work, *, park_id: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Page[DiscountView]:
    """Return discounts, newest first: for a park its own and its tier's that are or were in force, for staff those of
    ``park_id`` or all.
    """
    work.actor.require(Permission.READ_INVOICE)
    park = work.actor.tenant_id or park_id
    held = None if park is None else subscriptions.current_subscription(work, park_id=park)
    found = store.discounts_page(
        work.session,
        park_id=park,
        tier=None if held is None else held.tier,
        only_in_force=work.actor.tenant_id is not None,
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    page = page_of(found, limit, lambda row: row, lambda row: (row.asked_at, row.id))
    return Page(_views(work, page.items), page.next_cursor)


def _takes_two(work: Work, wish: DiscountWish) -> bool:
    entity = legal_entities.entity_of(work.session, LEGAL_ENTITY)
    above_share = wish.rate_bp is not None and wish.rate_bp > entity.discount_alone_bp
    above_amount = wish.amount_fen is not None and wish.amount_fen > entity.alone_up_to_fen
    return wish.tier is not None or above_share or above_amount


def _decide(work: Work, row: DiscountRow, status: str) -> None:
    row.status, row.decided_by, row.decided_at = status, work.actor.require_person(), work.now
    work.session.flush()
    audit.record(work, f"discount.{status}", "discount", row.id, tenant_id=row.park_id)


def _asked(work: Work, discount_id: UUID) -> DiscountRow:
    row = store.lock_discount(work.session, discount_id)
    if row is None:
        raise _not_found()
    if row.status != "asked":
        raise Conflict("discount.decided", msg("该折扣已办理。请刷新后查看结果。"))
    return row


def _read(work: Work, discount_id: UUID) -> DiscountView:
    (view,) = _views(work, list(store.discounts_by_id(work.session, [discount_id]).values()))
    return view


def _views(work: Work, rows: Sequence[DiscountRow]) -> tuple[DiscountView, ...]:
    names = onboarding.park_names(work, park_ids={row.park_id for row in rows if row.park_id is not None})
    return tuple(
        DiscountView(
            id=row.id,
            park_id=row.park_id,
            park_name=names.get(row.park_id, "") if row.park_id else "",
            tier=row.tier,
            offering=row.offering,
            rate_bp=row.rate_bp,
            amount_fen=row.amount_fen,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            reason=row.reason,
            status="ended" if row.ended_at else row.status,
            by_two=row.by_two,
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            decided_at=row.decided_at,
            ended_at=row.ended_at,
            counts=row.status == "in_force" and row.ended_at is None and row.valid_from <= work.now < row.valid_to,
        )
        for row in rows
    )


def _check_whose(wish: DiscountWish) -> None:
    if (wish.park_id is None) == (wish.tier is None):
        raise Invalid("discount.whose", msg("请选择一个园区或一个层级，二者选一。"))


def _check_how_much(wish: DiscountWish) -> None:
    if (wish.rate_bp is None) == (wish.amount_fen is None):
        raise Invalid("discount.how_much", msg("请填写折扣比例或金额，二者选一。"))
    if wish.rate_bp is not None and not 0 < wish.rate_bp <= WHOLE_BP:
        raise Invalid("discount.rate", msg("折扣比例须大于零且不超过 100%。请改正。"))
    if wish.amount_fen is not None and not 0 < wish.amount_fen <= MAX_FEN:
        raise Invalid("discount.amount", msg("折扣金额须大于零。请改正。"))


def _check_window(wish: DiscountWish, now: datetime) -> None:
    if not wish.valid_from < wish.valid_to or wish.valid_to <= now:
        raise Invalid("discount.window", msg("截止时间须晚于开始时间和现在。请改正。"))


def _check_offering(offering: str) -> None:
    if len(offering) > 64:
        raise Invalid("discount.offering", msg("请从列表中选择服务，或留空表示整张账单。"))


def _not_found() -> NotFound:
    return NotFound("discount.not_found", msg("没有找到该折扣。请从列表中重新打开。"))
