"""Chinese working days: holidays, and the weekends that are worked in exchange (调休)."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg


def is_workday(day: date) -> bool:
    """Tell whether ``day`` is worked.

    Raises Invalid ``slot.no_calendar`` for a year whose holidays have not been published: a guess would book
    people onto a closed door.
    """
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError as error:
        raise Invalid(
            "slot.no_calendar",
            msg(
                "{year} 年的节假日安排尚未载入，暂不能预约该年的时段。请选择其他年份，或联系平台更新日历。",
                year=day.year,
            ),
        ) from error


def published_exceptions(year: int) -> dict[date, bool] | None:
    """Return the days of ``year`` that are not worked as their week is, and whether they are; None for a year not known."""
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days)]
    try:
        worked = {day: is_workday(day) for day in days}
    except Invalid:
        return None
    return {day: each for day, each in worked.items() if each != (day.weekday() < 5)}
