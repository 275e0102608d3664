"""Slots that are refused, with the nearest that is not; and buffers between bookings."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateways.workdays import is_workday
from services.rules.slots import MOST_SLOTS, NEARBY_DAYS, Hours, check_span, nearest_start
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import Message

HOURS = Hours(9, 17, 120)
NOW = datetime(2026, 4, 30, 10, 30, tzinfo=CHINA)  # a Thursday before the holidays of 1 to 5 May


def at(day: int, hour: int = 9, month: int = 5) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=CHINA)


@pytest.mark.parametrize(
    ("starts_at", "slots", "code", "nearest"),
    [
        (at(29, month=4), 1, "slot.past", "2026-04-30 11:00"),
        (at(2), 1, "slot.closed_day", "2026-04-30 15:00"),
        (at(4), 2, "slot.closed_day", "2026-05-06 09:00"),
        (at(7, 20), 1, "slot.outside_hours", "2026-05-07 15:00"),
        (at(7, 12), 1, "slot.off_grid", "2026-05-07 11:00"),
        (at(7, 15), 3, "slot.past_closing", "2026-05-07 11:00"),
    ],
)
def test_a_refusal_names_the_nearest_start_of_that_length(
    starts_at: datetime, slots: int, code: str, nearest: str
) -> None:
    with pytest.raises(Invalid) as refused:
        check_span(HOURS, starts_at, slots, NOW, is_workday)
    assert refused.value.code == code
    assert str(refused.value.message).endswith(f"最近可预约的开始时间是 {nearest}。")


def test_a_length_that_no_start_allows_is_told_by_itself() -> None:
    for slots, code in ((1, "slot.too_short"), (4, "slot.too_long")):
        with pytest.raises(Invalid) as refused:
            check_span(Hours(9, 17, 120, min_slots=2, max_slots=3), at(7), slots, NOW, is_workday)
        assert refused.value.code == code
        assert "最近" not in str(refused.value.message)


def test_notice_counts_to_the_minute() -> None:
    hours = Hours(9, 17, 120, min_notice_minutes=150)
    assert check_span(hours, at(30, 13, 4), 1, NOW, is_workday) == at(30, 15, 4)
    with pytest.raises(Invalid) as refused:
        check_span(hours, at(30, 11, 4), 1, NOW, is_workday)
    assert refused.value.code == "slot.too_soon"
    assert "2026-04-30 13:00" in str(refused.value.message)


def _calendar_of_april(day: date) -> bool:
    if day.month > 4:
        raise Invalid("slot.no_calendar", Message("unknown"))
    return is_workday(day)


def test_days_without_a_calendar_are_never_proposed() -> None:
    assert nearest_start(HOURS, at(3), NOW, _calendar_of_april) == at(30, 15, 4)
    assert nearest_start(HOURS, at(20), NOW, _calendar_of_april) is None
    with pytest.raises(Invalid) as refused:
        check_span(HOURS, at(20), 1, NOW, _calendar_of_april)
    assert refused.value.code == "slot.no_calendar"


@given(
    minutes=st.integers(-3 * 1440, 40 * 1440),
    slots=st.integers(1, MOST_SLOTS),
    least=st.integers(1, 4),
    notice=st.integers(0, 5000),
)
def test_what_is_proposed_can_be_booked_and_nothing_is_nearer(
    minutes: int, slots: int, least: int, notice: int
) -> None:
    hours = Hours(9, 17, 120, min_slots=least, min_notice_minutes=notice)
    wanted = NOW + timedelta(minutes=minutes)
    found = nearest_start(hours, wanted, NOW, is_workday)
    assert found is not None
    assert check_span(hours, found, least, NOW, is_workday) == found + least * timedelta(hours=2)
    try:
        check_span(hours, wanted, max(least, min(slots, 4)), NOW, is_workday)
    except Invalid:
        pass
    else:
        assert nearest_start(hours, wanted, NOW, is_workday) == wanted
    reach = timedelta(days=NEARBY_DAYS) + timedelta(minutes=notice + 3 * 1440)
    assert abs(found - wanted) <= reach
