"""What a park would get, before anybody signs up. Public, and binding on nobody."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, show
from marketplace.api.explanations import Explanation
from marketplace.api.fields import Amount, Answer, Body, Code, Slug
from marketplace.doors.identity import platform_working
from marketplace.doors.service_names import know_services
from marketplace.usecases import prechecks as use_cases
from tenants.kernel.vocabulary import ParkSize, Tier

prechecks = noun("prechecks", "What a park would get, before sign-up; binding on nobody.")


class PreCheckWish(Body):
    """A park that is only described. Without ``offerings`` all that have a price are answered."""

    region_code: Code = Field(description="Six digits of the county (GB/T 2260), such as 411224")
    size: ParkSize
    tier: Tier
    offerings: list[Slug] = Field(default_factory=list, max_length=50)


class PreCheckAward(Answer):
    """What one programme would give; ``instant`` is deducted at checkout, anything else comes back later."""

    programme_name: str
    programme_name_en: str
    instant: bool
    explanation: Explanation


class PreCheckLine(Answer):
    """One unit of an offering."""

    offering: str
    name: str
    name_en: str
    included: bool = Field(description="Whether the tier may rent it")
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    later_fen: Amount
    awards: list[PreCheckAward]


class PreCheck(Answer):
    """What such a park would get now, by the prices and programmes in force. Only a quote binds."""

    region_code: str
    region_name: str
    region_class: str
    size: ParkSize
    tier: Tier
    binding: bool
    lines: list[PreCheckLine]

    @classmethod
    def of(cls, view: object) -> PreCheck:
        """Return the answer that shows ``view``, a PreCheck of the use case."""
        assert isinstance(view, use_cases.PreCheck)  # noqa: S101 - for the type checker
        return cls(
            region_code=view.region.code,
            region_name=view.region.name,
            region_class=view.region.region_class,
            size=view.size,
            tier=view.tier,
            binding=False,
            lines=[_line(each) for each in view.lines],
        )


def _line(line: use_cases.PreCheckLine) -> PreCheckLine:
    estimate = line.estimate
    return PreCheckLine(
        offering=line.offering.slug,
        name=line.offering.name,
        name_en=line.offering.name_en,
        included=line.covered,
        gross_fen=estimate.gross_fen,
        subsidy_fen=estimate.subsidy_fen,
        payable_fen=estimate.payable_fen,
        later_fen=estimate.later_fen,
        awards=[
            PreCheckAward(
                programme_name=award.programme_name,
                programme_name_en=award.programme_name_en,
                instant=award.instant,
                explanation=Explanation.of(award.explanation),
            )
            for award in estimate.awards
        ],
    )


@prechecks.post("/pre-checks", **call(PreCheck, open_to_all=True))
def pre_check(body: PreCheckWish) -> Response:
    """Ask what a park would get. Nothing is kept, nobody needs to be known."""
    with platform_working("pre-check") as work:
        know_services(work)
        found = use_cases.pre_check(
            work, region_code=body.region_code, size=body.size, tier=body.tier, offerings=body.offerings
        )
    return show(PreCheck.of(found))
