"""A run's local clock, through every turn of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.rules.twin.calendar import make_calendar, make_horizon

ZONES = ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca")


@pytest.mark.parametrize("zone", ZONES)
def test_each_step_has_the_wall_clock_of_its_instant(zone: str) -> None:
    horizon = make_horizon(date(2026, 1, 1), date(2027, 1, 1), 15, zone)
    calendar = make_calendar(horizon)
    step = timedelta(minutes=15)
    local = [(horizon.start + step * n).astimezone(UTC).astimezone(ZoneInfo(zone)) for n in range(horizon.steps)]
    assert np.array_equal(calendar.minute, [moment.hour * 60 + moment.minute for moment in local])
    assert np.array_equal(calendar.month_of_year, [moment.month for moment in local])
    assert [calendar.days[index] for index in calendar.day] == [moment.date() for moment in local]


def test_a_day_skipped_by_moving_the_date_line_is_not_in_the_calendar() -> None:
    calendar = make_calendar(make_horizon(date(2011, 12, 28), date(2012, 1, 2), 60, "Pacific/Apia"))
    assert calendar.horizon.start == datetime(2011, 12, 28, 10, tzinfo=UTC)
    assert date(2011, 12, 30) not in calendar.days
    assert len(calendar.days) == 4
