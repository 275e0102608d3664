"""Bringing the roll-ups of meters up to date, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from billing.store import usage
from billing.store.rollup_calls import begin_progress, lock_progress, note_checked, progress_ends, roll
from billing.store.rollups import MeterProgress
from billing.store.settlements import meter_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

PIECE = 50_000
"""About how many events a transaction takes: a second of work, which a kill undoes."""


def meters_to_roll(work: Work) -> tuple[str, ...]:
    """Return the meters that are rolled up, by slug; those that are new begin here."""
    work.actor.require(Permission.RUN_PLATFORM)
    begin_progress(work.session, work.now)
    return tuple(work.session.execute(select(MeterProgress.meter).order_by(MeterProgress.meter)).scalars())


def checking(work: Work) -> Callable[[], None]:
    """Return what notes, once the roll-ups were found to be what their events add up to, how far that is known.

    Ask for it before the check begins: what is rolled up meanwhile is looked at by the next one.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    ends = progress_ends(work.session)
    return lambda: note_checked(work.session, ends)


def roll_up(work: Work, *, slug: str, most: int = PIECE) -> bool:
    """Roll up a piece of a meter's events; tell whether more are waiting. False while another worker does it."""
    work.actor.require(Permission.RUN_PLATFORM)
    locked = lock_progress(work.session, slug)
    if locked is None:
        return False
    row = work.session.execute(select(usage.Meter).where(usage.Meter.slug == slug)).scalar_one()
    return roll(work.session, meter_of(row), *locked, most, work.now).more
