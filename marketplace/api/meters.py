"""Meters, answered as the public OpenMeter v1 client expects, so that its SDKs work unchanged.

Hence names in camelCase, a list that is a plain array, and quantities that are JSON numbers: other calls differ.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import ConfigDict, Field, RootModel

from billing.usecases import usage as use_cases
from marketplace.api.calls import call, noun, show
from marketplace.api.fields import Answer, Instant, Moment, Parameters, PathParameters
from marketplace.doors.current import current_market
from marketplace.doors.identity import working

meters = noun("meters", "Quantities made of usage events.")

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Where a query without ``from`` begins."""
Names = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]


class Meter(Answer):
    """Which events are counted, and how."""

    id: str
    slug: str
    name: str
    eventType: str  # noqa: N815 - the public client's name
    aggregation: str
    valueProperty: str | None  # noqa: N815 - the public client's name
    groupBy: dict[str, str]  # noqa: N815 - the public client's name

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
    windowTimeZone: str = Field("Asia/Shanghai", max_length=64)  # noqa: N815 - the public client's name
    groupBy: Names = Field(default_factory=list)  # noqa: N815 - the public client's name
    subject: Names = Field(default_factory=list)
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


@meters.get("/meters/<slug>/query", **call(MeterAnswer))
def query_meter(path: MeterPath, query: MeterQuestion) -> Response:
    """Ask what a meter counted, in windows and by groups."""
    with working() as work:
        answer = use_cases.query_meter(
            work,
            slug=path.slug,
            from_=query.from_ or BEGINNING,
            to=query.to or current_market().clock.now(),
            window_size=query.windowSize,
            group_by=query.groupBy,
            subject=query.subject,
            timezone=query.windowTimeZone,
            park_id=query.park_id,
        )
    return show(MeterAnswer.model_validate(answer.document()))
