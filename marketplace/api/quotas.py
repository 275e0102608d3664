"""Quotas: how much of an instrument each park may hold in a week and a month, and what the acting park has left."""

from __future__ import annotations

from datetime import date

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment, Parameters
from marketplace.doors.identity import working
from services.rules.quotas import MOST_BOOKINGS, MOST_HOURS, Quota, QuotaMeasure, QuotaPeriod
from services.usecases import instruments, quota_rules
from services.usecases import quotas as use_cases
from tenants.kernel.clock import CHINA
from tenants.kernel.work import Work

quotas = noun("quotas", "How much of an instrument one park may hold, and what is left of it.")

_UNLIMITED = "Null for no limit"


class QuotaBody(Body):
    """A quota for what is booked or moved from a moment on. A week begins on Monday, in the instrument's zone."""

    week_hours: int | None = Field(None, ge=1, le=MOST_HOURS, strict=True, description=_UNLIMITED)
    week_bookings: int | None = Field(None, ge=1, le=MOST_BOOKINGS, strict=True, description=_UNLIMITED)
    month_hours: int | None = Field(None, ge=1, le=MOST_HOURS, strict=True, description=_UNLIMITED)
    month_bookings: int | None = Field(None, ge=1, le=MOST_BOOKINGS, strict=True, description=_UNLIMITED)
    valid_from: Instant | None = Field(None, description="Null for now; never before")


class QuotaLimits(Answer):
    """The limits on each park; null is no limit."""

    week_hours: int | None
    week_bookings: int | None
    month_hours: int | None
    month_bookings: int | None


class QuotaVersion(Answer):
    """A version of an instrument's quota."""

    version: int
    valid_from: Moment
    set_at: Moment
    quota: QuotaLimits


class QuotaVersions(Answer):
    """The versions of an instrument's quota, latest first."""

    items: list[QuotaVersion]
    next_cursor: str | None = None


class QuotaUse(Answer):
    """What of one limit the acting park has used in a week or month, both days included."""

    period: QuotaPeriod
    measure: QuotaMeasure
    first_day: date
    last_day: date
    most: int
    used: int
    left: int


class QuotaUses(Answer):
    """One entry for each limit; empty where there is no quota, or who asks is no park."""

    items: list[QuotaUse]
    next_cursor: str | None = None


class QuotaDay(Parameters):
    """For which day."""

    day: date | None = Field(
        None, ge=date(2000, 1, 1), le=date(2200, 12, 31), description="In the instrument's zone; left out for today"
    )


@quotas.get("/instruments/<id>/quotas", **call(QuotaVersions))
def list_quotas(path: ById) -> Response:
    """List the versions of an instrument's quota."""
    with working() as work:
        found = quota_rules.list_quotas(work, instrument_id=path.id)
    return show(QuotaVersions(items=[QuotaVersion.of(each) for each in found]))


@quotas.post("/instruments/<id>/quotas", **call(QuotaVersion, status=201))
def set_quota(path: ById, body: QuotaBody, header: Idempotent) -> Response:
    """Set an own instrument's quota for what is booked or moved later; what is booked stays, and counts."""
    quota = Quota(version=0, **body.model_dump(exclude={"valid_from"}))

    def carry_out(work: Work) -> QuotaVersion:
        made = quota_rules.set_quota(work, instrument_id=path.id, quota=quota, valid_from=body.valid_from)
        return QuotaVersion.of(made)

    return command("quota.set", header, body, carry_out, status=201, about={"id": str(path.id)})


@quotas.get("/instruments/<id>/quota-use", **call(QuotaUses))
def read_quota_use(path: ById, query: QuotaDay) -> Response:
    """Read what the acting park has used, and has left, of an instrument's quota in the week and the month of a day."""
    with working() as work:
        found = instruments.read_instrument(work, instrument_id=path.id)
        day = query.day or work.now.astimezone(CHINA).date()
        left = use_cases.quotas_left(work, instrument_ids=[found.id], first=day, last=day)
    return show(QuotaUses(items=[QuotaUse.of(each) for each in left.get(found.id, ())]))
