"""Meters, answered as the public OpenMeter v1 client expects, so that its SDKs work unchanged.

Hence names in camelCase, a list that is a plain array, and quantities that are JSON numbers: other calls differ.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response, request
from pydantic import ConfigDict, Field, RootModel, model_validator

from billing.usecases import meter_definitions
from billing.usecases import usage as use_cases
from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Answer, Body, Instant, Moment, Parameters, PathParameters
from marketplace.doors.current import current_market
from marketplace.doors.identity import working

meters = noun("meters", "Quantities made of usage events.")

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Where a query without ``from`` begins."""
Names = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]


Texts = Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=100)]
Tracked = Annotated[
    str | None, Field(max_length=64, description="By what the public client follows a long query: read and not used")
]
_FILTER = re.compile(r"filterGroupBy\[(.*)\]", re.DOTALL)


class Meter(Answer):
    """Which events are counted, and how. ``unit`` is ours: the public client leaves it out of account."""

    id: str
    slug: str
    name: str
    eventType: str  # noqa: N815 - the public client's name
    aggregation: str
    valueProperty: str | None  # noqa: N815 - the public client's name
    groupBy: dict[str, str]  # noqa: N815 - the public client's name
    allowNegative: bool  # noqa: N815 - named as its neighbours are
    unit: str
    archivedAt: Moment | None  # noqa: N815 - named as its neighbours are

    @classmethod
    def of(cls, view: object) -> Meter:
        """Return the answer that shows ``view``, a MeterView."""
        assert isinstance(view, use_cases.MeterView)  # noqa: S101 - for the type checker
        return cls(
            id=view.slug,
            slug=view.slug,
            name=view.name,
            eventType=view.event_type,
            aggregation=view.aggregation.upper(),
            valueProperty=view.value_property,
            groupBy=view.group_by,
            allowNegative=view.allow_negative,
            unit=view.unit,
            archivedAt=view.archived_at,
        )


class Meters(RootModel[list[Meter]]):
    """Meters, by slug."""


class MeterPath(PathParameters):
    """A meter's slug."""

    slug: str = Field(max_length=64)


class MeterQuestion(Parameters):
    """What is asked. A parameter that is not known is refused: a filter that is not applied gives wrong numbers."""

    model_config = ConfigDict(extra="forbid")

    from_: Instant | None = Field(None, alias="from")
    to: Instant | None = None
    windowSize: Literal["MINUTE", "HOUR", "DAY", "MONTH"] | None = None  # noqa: N815 - the public client's name
    windowTimeZone: str = Field("UTC", max_length=64)  # noqa: N815 - the public client's name
    groupBy: Names = Field(default_factory=list)  # noqa: N815 - the public client's name
    subject: Names = Field(default_factory=list)
    filterGroupBy: dict[str, Annotated[str, Field(max_length=200)]] = Field(  # noqa: N815 - the public client's name
        default_factory=dict,
        max_length=20,
        description="filterGroupBy[name]=value: only events of this value; a name given again, of any of its values",
    )
    clientId: Tracked = None  # noqa: N815 - the public client's name
    park_id: UUID | None = Field(None, description="For staff: one park's use")

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, given: Any) -> Any:
        """Gather the parts of ``filterGroupBy``: a query has a parameter for each of its names."""
        if not isinstance(given, dict):
            return given
        found = {name: _FILTER.fullmatch(name) for name in given}
        plain = {name: value for name, value in given.items() if found[name] is None}
        filters = {part[1]: given[name] for name, part in found.items() if part is not None}
        return plain | ({"filterGroupBy": filters} if filters else {})


class MeterQuery(Body):
    """The same question where it is too long for an address."""

    from_: Instant | None = Field(None, alias="from")
    to: Instant | None = None
    windowSize: Literal["MINUTE", "HOUR", "DAY", "MONTH"] | None = None  # noqa: N815 - the public client's name
    windowTimeZone: str = Field("UTC", max_length=64)  # noqa: N815 - the public client's name
    groupBy: Names = Field(default_factory=list)  # noqa: N815 - the public client's name
    subject: Names = Field(default_factory=list)
    filterGroupBy: dict[str, Texts] = Field(default_factory=dict, max_length=20)  # noqa: N815 - the public client's name
    clientId: Tracked = None  # noqa: N815 - the public client's name
    park_id: UUID | None = Field(None, description="For staff: one park's use")


class MeterRow(Answer):
    """A quantity in one window, for one group."""

    value: int | float
    windowStart: Moment  # noqa: N815 - the public client's name
    windowEnd: Moment  # noqa: N815 - the public client's name
    subject: str | None
    groupBy: dict[str, str | None]  # noqa: N815 - the public client's name


class MeterAnswer(Answer):
    """Windows and groups in which something was counted."""

    from_: Moment = Field(alias="from")
    to: Moment
    windowSize: str | None  # noqa: N815 - the public client's name
    data: list[MeterRow]


@meters.get("/meters", **call(Meters))
def list_meters() -> Response:
    """List the meters."""
    with working() as work:
        return show(Meters([Meter.of(each) for each in use_cases.list_meters(work)]))


class NewMeter(Body):
    """A meter to be made, as the public client writes it."""

    slug: str = Field(max_length=64)
    eventType: str = Field(max_length=64)  # noqa: N815 - the public client's name
    aggregation: str = Field(max_length=20)
    valueProperty: str | None = Field(None, max_length=200)  # noqa: N815 - the public client's name
    groupBy: dict[str, str] = Field(default_factory=dict, max_length=20)  # noqa: N815 - the public client's name
    filters: dict[str, list[str]] = Field(default_factory=dict, max_length=20)
    name: str = Field("", max_length=200)
    description: str = Field("", max_length=200, description="The name, as the public client calls it")
    allowNegative: bool = True  # noqa: N815 - named as its neighbours are
    unit: str = Field("", max_length=32, description="What quantities are shown in, such as kWh")


@meters.post("/meters", **call(Meter, status=201))
def create_meter(body: NewMeter) -> Response:
    """Make a meter. It counts the events that are there already; its definition is never edited."""
    definition = {
        "slug": body.slug,
        "event_type": body.eventType,
        "aggregation": body.aggregation.lower(),
        "value_property": body.valueProperty,
        "group_by": body.groupBy,
        "filters": body.filters,
    }
    with working() as work:
        made = meter_definitions.create_meter(
            work,
            definition=definition,
            name=body.name or body.description,
            allow_negative=body.allowNegative,
            unit=body.unit,
        )
        return show(Meter.of(made), 201)


@meters.get("/meters/<slug>", **call(Meter))
def read_meter(path: MeterPath) -> Response:
    """Read a meter, also one that was laid down."""
    return read(Meter, lambda work: meter_definitions.read_meter(work, slug=path.slug))


@meters.delete("/meters/<slug>", **call(status=204))
def archive_meter(path: MeterPath) -> Response:
    """Lay a meter down: it is not listed any more; what it counted can still be asked."""
    with working() as work:
        meter_definitions.archive_meter(work, slug=path.slug)
    return Response(status=204)


@meters.get("/meters/<slug>/query", **call(MeterAnswer))
def query_meter(path: MeterPath, query: MeterQuestion) -> Response:
    """Ask what a meter counted, in windows and by groups."""
    only = {name: request.args.getlist(f"filterGroupBy[{name}]") for name in query.filterGroupBy}
    return _answer(path.slug, query, only)


@meters.post("/meters/<slug>/query", **call(MeterAnswer))
def query_meter_at_length(path: MeterPath, body: MeterQuery) -> Response:
    """Ask the same with a body, as the public client does for long filters; nothing is changed by it."""
    return _answer(path.slug, body, body.filterGroupBy)


def _answer(slug: str, asked: MeterQuestion | MeterQuery, only: dict[str, list[str]]) -> Response:
    with working() as work:
        answer = use_cases.query_meter(
            work,
            slug=slug,
            from_=asked.from_ or BEGINNING,
            to=asked.to or current_market().clock.now(),
            window_size=asked.windowSize,
            group_by=asked.groupBy,
            subject=asked.subject,
            filter_group_by=only,
            timezone=asked.windowTimeZone,
            park_id=asked.park_id,
        )
    return show(MeterAnswer.model_validate(answer.document()))
