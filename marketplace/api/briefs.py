"""Briefs of lead lists: the schema of what is ordered."""

from __future__ import annotations

import json

from flask import Response

from marketplace.api.calls import call, noun
from services.usecases.briefs import brief_json_schema

briefs = noun("briefs", "What a lead list is asked: where the park is, what it offers, which industries it wants.")


@briefs.get("/schemas/brief-1.json", **call(files=["application/schema+json"], open_to_all=True))
def brief_schema() -> Response:
    """Read the JSON Schema (2020-12) of a brief, the request of an order for a lead list, as the platform checks it."""
    text = json.dumps(brief_json_schema(), ensure_ascii=False, indent=1)
    return Response(text, mimetype="application/schema+json")
