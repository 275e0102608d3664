"""Tables that positionings stand on: the operator brings them in, sees which one counts, and withdraws them."""

from __future__ import annotations

import re

from flask import Response, request, url_for

from marketplace.doors.requests import takes_files
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import reference_tables as use_cases
from tenants.kernel.errors import Problem
from tenants.kernel.messages import Message, msg

pages = page_group("reference_tables")

KINDS: dict[str, Message] = {"input_output": msg("投入产出表"), "industry_demands": msg("行业用地用能表")}


@pages.get("/reference-tables")
def tables() -> Response:
    """Show the tables and the form."""
    return _page(None)


@pages.post("/reference-tables")
@takes_files
def bring() -> Response:
    """Bring a table in."""
    sent = request.files.get("file")
    year = field("year")
    try:
        with page_work() as work:
            use_cases.import_reference_table(
                work,
                kind="industry_demands" if field("kind") == "industry_demands" else "input_output",
                name=field("name"),
                year=int(year) if re.fullmatch(r"[0-9]{4}", year) else 0,
                licence=field("licence"),
                content=sent.stream.read(use_cases.MOST_BYTES + 1) if sent else b"",
            )
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: path if path in {"name", "year", "licence"} else None))
    return go(url_for("reference_tables.tables"))


@pages.post("/reference-tables/<table_id>/withdrawal")
def withdraw(table_id: str) -> Response:
    """Let a table count no longer."""
    with page_work() as work:
        use_cases.withdraw_reference_table(work, table_id=id_of(table_id))
    return go(url_for("reference_tables.tables"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_reference_tables(work)
    return show(
        "reference_tables/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        tables=found,
        kinds=KINDS,
        typed=given() if refusal else {},
    )
