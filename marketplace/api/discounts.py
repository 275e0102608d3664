"""Discounts: what comes off a park's or a tier's prices and invoices."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import discounts as billing
from billing.usecases.discounts import DiscountWish
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Instant, Moment, Name, Paged
from marketplace.usecases import discounts as use_cases
from tenants.kernel.vocabulary import Tier

discounts = noun("discounts", "What comes off prices and invoices.")


class NewDiscount(Body):
    """For one park or one tier; a share or an amount; off one offering's price, before any subsidy, or (``offering`` empty)
    off what the park itself has to pay of the invoices of months whose last day lies in the window.
    """

    park_id: UUID | None = None
    tier: Tier | None = None
    offering: Annotated[str, Field(max_length=64)] = ""
    rate_bp: Annotated[int, Field(strict=True)] | None = None
    amount_fen: Fen | None = Field(None, description="Once an order line, or once an invoice")
    valid_from: Instant
    valid_to: Instant
    reason: Name


class Discount(Answer):
    """A discount: asked for by one person, above the limits (``by_two``) decided by another."""

    id: UUID
    park_id: UUID | None
    park_name: str
    tier: str | None
    offering: str
    rate_bp: int | None
    amount_fen: Amount | None
    valid_from: Moment
    valid_to: Moment
    reason: str
    status: str = Field(description="asked, in_force, refused or ended")
    by_two: bool
    asked_at: Moment
    decided_at: Moment | None
    ended_at: Moment | None
    counts: bool = Field(description="Whether it counts now")


class Discounts(Answer):
    """Discounts, newest first, a part of the list."""

    items: list[Discount]
    next_cursor: str | None = None


class DiscountQuery(Paged):
    """Whose."""

    park_id: UUID | None = Field(None, description="For staff: those that concern one park")


@discounts.post("/discounts", **call(Discount, status=201))
def ask_discount(body: NewDiscount, header: Idempotent) -> Response:
    """Put a discount in force; above what one person may grant, and for a tier, it waits as ``asked`` for another one."""
    wish = DiscountWish(**dict(body))
    return command(
        "discount.ask", header, body, lambda work: Discount.of(use_cases.ask_discount(work, wish=wish)), status=201
    )


@discounts.get("/discounts", **call(Discounts))
def list_discounts(query: DiscountQuery) -> Response:
    """List discounts; a park sees its own and its tier's that are or were in force."""
    return read(Discounts, lambda work: billing.list_discounts(work, **query.model_dump()))


@discounts.post("/discounts/<id>/approval", **call(Discount))
def approve_discount(path: ById, header: Idempotent) -> Response:
    """Put a discount in force that another person asked for."""
    return command(
        "discount.approve",
        header,
        None,
        lambda work: Discount.of(billing.approve_discount(work, discount_id=path.id)),
        about={"id": str(path.id)},
    )


@discounts.post("/discounts/<id>/refusal", **call(Discount))
def refuse_discount(path: ById, header: Idempotent) -> Response:
    """Refuse a discount that was asked for."""
    return command(
        "discount.refuse",
        header,
        None,
        lambda work: Discount.of(billing.refuse_discount(work, discount_id=path.id)),
        about={"id": str(path.id)},
    )


@discounts.post("/discounts/<id>/end", **call(Discount))
def end_discount(path: ById, header: Idempotent) -> Response:
    """End a discount now; what was ordered or issued with it stays."""
    return command(
        "discount.end",
        header,
        None,
        lambda work: Discount.of(billing.end_discount(work, discount_id=path.id)),
        about={"id": str(path.id)},
    )
