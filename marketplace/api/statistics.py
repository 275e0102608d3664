"""Statistics: public money on its way, parks served, and what renting costs beside building."""

from __future__ import annotations

from typing import Literal

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import download
from marketplace.api.calls import call, noun, show
from marketplace.api.fields import Amount, Answer, Instant, Moment, Parameters
from marketplace.doors.current import current_market
from marketplace.doors.identity import working
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.rules.statistics import Filters, GroupBy
from marketplace.rules.statistics import Sums as SumsView
from marketplace.usecases import statistics as use_cases
from marketplace.web.statistics_tables import table_of
from tenants.kernel.vocabulary import Tier

statistics = noun("statistics", "What the province sees: public money, parks served, renting beside building.")

Groups = Literal["month", "programme", "region", "county", "region_class", "size", "tier", "service"]


class StatisticsQuestion(Parameters):
    """Over which period, summed by what, and what counts."""

    from_: Instant = Field(alias="from")
    to: Instant
    group_by: Groups = Field("region", description="region is the prefecture; tier is the service's")
    programme: str = Field("", max_length=64, description="Only this programme, by slug")
    region: str = Field("", max_length=6, description="Only parks of this division (GB/T 2260), and of those within it")
    tier: Tier | None = Field(None, description="Only services of this tier")
    service: str = Field("", max_length=64, description="Only this offering, by slug")


class StatisticsFile(StatisticsQuestion):
    """The same, as a file."""

    format: Literal["csv", "xlsx"] = "csv"


class Sums(Answer):
    """Of money reserved in the period: applied for, granted (held or spent) and redeemed (spent). Of its deliveries: parks
    served, rent and build cost. Of its payouts: days from the claim to the payout, on average over lines.

    Null where nothing is divided by, and for deliveries of a programme: one delivery may have several.
    """

    key: str
    lines: int
    applied_fen: Amount
    granted_fen: Amount
    redeemed_fen: Amount
    exempted_fen: Amount = Field(description="Of what was granted, under case-by-case decisions")
    parks: int = Field(description="Verified parks of the group; where it does not divide parks, of all that count")
    parks_served: int
    enablement_bp: int | None = Field(description="Parks served of verified parks, basis points")
    deliveries: int | None
    gross_fen: Amount | None
    rent_fen: Amount | None
    build_cost_fen: Amount | None = Field(description="Once for each park and service that was delivered")
    rent_to_build_bp: int | None
    paid_lines: int
    paid_fen: Amount
    payout_days: float | None


class Balances(Answer):
    """All funds together, now."""

    appropriated_fen: Amount
    available_fen: Amount
    held_fen: Amount
    captured_fen: Amount
    disbursed_fen: Amount
    returned_fen: Amount


class Statistics(Answer):
    """A period's sums, over all and by group."""

    from_: Moment = Field(alias="from", validation_alias="from_")
    to: Moment
    group_by: str
    balances: Balances
    total: Sums
    items: list[Sums]
    next_cursor: str | None = None


@statistics.get("/statistics", **call(Statistics))
def read_statistics(query: StatisticsQuestion) -> Response:
    """Sum up a period, for those who may read funds."""
    found = _found(query)
    return show(
        Statistics(
            from_=found.from_,
            to=found.to,
            group_by=query.group_by,
            balances=Balances.of(found.balances),
            total=_sums(found.total),
            items=[_sums(each) for each in found.groups[GroupBy(query.group_by)]],
        )
    )


@statistics.get("/statistics/file", **call(files=(CSV, XLSX)))
def download_statistics(query: StatisticsFile) -> Response:
    """Sum up a period as CSV or XLSX, in the caller's language; money in yuan."""
    table = table_of(_found(query), GroupBy(query.group_by))
    if query.format == "xlsx":
        return download(f"statistics-{query.group_by}.xlsx", XLSX, xlsx_file(table, current_market().clock.now()))
    return download(f"statistics-{query.group_by}.csv", CSV, csv_file(table))


def _found(query: StatisticsQuestion) -> use_cases.Statistics:
    filters = Filters(query.programme, query.region, query.tier or "", query.service)
    with working() as work:
        return use_cases.read_statistics(
            work, from_=query.from_, to=query.to, group_by=[GroupBy(query.group_by)], filters=filters
        )


def _sums(view: SumsView) -> Sums:
    return Sums.of(view)
