"""Working days: the published calendar, and what an operator recorded before or beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import extract, select, update
from sqlalchemy.dialects.postgresql import insert

from services.gateways.workdays import is_workday, published_exceptions
from services.rules.slots import IsOpen
from services.rules.workdays import FEWEST_CLOSED, FIRST_YEAR, LAST_YEAR, closed_days, missing_days
from services.store.catalogue import Workday, WorkdayYear
from services.usecases.catalogue import refuse_fields
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class WorkdayView:
    """A day that differs from its week, or was recorded; ``recorded`` tells an operator's from the published ones."""

    day: date
    worked: bool
    name: str
    recorded: bool
    recorded_by: UUID | None = None


@dataclass(frozen=True)
class WorkdayYearView:
    """What is known of a year's working days; not ``known``: its slots are refused."""

    year: int
    known: bool
    source: str
    """Where it is known from: empty for what is published with the platform."""
    days: tuple[WorkdayView, ...]


@dataclass(frozen=True)
class RecordedDay:
    """What an operator recorded of a day, and whether it was taken back since; ids are None for the platform itself."""

    day: date
    worked: bool
    name: str
    recorded_by: UUID | None
    recorded_at: datetime
    removed_by: UUID | None
    removed_at: datetime | None
    removed_why: str | None


def working_days(work: Work) -> IsOpen:
    """Return what tells whether a day is worked; it raises Invalid ``slot.no_calendar`` for a year not known.

    A recorded day goes before the published one. A year that is not published counts once an operator has completed
    it: days that are recorded of it before do not make it known.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    recorded, completed = _recorded(work)

    def is_open(day: date) -> bool:
        if day.year in completed:
            return recorded.get(day, day.weekday() < 5)
        published = is_workday(day)
        return recorded.get(day, published)

    return is_open


def usual_days(work: Work) -> IsOpen:
    """Return what tells whether a day is most likely worked, for statistics: by its week where the year is not known."""
    work.actor.require(Permission.READ_CATALOGUE)
    recorded, completed = _recorded(work)

    def is_worked(day: date) -> bool:
        if day in recorded:
            return recorded[day]
        try:
            return day.weekday() < 5 if day.year in completed else is_workday(day)
        except Invalid:
            return day.weekday() < 5

    return is_worked


def _recorded(work: Work) -> tuple[dict[date, bool], set[int]]:
    """Return what is recorded of days and not taken back, and which years are completed."""
    days = work.session.execute(select(Workday.day, Workday.worked).where(Workday.removed_at.is_(None)))
    completed = set(work.session.execute(select(WorkdayYear.year)).scalars())
    return {row.day: row.worked for row in days}, completed


def read_workdays(work: Work, *, year: int) -> WorkdayYearView:
    """Return the days of a year that differ from the week, and whether the year is known."""
    work.actor.require(Permission.READ_CATALOGUE)
    _check_year(year)
    completed = work.session.execute(select(WorkdayYear.source).where(WorkdayYear.year == year)).scalar_one_or_none()
    query = select(Workday).where(extract("year", Workday.day) == year, Workday.removed_at.is_(None))
    own = {
        row.day: WorkdayView(row.day, row.worked, row.name, recorded=True, recorded_by=row.recorded_by)
        for row in work.session.execute(query).scalars()
    }
    published = None if completed is not None else published_exceptions(year)
    days = {day: WorkdayView(day, worked, "", recorded=False) for day, worked in (published or {}).items()} | own
    return WorkdayYearView(
        year,
        completed is not None or published is not None,
        completed or "",
        tuple(days[day] for day in sorted(days)),
    )


def list_recorded(work: Work, *, year: int) -> tuple[RecordedDay, ...]:
    """Return what operators recorded of a year, by its days, those that were taken back among them."""
    work.actor.require(Permission.MANAGE_CATALOGUE)
    _check_year(year)
    names = [each.name for each in fields(RecordedDay)]
    query = select(*(getattr(Workday, name) for name in names)).where(extract("year", Workday.day) == year)
    return tuple(RecordedDay(*row) for row in work.session.execute(query.order_by(Workday.day)))


def record_workday(work: Work, *, day: date, worked: bool, name: str) -> WorkdayView:
    """Say whether one day is worked, whatever is published; said again, it is corrected. Bookings stay as they are."""
    work.actor.require(Permission.MANAGE_CATALOGUE)
    _check_year(day.year)
    refuse_fields(_wrong_name(name))
    _write(work, [(day, worked, name)])
    audit.record(work, "workday.record", "workday", day.isoformat(), worked=worked)
    return WorkdayView(day, worked, name.strip(), recorded=True, recorded_by=work.actor.user_id)


def remove_workday(work: Work, *, day: date, reason: str) -> None:
    """Let a day be what is published, or what its week is, again. Bookings stay as they are.

    Raises Invalid without a reason, Conflict ``workday.not_recorded``, and Conflict ``workday.needed`` for a day off
    without which a completed year would not be complete.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    _check_year(day.year)
    if not reason.strip() or len(reason) > 200:
        refuse_fields({"reason": msg("须为 1 至 {limit} 个字符。", limit=200)})
    completed = select(WorkdayYear.year).where(WorkdayYear.year == day.year).with_for_update()
    if work.session.execute(completed).scalar_one_or_none() is not None:
        _check_needless(work, day)
    statement = (
        update(Workday)
        .where(Workday.day == day, Workday.removed_at.is_(None))
        .values(removed_by=work.actor.user_id, removed_at=work.now, removed_why=reason.strip())
        .returning(Workday.worked)
        .execution_options(synchronize_session=False)
    )
    worked = work.session.execute(statement).scalar_one_or_none()
    if worked is None:
        wrong = msg("{day} 没有登记。请选择日历中有登记标记的日期。", day=day)
        raise Conflict("workday.not_recorded", wrong, errors=[FieldError("day", "workday.not_recorded", wrong)])
    work.session.expire_all()
    audit.record(work, "workday.remove", "workday", day.isoformat(), worked=worked, reason=reason.strip())


def complete_year(work: Work, *, year: int, source: str, days: Sequence[tuple[date, bool, str]]) -> WorkdayYearView:
    """Record a year's days off and shifted workdays from the announcement, and let its slots be booked.

    ``source`` names the announcement. ``days`` come on top of those already recorded. Raises Invalid while the fixed
    holidays are missing or fewer days off are named than the law gives: a guess would book people onto a closed door.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    _check_year(year)
    wrong: dict[str, Message] = {}
    if not source.strip() or len(source) > 500:
        wrong["source"] = msg("须为 1 至 {limit} 个字符。", limit=500)
    for day, _, name in days:
        wrong |= _wrong_name(name)
        if day.year != year:
            wrong["days"] = msg("{day} 不在该年。请核对。", day=day)
    recorded = {row.day: row.worked for row in read_workdays(work, year=year).days}
    worked = recorded | {day: each for day, each, _ in days}
    if missing := missing_days(year, worked):
        wrong.setdefault("days", msg("缺少法定节假日：{days}。请补充。", days="、".join(map(str, missing))))
    elif closed_days(year, worked) < FEWEST_CLOSED:
        wrong.setdefault("days", msg("全年放假日不足 {least} 天，安排不完整。请补充。", least=FEWEST_CLOSED))
    refuse_fields(wrong)
    _write(work, days)
    values = {
        "year": year,
        "source": source.strip(),
        "recorded_by": work.actor.user_id,
        "recorded_at": work.now,
    }
    statement = insert(WorkdayYear).values(values)
    work.session.execute(statement.on_conflict_do_update(index_elements=["year"], set_=values))
    audit.record(work, "workday.complete_year", "workday_year", str(year), source=source.strip())
    return read_workdays(work, year=year)


def _check_needless(work: Work, day: date) -> None:
    """Raise Conflict where a completed year needs the record of ``day``."""
    left = {each.day: each.worked for each in list_recorded(work, year=day.year) if each.removed_at is None}
    was_off = left.pop(day, True) is False
    if was_off and (missing_days(day.year, left) or closed_days(day.year, left) < FEWEST_CLOSED):
        wrong = msg("{year} 年的日历少了 {day} 就不完整。请改为登记正确的安排，不要撤销。", year=day.year, day=day)
        raise Conflict("workday.needed", wrong, errors=[FieldError("day", "workday.needed", wrong)])


def _write(work: Work, days: Sequence[tuple[date, bool, str]]) -> None:
    rows = {
        day: {
            "day": day,
            "worked": worked,
            "name": name.strip(),
            "recorded_by": work.actor.user_id,
            "recorded_at": work.now,
            "removed_by": None,
            "removed_at": None,
            "removed_why": None,
        }
        for day, worked, name in days
    }
    if not rows:
        return
    statement = insert(Workday).values(list(rows.values()))
    taken = {name: statement.excluded[name] for name in next(iter(rows.values())) if name != "day"}
    work.session.execute(statement.on_conflict_do_update(index_elements=["day"], set_=taken))
    work.session.expire_all()


def _wrong_name(name: str) -> dict[str, Message]:
    return {} if name.strip() and len(name) <= 200 else {"name": msg("须为 1 至 {limit} 个字符。", limit=200)}


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid("workday.year", msg("年份须在 {first} 至 {last} 之间。", first=FIRST_YEAR, last=LAST_YEAR))
