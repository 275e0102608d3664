"""Case-by-case decisions: the list, one decision with what it touched, writing one, and the words of its approvers."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Response, request, url_for

from billing.usecases import evidence, programmes
from billing.usecases import exemptions as use_cases
from billing.usecases.evidence import MOST_BYTES, Upload
from marketplace.api.artefacts import download
from marketplace.doors.requests import takes_files
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.usecases.exempted_lines import export_exemptions, read_exemption_with_lines
from marketplace.web.amounts import fen_of, share_of
from marketplace.web.exemption_tables import exemption_table
from marketplace.web.exemption_words import CEILINGS, WAIVABLE, changed_terms, fact_word, scope_word
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import catalogue
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import identity, onboarding

pages = page_group("exemptions")

MOST_PARKS = 200
_PLACES = {
    "limit_fen": "limit",
    "expires_at": "expires",
    "evidence_id": "evidence",
    "terms.rate_bp": "rate",
    "terms.window_to": "window",
    "terms.waived_facts": "facts",
    "file": "evidence",
    **{f"terms.ceilings.{scope}": f"cap_{scope}" for scope in CEILINGS},
}


@pages.get("/exemptions")
def exemptions() -> Response:
    """Show decisions, newest first: a park its own, staff all."""
    with page_work() as work:
        page = use_cases.list_exemptions(work, limit=30, cursor=request.args.get("cursor"))
        may_write = work.actor.may(Permission.WRITE_EXEMPTION)
        is_staff = work.actor.tenant_id is None
    return show(
        "exemptions/list.html", page=page, may_write=may_write, is_staff=is_staff, changed_terms=changed_terms
    )  # fmt: skip


@pages.get("/exemptions/file.<kind>")
def file(kind: str) -> Response:
    """Download all decisions with what each touched: a park its own, staff all."""
    with page_work() as work:
        table = exemption_table(export_exemptions(work))
        if kind == "xlsx":
            return download("exemptions.xlsx", XLSX, xlsx_file(table, work.now))
        return download("exemptions.csv", CSV, csv_file(table))


@pages.get("/exemptions/new")
def new() -> Response:
    """Show the form for a decision, for a park when the address names one."""
    return _form(None, {"park_id": request.args.get("park_id", "")})


@pages.post("/exemptions")
@takes_files
def submit() -> Response:
    """Put a decision before the approvers, with its document."""
    try:
        file = _file()
        wish = _typed_wish()
        with page_work() as work:
            kept = use_cases.keep_decision(work, park_id=wish["park_id"], file=file)
            made = use_cases.submit_exemption(work, wish=use_cases.ExemptionWish(**wish, evidence_id=kept.id))
    except Problem as problem:
        return _form(refusal_of(problem, lambda path: _PLACES.get(path, path)), given())
    return go(url_for("exemptions.exemption", exemption_id=made.id))


@pages.get("/exemptions/<exemption_id>")
def exemption(exemption_id: str) -> Response:
    """Show one decision."""
    return _page(exemption_id, None)


@pages.get("/exemptions/<exemption_id>/evidence")
def document(exemption_id: str) -> Response:
    """Give out the document that a decision stands on."""
    with page_work() as work:
        decided = use_cases.read_exemption(work, exemption_id=id_of(exemption_id))
        found = evidence.open_evidence(work, evidence_id=decided.evidence_id)
    return download(found.view.name, found.view.media_type, found.content, sha256=found.view.sha256)


@pages.post("/exemptions/<exemption_id>/approval")
def approve(exemption_id: str) -> Response:
    """Approve a decision."""
    try:
        with page_work() as work:
            use_cases.approve_exemption(work, exemption_id=id_of(exemption_id))
    except Problem as problem:
        return _page(exemption_id, refusal_of(problem))
    return go(url_for("exemptions.exemption", exemption_id=exemption_id))


@pages.post("/exemptions/<exemption_id>/revocation")
def revoke(exemption_id: str) -> Response:
    """Revoke a decision, or turn it down."""
    try:
        with page_work() as work:
            use_cases.revoke_exemption(work, exemption_id=id_of(exemption_id), reason=field("reason"))
    except Problem as problem:
        return _page(exemption_id, refusal_of(problem))
    return go(url_for("exemptions.exemption", exemption_id=exemption_id))


def _page(exemption_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = read_exemption_with_lines(work, exemption_id=id_of(exemption_id))
        decided = found.exemption
        people = _people(work, decided)
        offering = catalogue.read_offering(work, slug=decided.offering) if decided.offering else None
        steps = {
            "approve": decided.is_undecided
            and work.actor.may(Permission.APPROVE_EXEMPTION)
            and work.actor.user_id not in decided.deciders,
            "revoke": decided.state not in {"revoked", "expired"} and work.actor.may(Permission.REVOKE_EXEMPTION),
        }
    return show(
        "exemptions/exemption.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed={} if refusal is None else given(),
        exemption=decided,
        offering=offering,
        lines=found.lines,
        terms=changed_terms(decided.terms),
        people=people,
        steps=steps,
        last_moment=decided.expires_at - timedelta(microseconds=1),
    )


def _people(work: Work, decided: use_cases.ExemptionView) -> dict[Any, str]:
    """Return the names of who wrote and decided; a park's people are shown the office, not its people."""
    if work.actor.tenant_id is not None:
        return {}
    who = {decided.written_by, decided.first_approved_by, decided.second_approved_by, decided.revoked_by}
    return identity.person_names(work, user_ids={person for person in who if person is not None})


def _form(refusal: Refusal | None, typed: dict[str, Any]) -> Response:
    with page_work() as work:
        work.actor.require(Permission.WRITE_EXEMPTION)
        parks = onboarding.list_parks(work, verification="verified", limit=MOST_PARKS).items
        named = parse_id(typed.get("park_id", ""))
        if named is not None and named not in {park.id for park in parks}:
            parks = (onboarding.read_park(work, park_id=named), *parks)
        known = programmes.list_programmes(work)
        offerings = catalogue.list_offerings(work)
    return show(
        "exemptions/form.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        parks=parks,
        programmes=known,
        offerings=offerings,
        facts=[(name, fact_word(name)) for name in WAIVABLE],
        ceilings=[(scope, scope_word(scope)) for scope in CEILINGS],
        waived=request.form.getlist("facts"),
        most_mib=MOST_BYTES >> 20,
    )


def _file() -> Upload:
    sent = request.files.get("evidence")
    if sent is None or not sent.filename:
        raise _wrong("evidence", msg("请选择批复文件。"))
    return Upload(sent.filename, sent.mimetype, sent.stream.read(MOST_BYTES + 1))


def _typed_wish() -> dict[str, Any]:
    """Return the wish as typed, or raise Invalid at the field that cannot be read."""
    park_id = parse_id(field("park_id"))
    if park_id is None:
        raise _wrong("park_id", msg("请选择园区。"))
    expires = _day("expires")
    if expires is None:
        raise _wrong("expires", msg("请填写有效期。"))
    orders = field("order_limit")
    if orders and not (orders.isascii() and orders.isdecimal() and len(orders) < 9):
        raise _wrong("order_limit", msg("须为整数，不限订单数时请留空。"))
    return {
        "park_id": park_id,
        "programme": field("programme"),
        "offering": field("offering") or None,
        "terms": _typed_terms(),
        "limit_fen": fen_of("limit", empty=0),
        "order_limit": int(orders) if orders else None,
        "document_no": field("document_no"),
        "reason": field("reason"),
        "expires_at": datetime.combine(expires + timedelta(days=1), time(), CHINA),
    }


def _typed_terms() -> dict[str, Any]:
    last = _day("window")
    ceilings: dict[str, int | None] = {}
    for scope in CEILINGS:
        if request.form.get(f"lift_{scope}"):
            ceilings[scope] = None
        elif field(f"cap_{scope}"):
            ceilings[scope] = fen_of(f"cap_{scope}")
    terms: dict[str, Any] = {"ceilings": ceilings, "waived_facts": request.form.getlist("facts")}
    terms["waive_price_limit"] = bool(request.form.get("waive_price_limit"))
    if field("rate"):
        terms["rate_bp"] = share_of("rate")
    if last is not None:
        terms["window_to"] = (last + timedelta(days=1)).isoformat()
    return terms


def _day(name: str) -> date | None:
    typed = field(name)
    if not typed:
        return None
    try:
        found = date.fromisoformat(typed)
    except ValueError:
        found = date.min
    if not 2000 <= found.year <= 2200:
        raise _wrong(name, msg("须为日期，例如 2026-12-31。"))
    return found


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
