"""Calendar files, read back by a parser of the format."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.gateways.calendar_files import CalendarEntry, render_calendar
from tenants.kernel.clock import CHINA
from tests.support.calendars import components

ENTRY = CalendarEntry(
    uid="1@booking.marketplace",
    sequence=0,
    starts_at=datetime(2026, 3, 3, 1, tzinfo=UTC),
    ends_at=datetime(2026, 3, 3, 3, tzinfo=UTC),
    changed_at=datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
    title="扫描电镜：检验检测",
    description="断口分析",
)
INSTANTS = st.datetimes(datetime(1995, 1, 1), datetime(2090, 1, 1)).map(  # noqa: DTZ001 - the zone is set next
    lambda each: each.replace(microsecond=0, tzinfo=UTC)
)


def test_times_stand_on_the_clock_of_shanghai_with_its_rules() -> None:
    content = render_calendar([ENTRY])
    (calendar,) = components(content, "VCALENDAR")
    assert (calendar["METHOD"], calendar["VERSION"]) == ("PUBLISH", "2.0")
    (zone,) = components(content, "VTIMEZONE")
    assert zone["TZID"] == "Asia/Shanghai"
    (event,) = components(content)
    assert event["DTSTART"].to_ical() == b"20260303T090000"
    assert event["DTSTART"].params["TZID"] == "Asia/Shanghai"
    assert event["DTSTAMP"].dt == ENTRY.changed_at
    assert (event["SUMMARY"], event["DESCRIPTION"], event["STATUS"]) == (ENTRY.title, "断口分析", "CONFIRMED")


def test_a_cancelled_event_takes_the_place_of_the_one_before() -> None:
    gone = replace(ENTRY, sequence=1, cancelled=True, changed_at=ENTRY.changed_at + timedelta(days=1))
    before, after = (components(render_calendar([each]))[0] for each in (ENTRY, gone))
    assert before["UID"] == after["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after["STATUS"] == "CANCELLED"


@given(
    moments=st.lists(st.tuples(INSTANTS, st.integers(1, 5000)), max_size=4),
    title=st.text(max_size=120),
    description=st.text(max_size=300),
)
def test_whatever_is_written_is_read_back(moments: list[tuple[datetime, int]], title: str, description: str) -> None:
    entries = [
        replace(
            ENTRY, uid=f"{number}@x", title=title, description=description, starts_at=start,
            ends_at=start + timedelta(minutes=minutes),
        )
        for number, (start, minutes) in enumerate(moments)
    ]  # fmt: skip
    content = render_calendar(entries)
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    events = components(content)
    assert [event["UID"] for event in events] == [entry.uid for entry in entries]
    for event, entry in zip(events, entries, strict=True):
        assert event["DTSTART"].dt == entry.starts_at
        assert event["DTEND"].dt == entry.ends_at
        assert event["DTSTART"].dt.tzinfo is not None
        assert event["DTSTART"].dt.astimezone(CHINA).utcoffset() == entry.starts_at.astimezone(CHINA).utcoffset()
