"""What came of a listed company, as a park records it."""

from __future__ import annotations

from enum import StrEnum

from services.rules.lead_allocation import ClaimStage


class Outcome(StrEnum):
    """What a park records. The newest record counts; ``withdrawn`` takes a wrong one back and stands for none."""

    CONTACTED = "contacted"
    VISITED = "visited"
    SIGNED = "signed"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


class LostReason(StrEnum):
    """Why a company did not come."""

    NO_PLAN = "no_plan"
    PRICE = "price"
    LOCATION = "location"
    SUPPLY = "supply"
    ELSEWHERE = "elsewhere"
    UNREACHABLE = "unreachable"
    OTHER = "other"


Record = tuple[Outcome, LostReason | None]

STAGE_AFTER = {
    Outcome.CONTACTED: ClaimStage.CONTACTED,
    Outcome.VISITED: ClaimStage.VISITED,
    Outcome.SIGNED: ClaimStage.SIGNED,
    Outcome.LOST: ClaimStage.LOST,
    Outcome.WITHDRAWN: ClaimStage.CLAIMED,
}
"""Where a running claim stands after a record: wherever it stood, since a record may correct a wrong one."""
_RECORDED = {stage: outcome for outcome, stage in STAGE_AFTER.items() if outcome is not Outcome.WITHDRAWN}


def outcome_of(stage: ClaimStage) -> Outcome | None:
    """Return what a claim's step says of the company; None where it says nothing (released, for one)."""
    return _RECORDED.get(stage)


def is_known(latest: Record | None, wanted: Record) -> bool:
    """Tell whether a record would say what the latest one says: clicked twice is recorded once, and none withdrawn is none."""
    if wanted[0] is Outcome.WITHDRAWN:
        return latest is None or latest[0] is Outcome.WITHDRAWN
    return latest == wanted
