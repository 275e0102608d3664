"""Quotes: what services would cost the park, with every award and its reasons, held for a while."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import quotes as use_cases
from marketplace.api.calls import call, command, noun, show
from marketplace.api.explanations import Explanation
from marketplace.api.fields import Amount, Answer, Body, ById, Document, Idempotent, Moment, Slug
from marketplace.doors.identity import working
from marketplace.doors.service_names import know_services
from marketplace.usecases import checkout
from tenants.kernel.work import Work

quotes = noun("quotes", "What services would cost, and why.")


class LineWish(Body):
    """One wanted service and the document that says what for."""

    offering: Slug
    request: Document = Field(default_factory=dict, description="What the service needs: see the offering's delivery")


class QuoteWish(Body):
    """The services that are wanted together."""

    lines: Annotated[list[LineWish], Field(min_length=1, max_length=20)]
    contract_no: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Number of the contract that the order stands on; one contract is subsidised once",
    )
    hold_slots: bool = Field(
        False, strict=True, description="Hold the inspections' slots for some minutes, to confirm: see /slot-holds"
    )


class ExemptionNote(Answer):
    """The case-by-case decision that an award stands on."""

    id: UUID
    document_no: str
    limit_fen: Amount


class Award(Answer):
    """What one programme pays of one line, from which funds, and why."""

    programme: str
    programme_name: str
    programme_name_en: str
    version: int
    mode: str
    payee: str
    rate_bp: int
    amount_fen: Amount
    by_fund: dict[str, int]
    reasons: list[str]
    exemption: ExemptionNote | None = None


class QuoteLine(Answer):
    """One service at its price."""

    offering: str
    title: str
    quantity: int
    vat_bp: int
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    later_fen: Amount
    included: int = Field(
        description="Units that cost nothing: the park's plan includes them, or they repeat a delivery"
    )
    discount_fen: Amount = Field(description="What they would have cost; gross_fen is without it")
    agreed_discount_fen: Amount = Field(description="What a discount takes off before any subsidy; likewise")
    list_fen: Amount = Field(description="The list price: gross_fen and both of these")
    repeats: UUID | None = Field(description="The park's earlier run with the same answer, delivered again for nothing")
    awards: list[Award]
    explanations: list[Explanation] = Field(
        default_factory=list, description="Why each award is what it is, as things stood when the quote was made"
    )


class Quote(Answer):
    """A price that holds until ``expires_at``; ``later_fen`` is what programmes give back afterwards."""

    id: UUID
    contract_no: str | None
    lines: list[QuoteLine]
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    later_fen: Amount
    created_at: Moment
    expires_at: Moment


def wishes(lines: list[LineWish]) -> list[checkout.LineWish]:
    """Return the lines as the checkout takes them."""
    return [checkout.LineWish(line.offering, line.request) for line in lines]


@quotes.post("/quotes", **call(Quote, status=201))
def ask_quote(body: QuoteWish, header: Idempotent) -> Response:
    """Ask what services would cost now; nothing is bought."""
    return command(
        "quote.ask",
        header,
        body,
        lambda work: _explained(
            work,
            checkout.ask_quote(
                work, lines=wishes(body.lines), contract_no=body.contract_no, hold_slots=body.hold_slots
            ),
        ),
        status=201,
    )


@quotes.get("/quotes/<id>", **call(Quote))
def read_quote(path: ById) -> Response:
    """Read a quote again."""
    with working() as work:
        return show(_explained(work, use_cases.read_quote(work, quote_id=path.id)))


def _explained(work: Work, view: use_cases.QuoteView) -> Quote:
    answer = Quote.of(view)
    know_services(work)
    for line, explanations in zip(answer.lines, use_cases.explain_quote(work, quote_id=view.id), strict=True):
        line.explanations = [Explanation.of(each) for each in explanations]
    return answer
