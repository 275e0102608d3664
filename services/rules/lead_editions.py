"""Editions of the ranking model: when a new fit is put in force, and when a later measurement takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.rules.expansions import Expansion
from services.rules.ranking.measures import ListScores

MOST_ATTEMPTS = 3
"""Times that a worker may begin a refit before it is given up."""
LEAST_JUDGED = 50
"""Expansions in a held-out period below which nobody can say which of two models ranks better."""
HEURISTIC, NEW, IN_FORCE, PREDECESSOR = "heuristic", "new", "in_force", "predecessor"
"""Whose lists are scored."""


class EditionStatus(StrEnum):
    """Where an edition stands. One at most is fitting, and one at most is in force."""

    FITTING = "fitting"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


RESTORABLE = (EditionStatus.SUPERSEDED, EditionStatus.ROLLED_BACK)
"""Editions that were in force once and may be put back."""


class EditionStep(StrEnum):
    """What happened to an edition."""

    PUT_IN_FORCE = "put_in_force"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    MEASURED = "measured"
    ROLLED_BACK = "rolled_back"
    PUT_BACK = "put_back"
    FAILED = "failed"


class Refusal(StrEnum):
    """Why a fit was not put in force."""

    TOO_FEW = "too_few"
    NOT_BETTER_THAN_HEURISTIC = "not_better_than_heuristic"
    WORSE_THAN_IN_FORCE = "worse_than_in_force"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True)
class Told:
    """What parks recorded, by the day of the record: companies that signed with a park's city, and that were lost to it."""

    signed: tuple[Expansion, ...] = ()
    lost: tuple[Expansion, ...] = ()


@dataclass(frozen=True)
class GivenEdition:
    """An edition as an engine is handed it: its number, its bytes and their hash."""

    number: int
    sha256: str
    content: bytes


@dataclass(frozen=True)
class Period:
    """Days [begin, end) that no model which is scored on them was fitted on."""

    begin: date
    end: date


def refusal_of(scores: Mapping[str, ListScores]) -> Refusal | None:
    """Return why a new fit is not put in force, None where it is: it must beat distance and history, and be no worse than
    the model in force, all on the same period.
    """
    new, current = scores.get(NEW), scores.get(IN_FORCE)
    if new is None or new.positives < LEAST_JUDGED:
        return Refusal.TOO_FEW
    if new.ndcg <= scores[HEURISTIC].ndcg:
        return Refusal.NOT_BETTER_THAN_HEURISTIC
    if current is not None and new.ndcg < current.ndcg:
        return Refusal.WORSE_THAN_IN_FORCE
    return None


def is_worse(scores: Mapping[str, ListScores]) -> bool:
    """Tell whether the model in force ranks worse than what it followed: an edition, or distance and history where none."""
    current = scores[IN_FORCE]
    before = scores.get(PREDECESSOR, scores[HEURISTIC])
    return current.positives >= LEAST_JUDGED and current.ndcg < before.ndcg
