"""Where use has come after its month began to be charged, noted by the step that rolls it up.

A step and the charging of a month keep each other out at the row of the meter's progress. So what a step rolls up was
either seen when the month was charged, or is noted here; events that were seen and rolled up later are noted too, and
come to nothing more when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, String, Uuid, cast, func, literal, select, union
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.orm import Session

from billing.rules.meters import Meter
from billing.rules.periods import DEFAULT_ZONE, parse_month
from billing.store.meter_readings import transaction
from billing.store.metered import LateUsage, MeteredMonth
from billing.store.usage import UsageEvent


def note_late(session: Session, meter: Meter, first: int, upto: int, days: Sequence[tuple[UUID, datetime]]) -> None:
    """Note the parks and months that have begun to be charged, among the events of the transactions from ``first`` until
    before ``upto`` and the ``days`` (park and start) of which an event was corrected.
    """
    begun = session.execute(select(MeteredMonth.period).where(MeteredMonth.meter == meter.slug)).scalars().all()
    if not begun:
        return
    last = parse_month(max(begun))
    assert last is not None, "the database has checked it"  # noqa: S101 - for the type checker
    new = select(UsageEvent.tenant_id, _month(UsageEvent.time)).where(
        UsageEvent.type == meter.event_type,
        UsageEvent.written_in >= transaction(first),
        UsageEvent.written_in < transaction(upto),
        UsageEvent.time < last.end,
    )
    touched = union(new, _corrected(days)).subquery() if days else new.distinct().subquery()
    rows = select(
        touched.c.tenant_id, literal(meter.slug), touched.c.period, literal(1), literal(0)
    ).where(touched.c.period.in_(begun))  # fmt: skip
    noting = insert(LateUsage).from_select(["tenant_id", "meter", "period", "noted", "seen"], rows)
    session.execute(
        noting.on_conflict_do_update(constraint="pk_late_usage", set_={"noted": LateUsage.noted + 1})
    )  # fmt: skip


def _corrected(days: Sequence[tuple[UUID, datetime]]) -> Select[Any]:
    parks = cast([park for park, _ in days], ARRAY(Uuid))
    starts = cast([start for _, start in days], ARRAY(TIMESTAMP(timezone=True)))
    rows = func.unnest(parks, starts).table_valued("tenant_id", "start", name="days").render_derived()
    return select(rows.c.tenant_id, _month(rows.c.start))


def _month(moment: Any) -> ColumnElement[str]:
    zone, form = literal(DEFAULT_ZONE, literal_execute=True), literal("YYYY-MM", literal_execute=True)
    return cast(func.to_char(func.timezone(zone, moment), form), String).label("period")
