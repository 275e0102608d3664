"""iCalendar files (RFC 5545), as small as calendars need them: events in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_LONGEST_LINE = 75
"""Octets of a line before it must be folded (RFC 5545, 3.1)."""


@dataclass(frozen=True)
class CalendarEntry:
    """One event, half-open. The same ``uid`` with a later ``changed_at`` updates what a calendar has."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    title: str
    description: str = ""
    cancelled: bool = False


def render_calendar(entries: Iterable[CalendarEntry]) -> bytes:
    """Return a calendar of ``entries``."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Park Technology Marketplace//Bookings//ZH",
        "CALSCALE:GREGORIAN",
    ]
    for entry in entries:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{entry.uid}",
            f"DTSTAMP:{_moment(entry.changed_at)}",
            f"DTSTART:{_moment(entry.starts_at)}",
            f"DTEND:{_moment(entry.ends_at)}",
            f"SUMMARY:{_escape(entry.title)}",
            *([f"DESCRIPTION:{_escape(entry.description)}"] if entry.description else []),
            f"STATUS:{'CANCELLED' if entry.cancelled else 'CONFIRMED'}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return b"".join(_fold(line) for line in lines)


def _moment(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escape(text: str) -> str:
    """Escape a TEXT value (RFC 5545, 3.3.11); a carriage return has no escape and would begin a new property."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "".join(char for char in plain.replace("\n", "\\n") if char >= " " or char == "\t")


def _fold(line: str) -> bytes:
    """Return the line's octets, folded without cutting a character in two."""
    folded, room = b"", _LONGEST_LINE
    for char in line:
        octets = char.encode()
        if len(octets) > room:
            folded, room = folded + b"\r\n ", _LONGEST_LINE - 1
        folded, room = folded + octets, room - len(octets)
    return folded + b"\r\n"
