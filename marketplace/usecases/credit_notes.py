"""Credit notes, where an invoice line meets the order and the provider that delivered it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from billing.usecases import credit_notes
from billing.usecases.credit_note_views import CreditNoteView
from billing.usecases.credit_notes import CreditWish, Delivered
from billing.usecases.return_views import returns_by_line
from marketplace.store.order_queries import line_with_order, locked_order
from marketplace.usecases.returns import subject_of
from services.usecases import catalogue
from services.usecases.lead_repeats import end_free_repeats
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def ask_credit_note(work: Work, *, wish: CreditWish) -> CreditNoteView:
    """Issue a credit note; above what one person may issue it waits for another one.

    Raises as ``billing.usecases.credit_notes`` and ``returns`` do.
    """
    work.actor.require(Permission.RETURN_DELIVERY)
    asked = credit_notes.ask_credit_note(work, wish=wish)
    if asked.by_two:
        return credit_notes.read_credit_note(work, note_id=asked.id)
    return _issue(work, asked.id, asked.order_line_ids)


def approve_credit_note(work: Work, *, note_id: UUID) -> CreditNoteView:
    """Issue a credit note that another person asked for."""
    work.actor.require(Permission.RETURN_DELIVERY)
    asked = credit_notes.lock_asked(work, note_id=note_id)
    return _issue(work, asked.id, asked.order_line_ids)


def _issue(work: Work, note_id: UUID, order_line_ids: Collection[UUID]) -> CreditNoteView:
    issued = credit_notes.issue_credit_note(work, note_id=note_id, deliveries=_deliveries(work, order_line_ids))
    found = returns_by_line(work, order_line_ids=order_line_ids)
    gone = [line_id for line_id, made in found.items() if any(each.whole for each in made)]
    end_free_repeats(work, order_line_ids=gone)
    return issued


def _deliveries(work: Work, order_line_ids: Collection[UUID]) -> dict[UUID, Delivered]:
    """Lock the orders, which are the locks of what becomes of their lines, and tell who delivered each line; what is no
    order's line, such as a subscription's fee, has no provider.
    """
    pairs = {line_id: line_with_order(work.session, line_id) for line_id in order_line_ids}
    found = {line_id: pair for line_id, pair in pairs.items() if pair is not None}
    for order_id in sorted({order.id for _, order in found.values()}):
        locked_order(work.session, order_id)
    return {
        line_id: Delivered(catalogue.read_offering(work, slug=line.offering).provider_id, subject_of(order, line))
        for line_id, (line, order) in found.items()
    }
