"""Pure rules of slots, files and industries, by example and by property."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateways.positions import locate
from services.gateways.workdays import is_workday
from services.rules.companies import distance_km
from services.rules.industries import DIVISIONS, division_of
from services.rules.slots import Hours, check_span
from services.usecases.twin_requests import span_of
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Invalid
from tenants.rules.files import LONGEST_NAME, safe_media_type, safe_name
from tenants.rules.regions import regions

HOURS = Hours(9, 17, 60)
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HOURLY = st.integers(0, 27 * 24).map(lambda hours: NOW + timedelta(hours=hours))
MOMENTS = st.integers(0, 27 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))


@given(st.one_of(MOMENTS, HOURLY), st.integers(1, 8))
def test_whatever_may_be_booked_lies_in_the_opening_hours_of_one_working_day(start: datetime, slots: int) -> None:
    try:
        end = check_span(HOURS, start, slots, NOW, is_workday)
    except Invalid:
        return
    local, last = start.astimezone(CHINA), end.astimezone(CHINA)
    assert start > NOW
    assert is_workday(local.date())
    assert local.hour >= 9
    assert (last.hour, last.minute) <= (17, 0)
    assert local.date() == last.date()
    assert end - start == slots * timedelta(hours=1)


def test_a_worked_saturday_is_open_and_a_holiday_is_closed() -> None:
    assert is_workday(date(2026, 2, 14))  # worked for the Spring Festival
    assert not is_workday(date(2026, 10, 1))
    with pytest.raises(Invalid, match=r"slot\.no_calendar"):
        is_workday(date(2099, 1, 5))


@pytest.mark.parametrize(
    "hours", [Hours(9, 9, 60), Hours(-1, 9, 60), Hours(9, 25, 60), Hours(9, 17, 45), Hours(9, 17, 180)]
)
def test_hours_that_do_not_fit_their_slots_are_told(hours: Hours) -> None:
    assert hours.problem() in {"hours", "slot_minutes"}


@given(st.text(max_size=300))
def test_a_safe_name_has_no_folder_and_nothing_invisible(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= LONGEST_NAME
    assert not set(safe) & set('/\\<>:"|?*')
    assert not any(unicodedata.category(char).startswith("C") for char in safe)
    assert not safe.startswith(".")
    assert safe_name(safe) == safe


def test_names_and_kinds_are_kept_where_they_are_harmless() -> None:
    assert safe_name("C:\\用户\\负荷 2025.csv") == "负荷 2025.csv"
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name("a" * 300 + ".csv") == "a" * 116 + ".csv"
    assert safe_name("\u202excod.exe") == "xcod.exe"
    assert safe_name("...") == "file"
    assert safe_media_type("Text/CSV; charset=utf-8") == "text/csv"
    assert safe_media_type("text/html\r\nX: 1") == "application/octet-stream"


def test_industry_codes_of_every_length_find_their_division() -> None:
    assert len(DIVISIONS) == 97
    assert [division_of(code) for code in ("39", "398", "3982", "C39", "a0", "98", "39821", "")] == ["39"] * 4 + [
        None
    ] * 4


def test_every_prefecture_of_the_register_has_a_position() -> None:
    for code in regions():
        place = locate(code)
        assert place is not None, code
        assert 3 < place[0] < 54
        assert 73 < place[1] < 136
    beijing, shanghai = locate("110000"), locate("310000")
    assert beijing is not None
    assert shanghai is not None
    assert 1050 < distance_km(beijing, shanghai) < 1090


def test_period_and_step_of_a_load_file_are_told_from_its_stamps() -> None:
    content = b"time,kw\n2025-01-01T00:00,1\n2025-01-01T00:15,1\n2025-12-31T23:45,1\n"
    assert span_of(content) == {"period": {"from": "2025-01-01", "to": "2026-01-01"}, "step_minutes": 15}
    for unclear in (b"", b"time,kw\n", b"time,kw\nx,1\ny,2\n", b"time,kw\n2025-01-01,1\n2025-01-02,1\n"):
        assert span_of(unclear) == {}
