"""Why an award is what it is: structured for programs, and in sentences for people."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from billing.formats.policy import fact_json
from billing.rules import explanations as rules
from marketplace.api.fields import Amount, Answer, Document
from marketplace.web.explaining import condition, tell


class Unmet(Answer):
    """A condition that does not hold, and what is stated instead (null: nothing)."""

    condition: Document = Field(description="As policies write it: fact, is, value")
    stated: Any
    text: str = Field(description="In the caller's language")


class BetterRate(Answer):
    """A higher rate of the same version, and all that it lacks."""

    rate_bp: int
    reason: str | None
    unmet: list[Unmet]


class Ceiling(Answer):
    """A ceiling in force. ``used_fen`` was taken before, ``left_fen`` is left after this award."""

    scope: str
    limit_fen: Amount
    used_fen: Amount
    taken_fen: Amount
    left_fen: Amount
    starts_anew: date | None = Field(description="First day of the next cap year; null for a ceiling without cap years")
    years: int = Field(description="For scope rolling: over how many years it counts; 0 for others")


class Explanation(Answer):
    """One programme's award on one line: the rate that applied, what better ones lack, ceilings and the funds' state."""

    programme: str
    version: int
    mode: str
    rate_bp: int
    reason: str | None = Field(description="The rate's own reason code")
    base_fen: Amount
    claim_fen: Amount = Field(description="The rate's share of the base, before ceilings and funds")
    amount_fen: Amount
    reasons: list[str]
    eligibility: list[list[Unmet]] = Field(description="Empty for an eligible line; else the ways to become eligible")
    price_limit_fen: Amount | None = Field(description="The price limit that the line is above")
    better_rates: list[BetterRate]
    ceilings: list[Ceiling]
    funds: dict[str, str] = Field(description="available, nearly_used_up or used_up")
    document_no: str | None = Field(description="Of the case-by-case decision whose terms applied")
    other_services: bool = Field(
        description="The version is for other services and gives nothing on this one whoever rents it; pages leave it out"
    )
    sentences: list[str] = Field(description="All of it in plain words, in the caller's language")

    @classmethod
    def of(cls, view: object) -> Explanation:
        """Return the answer that shows ``view``, an Explanation of the rules."""
        assert isinstance(view, rules.Explanation)  # noqa: S101 - for the type checker
        return cls(
            programme=view.programme,
            version=view.version,
            mode=view.mode,
            rate_bp=view.rate_bp,
            reason=view.reason,
            base_fen=view.base_fen,
            claim_fen=view.claim_fen,
            amount_fen=view.amount_fen,
            reasons=list(view.reasons),
            eligibility=[[_unmet(each) for each in way] for way in view.eligibility],
            price_limit_fen=view.price_limit_fen,
            better_rates=[
                BetterRate(rate_bp=rate.rate_bp, reason=rate.reason, unmet=[_unmet(each) for each in rate.unmet])
                for rate in view.better_rates
            ],
            ceilings=[Ceiling.of(each) for each in view.ceilings],
            funds={fund: state.value for fund, state in view.funds.items()},
            document_no=view.document_no,
            other_services=view.other_services,
            sentences=tell(view).sentences,
        )


def _unmet(each: rules.Unmet) -> Unmet:
    return Unmet(
        condition={
            "fact": each.condition.fact,
            "is": each.condition.comparison.value,
            "value": fact_json(each.condition.value),
        },
        stated=fact_json(each.stated),
        text=condition(each.condition),
    )
