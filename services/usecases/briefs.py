"""What those need who write the brief of a lead list: its schema, and the industries that their words mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.formats.brief import brief_schema
from services.gateways.industry_classes import concepts, likeness
from services.rules.industries import DIVISIONS
from services.rules.ranking.concepts import suggest
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

LONGEST_WORDS = 60


@dataclass(frozen=True)
class IndustrySuggestion:
    """A class of GB/T 4754 that words may mean, and the division it lies in. ``score`` compares answers to one query only."""

    code: str
    name: str
    division: str
    division_name: str
    score: float


def brief_json_schema() -> dict[str, Any]:
    """Return the JSON Schema that briefs are checked against: made from the same code, so it cannot drift."""
    return brief_schema()


def suggest_industries(work: Work, *, words: str, count: int = 5) -> tuple[IndustrySuggestion, ...]:
    """Return the classes that ``words`` mean most likely, best first; none where nothing answers.

    By names, descriptions and a list of words; by embeddings too, where the extra is installed. Raises Invalid for words that are
    too short or too long.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    asked = words.strip()
    if not 2 <= len(asked) <= LONGEST_WORDS:
        wrong = msg("请填写 2 至 {most} 个字。", most=LONGEST_WORDS)
        raise Invalid("industries.words", wrong, errors=[FieldError("words", "industries.words", wrong)])
    return tuple(
        IndustrySuggestion(each.code, each.name, each.division, DIVISIONS[each.division], each.score)
        for each in suggest(concepts(), asked, count, likeness())
    )
