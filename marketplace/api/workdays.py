"""Working days: what is known of a year, and what an operator records before or beyond the published calendar."""

from __future__ import annotations

from datetime import date

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, Body, Idempotent, Name, Parameters
from services.rules.workdays import FIRST_YEAR, LAST_YEAR
from services.usecases import workdays as use_cases
from tenants.kernel.work import Work

workdays = noun("workdays", "Chinese working days, with what an operator recorded.")


class WorkdayQuery(Parameters):
    """Which year."""

    year: int = Field(ge=FIRST_YEAR, le=LAST_YEAR)


class WorkdayBody(Body):
    """Whether a day is worked, and what it is called."""

    day: date
    worked: bool = Field(strict=True)
    name: Name


class RemovalBody(Body):
    """Which recorded day is taken back, and why."""

    day: date
    reason: Name


class WorkdayAnswer(Answer):
    """A day that differs from its week, or was recorded by an operator."""

    day: date
    worked: bool
    name: str
    recorded: bool


class WorkdayYearBody(Body):
    """A year's announcement: its days off and its weekends that are worked."""

    year: int = Field(ge=FIRST_YEAR, le=LAST_YEAR, strict=True)
    source: str = Field(min_length=1, max_length=500, description="Title and number of the announcement")
    days: list[WorkdayBody] = Field(max_length=100)


class WorkdayYearAnswer(Answer):
    """A year; slots of one that is not known are refused."""

    year: int
    known: bool
    source: str
    days: list[WorkdayAnswer]


@workdays.get("/workdays", **call(WorkdayYearAnswer))
def read_workdays(query: WorkdayQuery) -> Response:
    """Read the days of a year that differ from the week, and whether the year is known."""
    return read(WorkdayYearAnswer, lambda work: use_cases.read_workdays(work, year=query.year))


@workdays.post("/workdays", **call(WorkdayAnswer))
def record_workday(body: WorkdayBody, header: Idempotent) -> Response:
    """Say whether one day is worked, whatever is published (operators)."""
    return command(
        "workday.record",
        header,
        body,
        lambda work: WorkdayAnswer.of(use_cases.record_workday(work, day=body.day, worked=body.worked, name=body.name)),
    )


@workdays.post("/workdays/removals", **call(WorkdayYearAnswer))
def remove_workday(body: RemovalBody, header: Idempotent) -> Response:
    """Take a recorded day back, so that it is what is published again (operators)."""

    def carry_out(work: Work) -> WorkdayYearAnswer:
        use_cases.remove_workday(work, day=body.day, reason=body.reason)
        return WorkdayYearAnswer.of(use_cases.read_workdays(work, year=body.day.year))

    return command("workday.remove", header, body, carry_out)


@workdays.post("/workdays/years", **call(WorkdayYearAnswer))
def complete_year(body: WorkdayYearBody, header: Idempotent) -> Response:
    """Record a year's announcement, so that its slots can be booked (operators)."""
    return command(
        "workday.complete_year",
        header,
        body,
        lambda work: WorkdayYearAnswer.of(
            use_cases.complete_year(
                work,
                year=body.year,
                source=body.source,
                days=[(each.day, each.worked, each.name) for each in body.days],
            )
        ),
    )
