"""The operator's company registry: files brought in, watched while workers import them, and what each of them was."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.doors.current import current_market
from marketplace.doors.files import written
from marketplace.doors.requests import takes_files
from marketplace.doors.uploads import uploaded_file
from marketplace.formats.quarantine import write_quarantine
from marketplace.formats.tables import CSV
from marketplace.web.pages import day_field, field, given, go, id_of, page_group, page_work, person
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.company_imports import REASONS, WARNINGS, ImportKind
from services.usecases import company_imports as use_cases
from services.usecases import company_withdrawals
from tenants.kernel.errors import Problem
from tenants.kernel.messages import Message, msg
from tenants.usecases import people

pages = page_group("company_imports")

KINDS: dict[str, Message] = {"companies": msg("企业名录"), "expansions": msg("扩张事件")}
FIELDS = frozenset(("name", "licence", "as_of", "file"))


@pages.get("/company-imports")
def imports() -> Response:
    """Show the form, and the files that were brought in."""
    return _page(None)


@pages.post("/company-imports")
@takes_files
def bring() -> Response:
    """Bring a file in and lead to its progress."""
    person()
    try:
        as_of = day_field("as_of")
        with uploaded_file() as sent, page_work() as work:
            made = use_cases.start_import(
                work,
                kind=ImportKind.EXPANSIONS if field("kind") == ImportKind.EXPANSIONS else ImportKind.COMPANIES,
                name=field("name"),
                licence=field("licence"),
                as_of=as_of,
                file_name=sent.name,
                path=sent.path,
            )
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: path if path in FIELDS else None))
    return go(url_for("company_imports.one", import_id=made.id))


@pages.get("/company-imports/<import_id>")
def one(import_id: str) -> Response:
    """Show one import."""
    return _one(import_id, "registry/import.html")


@pages.get("/company-imports/<import_id>/live")
def live(import_id: str) -> Response:
    """Show the part of an import that moves; it asks for itself again until the import has ended."""
    return _one(import_id, "registry/import_live.html")


@pages.post("/company-imports/<import_id>/cancel")
def cancel(import_id: str) -> Response:
    """Stop an import."""
    try:
        with page_work() as work:
            use_cases.cancel_import(work, source_id=id_of(import_id))
    except Problem as problem:
        refusal_of(problem)  # raises what no page can mend; one that has ended meanwhile is simply shown as it is
    return go(url_for("company_imports.one", import_id=import_id))


@pages.post("/company-imports/<import_id>/withdraw")
def withdraw(import_id: str) -> Response:
    """Withdraw a source."""
    try:
        with page_work() as work:
            company_withdrawals.withdraw_source(work, source_id=id_of(import_id), reason=field("reason"))
    except Problem as problem:
        return _one(import_id, "registry/import.html", refusal_of(problem))
    return go(url_for("company_imports.one", import_id=import_id))


@pages.get("/company-imports/<import_id>/quarantine.csv")
def quarantine(import_id: str) -> Response:
    """Send the rows that were set aside."""
    wanted = id_of(import_id)
    return written(
        person(),
        f"quarantine-{import_id}.csv",
        CSV,
        lambda work, target: write_quarantine(use_cases.refused_rows(work, source_id=wanted), target),
    )


def _one(import_id: str, template: str, refusal: Refusal | None = None) -> Response:
    with page_work() as work:
        report = use_cases.read_import(work, source_id=id_of(import_id))
        by = None if report.withdrawal is None else report.withdrawal.withdrawn_by
        names = people.person_names(work, user_ids=set() if by is None else {by})
    return show(
        template,
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {},
        names=names,
        report=report,
        source=report.source,
        kinds=KINDS,
        reasons=REASONS,
        warnings=WARNINGS,
    )


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_imports(work, limit=50, cursor=request.args.get("cursor"))
    return show(
        "registry/imports.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        imports=found,
        kinds=KINDS,
        most_mib=current_market().settings.max_upload_mib,
        typed=given() if refusal else {},
    )
