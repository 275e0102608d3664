"""Briefs of lead lists: the schema of what is ordered, and the industries that a park's words mean."""

from __future__ import annotations

import json

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, show
from marketplace.api.fields import Answer, Parameters
from marketplace.doors.identity import working
from services.usecases.briefs import brief_json_schema, suggest_industries

briefs = noun("briefs", "What a lead list is asked: where the park is, what it offers, which industries it wants.")


class IndustrySuggestion(Answer):
    """A class of GB/T 4754 that the words may mean; score compares the items of one answer only."""

    code: str
    name: str
    division: str
    division_name: str
    score: float


class IndustrySuggestions(Answer):
    """Classes, the likeliest first."""

    items: list[IndustrySuggestion]
    next_cursor: str | None = None


class WordsQuery(Parameters):
    """What is looked for, in the park's own words."""

    words: str = Field(min_length=2, max_length=60)
    limit: int = Field(5, ge=1, le=20)


@briefs.get("/schemas/brief-1.json", **call(files=["application/schema+json"], open_to_all=True))
def brief_schema() -> Response:
    """Read the JSON Schema (2020-12) of a brief, the request of an order for a lead list, as the platform checks it."""
    text = json.dumps(brief_json_schema(), ensure_ascii=False, indent=1)
    return Response(text, mimetype="application/schema+json")


@briefs.get("/industries", **call(IndustrySuggestions))
def list_industries(query: WordsQuery) -> Response:
    """Find the industries (classes of GB/T 4754) that free words mean, such as 无人机 or 预制菜."""
    with working() as work:
        found = suggest_industries(work, words=query.words, count=query.limit)
        return show(IndustrySuggestions(items=[IndustrySuggestion.of(each) for each in found]))
