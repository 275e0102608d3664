"""iCalendar files (RFC 5545), written by ``icalendar``: times on the clock of Asia/Shanghai, with its rules in the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from icalendar import Calendar, Event, vCalAddress, vText
from icalendar import Timezone as ZoneRules

from tenants.kernel.clock import CHINA

ZONE = "Asia/Shanghai"
REFRESH = timedelta(hours=1)
_PRODUCT = "-//Park Technology Marketplace//Bookings//ZH"


@dataclass(frozen=True)
class Party:
    """Who takes part: a URI, and a name or none."""

    uri: str
    name: str = ""


@dataclass(frozen=True)
class CalendarEntry:
    """One event, half-open. The same ``uid`` with a higher ``sequence`` updates, or cancels, what a calendar has."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    title: str
    description: str = ""
    cancelled: bool = False
    organiser: Party | None = None
    attendee: Party | None = None


def render_calendar(entries: Iterable[CalendarEntry], *, name: str = "", method: str = "PUBLISH") -> bytes:
    """Return a calendar of ``entries``; one with a ``name`` is read again every hour (RFC 7986).

    ``method`` is that of RFC 5546: ``PUBLISH``, or ``REQUEST`` and ``CANCEL`` for an invitation, whose entry names
    organiser and attendee.
    """
    shown = list(entries)
    calendar = Calendar()
    for key, value in (("VERSION", "2.0"), ("PRODID", _PRODUCT), ("CALSCALE", "GREGORIAN"), ("METHOD", method)):
        calendar.add(key, value)
    if name:
        calendar.add("NAME", _plain(name))
        calendar.add("X-WR-CALNAME", _plain(name))
        calendar.add("REFRESH-INTERVAL", REFRESH, parameters={"VALUE": "DURATION"})
    if shown:
        first, last = min(each.starts_at for each in shown), max(each.ends_at for each in shown)
        calendar.add_component(_zone(first.astimezone(CHINA).date(), last.astimezone(CHINA).date()))
    for each in shown:
        calendar.add_component(_event(each))
    content: bytes = calendar.to_ical()
    return content


def _zone(first: date, last: date) -> ZoneRules:
    day = timedelta(days=1)
    return ZoneRules.from_tzid(ZONE, first_date=first - day, last_date=last + day)


def _event(entry: CalendarEntry) -> Event:
    event = Event()
    event.add("UID", entry.uid)
    event.add("SEQUENCE", entry.sequence)
    event.add("DTSTAMP", entry.changed_at)
    event.add("LAST-MODIFIED", entry.changed_at)
    event.add("DTSTART", entry.starts_at.astimezone(CHINA))
    event.add("DTEND", entry.ends_at.astimezone(CHINA))
    event.add("SUMMARY", _plain(entry.title))
    if entry.description:
        event.add("DESCRIPTION", _plain(entry.description))
    if entry.organiser is not None:
        event.add("ORGANIZER", _address(entry.organiser))
    if entry.attendee is not None:
        event.add("ATTENDEE", _address(entry.attendee, ROLE="REQ-PARTICIPANT", PARTSTAT="ACCEPTED"))
    event.add("STATUS", "CANCELLED" if entry.cancelled else "CONFIRMED")
    return event


def _address(party: Party, **parameters: str) -> vCalAddress:
    address = vCalAddress(party.uri)
    name = " ".join(_plain(party.name).split())
    for key, value in (("CN", name), *parameters.items()):
        if value:
            address.params[key] = vText(value)
    return address


def _plain(text: str) -> str:
    """Return the text without control characters: a carriage return has no escape and would begin a new property."""
    one = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in one if char >= " " or char in "\n\t")
