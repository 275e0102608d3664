"""A park's use of a period: by service, day and person, beside what building would have cost, and where it is heading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.rules.meters import plain
from billing.rules.periods import DEFAULT_ZONE, local_day, start_of_day
from billing.usecases import usage as billing
from marketplace.rules.usage_forecast import WINDOW_DAYS, UsageForecast, forecast
from marketplace.store.usage_queries import UsageFact, first_use, usage_facts
from services.usecases import catalogue
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import add_months
from tenants.usecases import people

PERSON = "person"
OTHERS = "others"
"""The key of what other people ordered, for those who may not know who."""
LONGEST_DAYS = 10 * 366


@dataclass(frozen=True)
class UsedSum:
    """What came together under one key. ``build_cost_fen`` counts each used service once, None where it makes no sense.

    The key is an offering, a day (``2026-03-02``), or the id of who ordered (``others`` where that is not told, empty
    where nobody ordered).
    """

    key: str
    deliveries: int
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    build_cost_fen: int | None
    returned_fen: int = 0
    """What of the list price was taken back since; the other amounts are without it."""

    @property
    def quantity_text(self) -> str:
        """Return the quantity as people write it."""
        return plain(self.quantity)


@dataclass(frozen=True)
class UsageReport:
    """A period, the one before it, and the sums; ``previous`` reaches as far into its period as today does into this one.

    ``names`` are those of the people whose ids are keys of ``by_person``.
    """

    start: date
    end: date
    previous_start: date
    previous_end: date
    total: UsedSum
    previous: UsedSum
    by_offering: tuple[UsedSum, ...]
    by_day: tuple[UsedSum, ...]
    by_person: tuple[UsedSum, ...]
    names: dict[str, str]
    forecast: UsageForecast | None

    @property
    def last_compared(self) -> date:
        """Return the last day of the period before that is compared."""
        return self.previous_end - timedelta(days=1)


@dataclass(frozen=True)
class NamedSum:
    """A sum as the API lists it; ``name`` is that of the person or None."""

    key: str
    name: str | None
    deliveries: int
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    returned_fen: int


def read_report(
    work: Work, *, start: date, end: date, offering: str = "", person: UUID | None = None, park_id: UUID | None = None
) -> UsageReport:
    """Return a park's use from the day ``start`` until before the day ``end``, of one service or one person if asked.

    The acting park's, for staff that of ``park_id``. Raises Invalid for an empty or overlong period.
    """
    work.actor.require(Permission.READ_USAGE)
    park = work.actor.tenant_id or park_id or work.actor.require_tenant()
    _check(start, end)
    today = local_day(work.now, DEFAULT_ZONE)
    before, until = _previous(start, end, today)
    builds = {each.slug: each.build_cost_fen for each in catalogue.list_offerings(work)}
    reach = _reach(work)

    def facts(first: date, last: date) -> list[UsageFact]:
        found = usage_facts(work.session, _at(first), _at(last), park)
        return [
            fact for fact in found if (not offering or fact.offering == offering) and _is_of(fact, person, reach)
        ]  # fmt: skip

    now = facts(start, end)
    recent = facts(today - timedelta(days=WINDOW_DAYS), min(end, today + timedelta(days=1)))
    by_person = _sums(now, lambda fact: _person_key(fact, reach))
    return UsageReport(
        start=start,
        end=end,
        previous_start=before,
        previous_end=until,
        total=_sum("", now, builds),
        previous=_sum("", facts(before, until), builds),
        by_offering=_sums(now, lambda fact: fact.offering, builds),
        by_day=_sums(now, lambda fact: fact.day.isoformat()),
        by_person=by_person,
        names=_names(work, by_person),
        forecast=forecast(
            _spent([*recent, *(fact for fact in now if fact.day < today - timedelta(days=WINDOW_DAYS))]),
            start=start,
            end=end,
            today=today,
            since=first_use(work.session, park),
        ),
    )


def list_usage(
    work: Work, *, from_: datetime, to: datetime, group_by: str = "offering", park_id: UUID | None = None
) -> tuple[NamedSum, ...]:
    """Return what deliveries used in a period cost, by ``offering``, ``day``, ``month``, ``park`` or ``person``.

    A park's own; for staff those of ``park_id`` or of all. Raises Invalid for an unknown grouping or an empty period.
    """
    work.actor.require(Permission.READ_USAGE)
    if group_by != PERSON:
        found = billing.list_usage(work, from_=from_, to=to, group_by=group_by, park_id=park_id)
        return tuple(NamedSum(name=None, **vars(each)) for each in found)
    billing.check_period(from_, to)
    reach = _reach(work)
    facts = usage_facts(work.session, from_, to, work.actor.tenant_id or park_id)
    sums = _sums(facts, lambda fact: _person_key(fact, reach))
    names = _names(work, sums)
    return tuple(
        NamedSum(
            each.key, names.get(each.key), each.deliveries, each.quantity, each.gross_fen, each.subsidy_fen,
            each.payable_fen, each.returned_fen,
        )
        for each in sums
    )  # fmt: skip


def _reach(work: Work) -> UUID | None:
    """Return whose orders alone the acting person may know by name; None for everybody's.

    Who ordered what is for those who read a park's invoices; others see themselves, and all the rest as one.
    """
    knows_all = work.actor.tenant_id is None or work.actor.may(Permission.READ_INVOICE)
    return None if knows_all else work.actor.require_person()


def _is_of(fact: UsageFact, person: UUID | None, reach: UUID | None) -> bool:
    return person is None or (fact.person == person and reach in {None, person})


def _person_key(fact: UsageFact, reach: UUID | None) -> str:
    if fact.person is None:
        return ""
    return str(fact.person) if reach in {None, fact.person} else OTHERS


def _names(work: Work, sums: Iterable[UsedSum]) -> dict[str, str]:
    wanted = [UUID(each.key) for each in sums if each.key not in {"", OTHERS}]
    return {str(who): name for who, name in people.colleague_names(work, user_ids=wanted).items()}


def _sums(
    facts: Iterable[UsageFact], key: Callable[[UsageFact], str], builds: dict[str, int] | None = None
) -> tuple[UsedSum, ...]:
    groups: dict[str, list[UsageFact]] = {}
    for fact in facts:
        groups.setdefault(key(fact), []).append(fact)
    return tuple(_sum(name, groups[name], builds) for name in sorted(groups))


def _sum(key: str, facts: Sequence[UsageFact], builds: dict[str, int] | None = None) -> UsedSum:
    used = {fact.offering for fact in facts}
    return UsedSum(
        key=key,
        deliveries=sum(fact.deliveries for fact in facts),
        quantity=sum((fact.quantity for fact in facts), Decimal(0)),
        gross_fen=sum(fact.gross_fen for fact in facts),
        subsidy_fen=sum(fact.subsidy_fen for fact in facts),
        payable_fen=sum(fact.payable_fen for fact in facts),
        build_cost_fen=None if builds is None else sum(builds.get(each, 0) for each in used),
        returned_fen=sum(fact.returned_fen for fact in facts),
    )


def _spent(facts: Iterable[UsageFact]) -> dict[date, int]:
    spent: dict[date, int] = {}
    for fact in facts:
        spent[fact.day] = spent.get(fact.day, 0) + fact.payable_fen
    return spent


def _previous(start: date, end: date, today: date) -> tuple[date, date]:
    """Return the period before: as many months for whole months, else as many days; cut where a running one stands."""
    if start.day == end.day == 1:
        months = (end.year - start.year) * 12 + end.month - start.month
        before = add_months(start, -months, 1)
    else:
        before = start - (end - start)
    if start <= today < end:
        return before, min(start, before + (today - start) + timedelta(days=1))
    return before, start


def _check(start: date, end: date) -> None:
    if not timedelta(0) < end - start <= timedelta(days=LONGEST_DAYS):
        wrong = msg("截止月份不能早于起始月份，且最多十年。请改正。")
        raise Invalid("usage.period", wrong, errors=[FieldError("to", "usage.period", wrong)])


def _at(day: date) -> datetime:
    return start_of_day(day, DEFAULT_ZONE)
