"""What the province sees: public money on its way, parks served, and what renting costs beside building."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.usecases import funds, programmes
from marketplace.rules.statistics import Facts, Filters, GroupBy, ParkFact, ServiceFact, Sums, summarise
from marketplace.store import statistics_queries
from services.usecases import catalogue
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.regions import regions
from tenants.usecases.profiles import list_profiles

LONGEST = timedelta(days=10 * 366)


@dataclass(frozen=True)
class Balances:
    """All funds together, now."""

    appropriated_fen: int
    available_fen: int
    held_fen: int
    captured_fen: int
    disbursed_fen: int
    returned_fen: int


@dataclass(frozen=True)
class Labels:
    """Names of programmes and services, for those who show groups."""

    programmes: tuple[programmes.ProgrammeView, ...]
    services: tuple[catalogue.OfferingView, ...]


@dataclass(frozen=True)
class Statistics:
    """A period's sums: over all, in the course of its months, and by each of the asked groupings."""

    from_: datetime
    to: datetime
    filters: Filters
    balances: Balances
    total: Sums
    months: tuple[statistics_queries.MonthSums, ...]
    groups: dict[GroupBy, tuple[Sums, ...]]
    labels: Labels


def read_statistics(
    work: Work, *, from_: datetime, to: datetime, group_by: Sequence[GroupBy], filters: Filters | None = None
) -> Statistics:
    """Return the sums of what was reserved, delivered and paid out from ``from_`` until just before ``to``.

    The facts are read once, however many groupings are asked; at least one is. Raises Invalid for an empty or endless period and for a
    region that does not exist.
    """
    work.actor.require(Permission.READ_FUND)
    filters = filters or Filters()
    _check(from_, to, filters)
    services = catalogue.list_offerings(work)
    by_month = GroupBy.MONTH in group_by
    facts = Facts(
        parks=[ParkFact(each.id, each.region_code, each.size, each.verified) for each in list_profiles(work)],
        services=[ServiceFact(each.slug, each.tier, each.build_cost_fen) for each in services],
        aid=statistics_queries.aid(work.session, from_, to, by_month=by_month),
        deliveries=statistics_queries.deliveries(work.session, from_, to, by_month=by_month),
        payouts=statistics_queries.payouts(work.session, from_, to),
    )
    prefix = Filters(filters.programme, _prefix(filters.region), filters.tier, filters.service)
    labels = Labels(tuple(programmes.list_programmes(work)), services)
    months = _months(work, from_, to, prefix, services)
    summed = {each: summarise(facts, each, prefix) for each in group_by}
    total = next(iter(summed.values()))[0]
    groups = {each: rows for each, (_, rows) in summed.items()}
    return Statistics(from_, to, filters, _balances(work), total, months, groups, labels)


def _months(
    work: Work, from_: datetime, to: datetime, filters: Filters, services: Sequence[catalogue.OfferingView]
) -> tuple[statistics_queries.MonthSums, ...]:
    """Return the course of the months, summed by the database: a year of them by park would be much to carry."""
    chosen = [
        each.slug for each in services if filters.tier in {"", each.tier.value} and filters.service in {"", each.slug}
    ]
    wanted = chosen if filters.tier or filters.service else None
    return tuple(
        statistics_queries.aid_by_month(
            work.session, from_, to, programme=filters.programme, region=filters.region, services=wanted
        )
    )


def _balances(work: Work) -> Balances:
    found = funds.list_funds(work)
    return Balances(*(sum(getattr(fund, name) for fund in found) for name in Balances.__dataclass_fields__))


def _prefix(region: str) -> str:
    """Return the digits that the codes within a division begin with."""
    while region.endswith("00"):
        region = region[:-2]
    return region


def _check(from_: datetime, to: datetime, filters: Filters) -> None:
    if from_ >= to or to - from_ > LONGEST:
        order = msg("开始时间须早于结束时间，且相隔不超过十年。请改正。")
        raise Invalid("statistics.period", order, errors=[FieldError("from", "statistics.period", order)])
    if filters.region and filters.region not in regions():
        unknown = msg("没有代码为 {code} 的行政区划。请填写六位区划代码，例如 510104。", code=filters.region[:20])
        raise Invalid("park.unknown_region", unknown, errors=[FieldError("region", "park.unknown_region", unknown)])
