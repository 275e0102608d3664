"""Joint facilities: who would pay what of a centre that several parks fund. Nothing is kept."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from billing.usecases.alone import settle_document
from marketplace.api.calls import call, noun, show
from marketplace.api.fields import Amount, Answer, Body, Document
from marketplace.doors.identity import working
from tenants.kernel.vocabulary import Permission

cost_sharing = noun("cost_sharing", "Joint facilities: who pays what of a centre that several parks fund.")


class SharingQuestion(Body):
    """An agreement and a year of its use, as the console's settle command takes it."""

    agreement: Document = Field(
        description="capital_fen, life_years, hours, variable_fen_per_hour, shares_bp by park (sum 10000), use_hours by"
        " park, premium_bp, outsider_premium_bp, outsider_hours, reserve_hours"
    )


class ParkShare(Answer):
    """What a year costs a park; ``net_fen`` = its part of the capital + what it pays − what it receives."""

    due_fen: Amount
    net_fen: Amount
    capital_fen: Amount
    received_fen: Amount
    entitlement_hours: float
    lent_hours: float
    borrowed_hours: float


class HourPrices(Answer):
    """Prices of an hour, rounded half up to the fen."""

    inside: Amount
    above: Amount
    outsider: Amount


class Sharing(Answer):
    """A year settled, and what other ways of sharing would give. Nets and ``outsiders_fen`` sum to ``cost_fen``."""

    parks: dict[str, ParkShare]
    prices_fen_per_hour: HourPrices
    outsiders_fen: Amount
    cost_fen: Amount
    alternatives: dict[str, dict[str, Amount]]


@cost_sharing.post("/cost-sharing", **call(Sharing))
def settle(body: SharingQuestion) -> Response:
    """Settle a year of a joint facility. Nothing is kept."""
    with working() as work:
        work.actor.require(Permission.READ_CATALOGUE)
    return show(Sharing.model_validate(settle_document(body.agreement)))
