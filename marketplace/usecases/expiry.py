"""Orders that were never delivered: after the time public money may wait, they are cancelled and give it back."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from marketplace.rules.orders import FOLLOW_UP_AFTER
from marketplace.store.order_queries import WaitingLine, waiting_lines
from marketplace.store.orders import OrderLine
from marketplace.usecases.fulfilment import cancel_order
from tenants.kernel.errors import Conflict
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def expire_line(work: Work, *, order_line_id: UUID) -> bool:
    """Cancel the order of an overdue line; False when one of its lines has ended meanwhile, and then nothing changed.

    A refused cancellation has already closed the lines before the one that refused. It is undone here, for the caller
    commits: a line that was closed without its money would hold it for good.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    of_line = select(OrderLine.order_id).where(OrderLine.id == order_line_id)
    order_id = work.session.execute(of_line).scalar_one_or_none()
    if order_id is None:
        return False
    try:
        with work.savepoint():
            cancel_order(work, order_id=order_id, overdue=True)
    except Conflict:
        return False
    return True


def lines_to_follow_up(work: Work, *, limit: int = 1000) -> tuple[WaitingLine, ...]:
    """Return open lines that have waited a while, for a look at whether their delivery has ended without them."""
    work.actor.require(Permission.RUN_PLATFORM)
    return tuple(waiting_lines(work.session, work.now - FOLLOW_UP_AFTER, limit))
