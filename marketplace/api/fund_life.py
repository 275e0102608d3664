"""A fund's life: frozen and let go, closed, watched by thresholds, and how long it will last."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import fund_life as use_cases
from billing.usecases import fund_outlook
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Moment, Parameters, PathParameters
from marketplace.api.funds import Fund, FundReason
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate

fund_life = noun("fund_life", "Funds are frozen, closed, watched and foreseen.")


class FundObstacle(Answer):
    """Something that keeps a fund from being closed: a hold, a claim batch, captured or available money."""

    kind: str
    amount_fen: Amount
    text: str
    id: UUID | None
    envelope: str | None
    order_line_id: UUID | None
    park_id: UUID | None
    period: str | None


class FundObstacles(Answer):
    """What is still open of a fund; empty when it can be closed."""

    items: list[FundObstacle]
    next_cursor: str | None = None


class FundThresholds(Body):
    """When a fund counts as low; null for never."""

    low_share_bp: Annotated[int, Field(strict=True, ge=1, le=9_999)] | None = Field(description="Of what it was given")
    low_days: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(description="Days before it runs out")


class FundAlert(Answer):
    """A fund that crossed a threshold: how it stood then, when it was clear of it again, and who took note."""

    id: UUID
    fund_id: UUID
    kind: str
    threshold: int
    available_fen: Amount
    budget_fen: Amount
    runs_out_on: date | None
    raised_at: Moment
    cleared_at: Moment | None
    acknowledged_by: UUID | None
    acknowledged_at: Moment | None
    note: str | None


class FundAlerts(Answer):
    """Alerts of a fund, newest first."""

    items: list[FundAlert]
    next_cursor: str | None = None


class FundAlertQuery(Parameters):
    """Which alerts."""

    standing: bool = Field(True, description="Only those that still stand; false for all there ever were")


class FundAlertNote(Body):
    """What is going to be done."""

    note: Annotated[str, Field(max_length=200)] = ""


class FundAlertPath(PathParameters):
    """An alert of a fund."""

    id: UUID
    alert_id: UUID


class FundBurnWindow(Answer):
    """Days up to today, their weight in the rate, and what was taken from the fund in them."""

    days: int
    weight: int
    burned_fen: Amount


class FundDayBalance(Answer):
    """What was available at the end of a day."""

    day: date
    available_fen: Amount


class FundOutlook(Answer):
    """How long a fund will last. Rate and day are null, and the basis is empty, when nothing was used in 90 days."""

    fund_id: UUID
    available_fen: Amount
    daily_fen: Amount | None
    days_left: int | None
    runs_out_on: date | None
    basis: list[FundBurnWindow]
    history: list[FundDayBalance]


@fund_life.post("/funds/<id>/freeze", **call(Fund))
def freeze_fund(path: ById, body: FundReason, header: Idempotent) -> Response:
    """Let a fund give nothing from now on."""
    return command(
        "fund.freeze",
        header,
        body,
        lambda work: Fund.of(use_cases.freeze_fund(work, fund_id=path.id, reason=body.reason)),
        about={"fund": str(path.id)},
    )


@fund_life.post("/funds/<id>/unfreeze", **call(Fund))
def unfreeze_fund(path: ById, body: FundReason, header: Idempotent) -> Response:
    """Let a frozen fund give again."""
    return command(
        "fund.unfreeze",
        header,
        body,
        lambda work: Fund.of(use_cases.unfreeze_fund(work, fund_id=path.id, reason=body.reason)),
        about={"fund": str(path.id)},
    )


@fund_life.post("/funds/<id>/closure", **call(Fund))
def close_fund(path: ById, body: FundReason, header: Idempotent) -> Response:
    """End a fund for good; refused with the list of what is still open."""
    return command(
        "fund.close",
        header,
        body,
        lambda work: Fund.of(use_cases.close_fund(work, fund_id=path.id, reason=body.reason)),
        about={"fund": str(path.id)},
    )


@fund_life.get("/funds/<id>/closure", **call(FundObstacles))
def what_keeps_open(path: ById) -> Response:
    """List what keeps a fund from being closed."""
    with working() as work:
        found = [
            FundObstacle(
                kind=each.kind,
                amount_fen=each.amount_fen,
                text=translate(each.text, reader_language()),
                id=each.id,
                envelope=each.envelope,
                order_line_id=each.order_line_id,
                park_id=each.tenant_id,
                period=each.period,
            )
            for each in use_cases.what_keeps_open(work, fund_id=path.id)
        ]
    return show(FundObstacles(items=found))


@fund_life.post("/funds/<id>/thresholds", **call(Fund))
def set_fund_thresholds(path: ById, body: FundThresholds, header: Idempotent) -> Response:
    """Say when a fund counts as low."""
    return command(
        "fund.set_thresholds",
        header,
        body,
        lambda work: Fund.of(fund_outlook.set_thresholds(work, fund_id=path.id, **body.model_dump())),
        about={"fund": str(path.id)},
    )


@fund_life.get("/funds/<id>/outlook", **call(FundOutlook))
def read_fund_outlook(path: ById) -> Response:
    """Read a fund's last 90 days, and the day it is forecast to run out."""
    return read(FundOutlook, lambda work: fund_outlook.read_outlook(work, fund_id=path.id))


@fund_life.get("/funds/<id>/alerts", **call(FundAlerts))
def list_fund_alerts(path: ById, query: FundAlertQuery) -> Response:
    """List the alerts of a fund."""
    with working() as work:
        found = fund_outlook.list_alerts(work, fund_id=path.id, standing=query.standing)
        return show(FundAlerts(items=[FundAlert.of(each) for each in found]))


@fund_life.post("/funds/<id>/alerts/<alert_id>/acknowledgement", **call(FundAlert))
def acknowledge_fund_alert(path: FundAlertPath, body: FundAlertNote, header: Idempotent) -> Response:
    """Take note of an alert."""
    return command(
        "fund_alert.acknowledge",
        header,
        body,
        lambda work: FundAlert.of(fund_outlook.acknowledge_alert(work, alert_id=path.alert_id, note=body.note)),
        about={"fund": str(path.id), "alert": str(path.alert_id)},
    )
