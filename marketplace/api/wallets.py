"""Wallets: a park's prepaid credit in lots, credit granted by finance, and the warning when little is left."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import alerts
from billing.usecases import wallets as use_cases
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Instant, Moment
from marketplace.doors.identity import working

wallets = noun("wallets", "Prepaid credit of parks, and what parks are told.")


class CreditGrant(Body):
    """Credit that nobody paid for. Lower ``priority`` is used first; without ``expires_at`` it is kept for good."""

    amount_fen: Fen
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    expires_at: Instant | None = None
    priority: Annotated[int, Field(ge=0, le=100)] = 50


class AlertLine(Body):
    """The park is warned when what is available goes below this; 0 for never."""

    below_fen: Fen


class Credit(Answer):
    """A lot of credit and what of it is where."""

    id: UUID
    kind: str
    priority: int
    amount_fen: Amount
    available_fen: Amount
    held_fen: Amount
    spent_fen: Amount
    expired_fen: Amount
    expires_at: Moment | None
    reason: str
    granted_at: Moment


class Entry(Answer):
    """One movement of a wallet."""

    id: UUID
    kind: str
    source_id: UUID
    amount_fen: Amount
    at: Moment


class Wallet(Answer):
    """A wallet: lots with something left in the order of their use, and the latest movements."""

    park_id: UUID
    available_fen: Amount
    held_fen: Amount
    alert_below_fen: Amount
    credits: list[Credit]
    entries: list[Entry]


class Alert(Answer):
    """Something a park is told, with its figures."""

    id: UUID
    kind: str
    detail: dict[str, Any]
    raised_at: Moment


class Alerts(Answer):
    """What nobody has read yet, the latest first."""

    items: list[Alert]
    next_cursor: str | None = None


@wallets.get("/parks/<id>/wallet", **call(Wallet))
def read_wallet(path: ById) -> Response:
    """Read a park's wallet: a park its own, finance any."""
    return read(Wallet, lambda work: use_cases.read_wallet(work, park_id=path.id))


@wallets.post("/parks/<id>/wallet/credits", **call(Wallet, status=201))
def grant_credit(path: ById, body: CreditGrant, header: Idempotent) -> Response:
    """Give a park credit."""
    return command(
        "wallet.grant",
        header,
        body,
        lambda work: Wallet.of(use_cases.grant_credit(work, park_id=path.id, **body.model_dump())),
        status=201,
        about={"park": str(path.id)},
    )


@wallets.post("/wallet/alert", **call(Wallet))
def set_alert(body: AlertLine, header: Idempotent) -> Response:
    """Let the acting park be warned when its wallet runs low."""
    return command(
        "wallet.set_alert", header, body, lambda work: Wallet.of(use_cases.set_alert(work, below_fen=body.below_fen))
    )


@wallets.get("/alerts", **call(Alerts))
def list_alerts() -> Response:
    """List what the acting park was told and nobody has read."""
    with working() as work:
        return show(Alerts(items=[Alert.of(each) for each in alerts.list_alerts(work)]))


@wallets.post("/alerts/<id>/acknowledgement", **call(status=204))
def acknowledge_alert(path: ById) -> Response:
    """Note that it was read."""
    with working() as work:
        alerts.acknowledge_alert(work, alert_id=path.id)
    return Response(status=204)
