"""The calendar of working days by year: everybody who signs in reads it, an operator records days and whole years."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Response, request, url_for

from marketplace.web.pages import day_field, field, given, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.workdays import FIRST_YEAR, LAST_YEAR
from services.usecases import workdays as use_cases
from services.usecases.workdays import WorkdayView, WorkdayYearView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.usecases import people

pages = page_group("workdays")

LONGEST_HOLIDAY = timedelta(days=31)
_DAY = r"\d{4}-\d{2}-\d{2}"
_LINE = re.compile(rf"({_DAY})(?:\s*(?:至|到|~|—|–|to)\s*({_DAY}))?\s+(休|班|off|work)\s+(\S.*)", re.ASCII)
_WORKED = {"休": False, "off": False, "班": True, "work": True}


@dataclass(frozen=True)
class DayCell:
    """A day of the calendar. ``worked`` is None where the year is not known and nobody recorded the day."""

    day: date
    worked: bool | None
    recorded: bool
    name: str

    @property
    def kind(self) -> str:
        """How it looks: a day of its week, or one that differs."""
        if self.worked is None:
            return "unknown"
        weekday = self.day.weekday() < 5
        if self.worked:
            return "on" if weekday else "shifted"
        return "holiday" if weekday else "off"


Month = tuple[int, tuple[tuple[DayCell | None, ...], ...]]


@pages.get("/workdays")
def year() -> Response:
    """Show a year, the running one when none is named."""
    return _page(None)


@pages.post("/workdays")
def change() -> Response:
    """Record the chosen day, or take its record back."""
    try:
        day = day_field("day")
        with page_work() as work:
            if field("do") == "remove":
                use_cases.remove_workday(work, day=day, reason=field("name"))
            else:
                use_cases.record_workday(work, day=day, worked=field("worked") == "1", name=field("name"))
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: "name" if path == "reason" else path))
    return go(url_for("workdays.year", year=day.year))


@pages.post("/workdays/years")
def complete() -> Response:
    """Record a whole year from its announcement."""
    try:
        wanted = _wanted()
        with page_work() as work:
            days = list(announced_days(field("days")))
            use_cases.complete_year(work, year=wanted or work.now.year, source=field("source"), days=days)
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: "days" if path == "name" else path))
    return go(url_for("workdays.year", year=wanted))


def announced_days(text: str) -> Iterator[tuple[date, bool, str]]:
    """Yield the days of an announcement as an operator types it: a line for each span, such as ``2027-02-05 至 2027-02-12 休 春节``.

    Raises Invalid that names the line.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        try:
            first = date.fromisoformat(found[1]) if found else None
            last = date.fromisoformat(found[2]) if found and found[2] else first
        except ValueError:
            first = last = None
        if found is None or first is None or last is None or not timedelta() <= last - first < LONGEST_HOLIDAY:
            wrong = msg("第 {number} 行无法识别。请写成“2027-02-05 至 2027-02-12 休 春节”的形式。", number=number)
            raise Invalid("workday.line", wrong, errors=[FieldError("days", "workday.line", wrong)])
        for each in range((last - first).days + 1):
            yield first + timedelta(days=each), _WORKED[found[3]], found[4].strip()


def months_of(view: WorkdayYearView) -> tuple[Month, ...]:
    """Return a year's months, each in weeks from Monday, with None before its first day and after its last."""
    differing = {each.day: each for each in view.days}
    return tuple((month, tuple(_weeks(view, month, differing))) for month in range(1, 13))


def _weeks(
    view: WorkdayYearView, month: int, differing: Mapping[date, WorkdayView]
) -> Iterator[tuple[DayCell | None, ...]]:
    first = date(view.year, month, 1)
    monday = first - timedelta(days=first.weekday())
    while monday.month == month or monday < first:
        days = (monday + timedelta(days=number) for number in range(7))
        yield tuple(_cell(view, each, differing.get(each)) if each.month == month else None for each in days)
        monday += timedelta(days=7)


def _cell(view: WorkdayYearView, day: date, differing: WorkdayView | None) -> DayCell:
    if differing is not None:
        return DayCell(day, differing.worked, differing.recorded, differing.name)
    return DayCell(day, day.weekday() < 5 if view.known else None, recorded=False, name="")


def _wanted() -> int | None:
    text = request.values.get("year", "")
    return int(text) if re.fullmatch(r"\d{4}", text, re.ASCII) else None


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        today = work.now.astimezone(CHINA).date()
        wanted = min(max(_wanted() or today.year, FIRST_YEAR), LAST_YEAR)
        view = use_cases.read_workdays(work, year=wanted)
        years = {each: use_cases.read_workdays(work, year=each).known for each in _near(wanted)}
        may_record = work.actor.may(Permission.MANAGE_CATALOGUE)
        recorded = use_cases.list_recorded(work, year=wanted) if may_record else ()
        by = {each for row in recorded for each in (row.recorded_by, row.removed_by) if each is not None}
        names = people.person_names(work, user_ids=by) if may_record else {}
    chosen = today if today.year == wanted else date(wanted, 1, 1)
    return show(
        "workdays.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        view=view,
        months=months_of(view),
        years=years,
        may_record=may_record,
        recorded=recorded,
        names=names,
        typed={"day": chosen.isoformat(), "worked": "0"} | (given() if refusal else {}),
    )


def _near(wanted: int) -> range:
    return range(max(FIRST_YEAR, wanted - 1), min(LAST_YEAR, wanted + 1) + 1)
