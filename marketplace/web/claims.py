"""Claims: what waits for whom, a batch on its way, and one line with its proofs and history."""

from __future__ import annotations

from datetime import date

from flask import Response, request, url_for

from billing.rules.claims import NOTICE_DAYS
from billing.rules.evidence import EvidenceKind
from billing.usecases import (
    claim_corrections,
    claim_notice,
    claim_pack,
    claim_payouts,
    claim_queue,
    claim_review,
)
from billing.usecases import (
    claims as use_cases,
)
from billing.usecases.claim_review import Return
from billing.usecases.evidence import MOST_BYTES, Upload
from marketplace.doors.files import packed, spreadsheet
from marketplace.doors.requests import takes_files
from marketplace.formats.claims_table import claims_table
from marketplace.usecases import claim_packs
from marketplace.web.pages import field, given, go, id_of, page_group, page_work, person
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("claims")

KINDS = ("csv", "xlsx")


@pages.get("/claims")
def batches() -> Response:
    """Show what waits for the reader, and all batches."""
    with page_work() as work:
        waiting = claim_queue.list_waiting(work)
        page = use_cases.list_batches(work, limit=30, cursor=request.args.get("cursor"))
    return show("claims/list.html", waiting=waiting, page=page)


@pages.get("/claims/<batch_id>")
def batch(batch_id: str) -> Response:
    """Show a batch: where it stands, its lines, and what the reader can do with it."""
    return _batch(batch_id, None)


@pages.post("/claims/<batch_id>/submission")
def submit(batch_id: str) -> Response:
    """Submit a batch for review."""
    try:
        with page_work() as work:
            claim_review.submit_batch(work, batch_id=id_of(batch_id), defer_incomplete=field("defer") == "yes")
    except Problem as problem:
        return _batch(batch_id, refusal_of(problem, lambda _path: None))
    return go(url_for("claims.batch", batch_id=batch_id))


@pages.post("/claims/<batch_id>/review")
def review(batch_id: str) -> Response:
    """Pass a review, or only send the chosen lines back."""
    returns = [Return(id_of(each), field(f"reason-{each}") or field("reason")) for each in request.form.getlist("line")]
    try:
        with page_work() as work:
            if field("action") == "return":
                claim_review.return_lines(work, batch_id=id_of(batch_id), stage=field("stage"), returns=returns)
            else:
                claim_review.review_batch(
                    work, batch_id=id_of(batch_id), stage=field("stage"), returns=returns, notice_days=_days()
                )
    except Problem as problem:
        return _batch(batch_id, refusal_of(problem, lambda path: "reason" if "reason" in path else path))
    return go(url_for("claims.batch", batch_id=batch_id))


@pages.post("/claims/<batch_id>/payouts")
def prepare(batch_id: str) -> Response:
    """Draw up the payouts."""
    try:
        with page_work() as work:
            claim_payouts.prepare_payouts(work, batch_id=id_of(batch_id))
    except Problem as problem:
        return _batch(batch_id, refusal_of(problem))
    return go(url_for("claims.batch", batch_id=batch_id))


@pages.post("/claims/<batch_id>/payouts/<payout_id>/payment")
def pay(batch_id: str, payout_id: str) -> Response:
    """Record a payout's payment."""
    try:
        day = _day(field("paid_on"))
        with page_work() as work:
            claim_payouts.record_payment(
                work, payout_id=id_of(payout_id), payment_reference=field("payment_reference"), paid_on=day
            )
    except Problem as problem:
        return _batch(batch_id, refusal_of(problem))
    return go(url_for("claims.batch", batch_id=batch_id))


@pages.post("/claims/<batch_id>/payouts/<payout_id>/cancellation")
def cancel(batch_id: str, payout_id: str) -> Response:
    """Take back a payout that was not paid."""
    try:
        with page_work() as work:
            claim_payouts.cancel_payout(work, payout_id=id_of(payout_id), reason=field("reason"))
    except Problem as problem:
        return _batch(batch_id, refusal_of(problem))
    return go(url_for("claims.batch", batch_id=batch_id))


@pages.get("/claims/<batch_id>/list.<kind>")
def table(batch_id: str, kind: str) -> Response:
    """Send a batch's lines as CSV or workbook."""
    if kind not in KINDS:
        raise NotFound("page.not_found", msg("没有找到所请求的内容。请从列表中重新打开。"))
    with page_work() as work:
        found = claim_pack.batch_lines(work, batch_id=id_of(batch_id))
        return spreadsheet(claims_table(batch_id, found), f"claims-{batch_id}", kind, work.now)


@pages.get("/claims/<batch_id>/pack.zip")
def pack(batch_id: str) -> Response:
    """Send a batch's evidence pack."""
    wanted = id_of(batch_id)
    return packed(
        person(),
        f"claims-{batch_id}.zip",
        lambda work, target: claim_packs.write_pack(work, batch_id=wanted, target=target),
    )


@pages.get("/claim-lines")
def lines() -> Response:
    """Show the reader's own claim lines: a park's for its orders, a provider's that pay it."""
    with page_work() as work:
        page = use_cases.list_own_lines(
            work, status=request.args.get("status") or None, limit=50, cursor=request.args.get("cursor")
        )
        payouts = () if request.args.get("cursor") else use_cases.list_own_payouts(work, limit=20).items
    return show("claims/own.html", page=page, payouts=payouts, wanted=request.args.get("status", ""))


@pages.get("/claim-lines/<line_id>")
def line(line_id: str) -> Response:
    """Show a line with its proofs and history."""
    return _line(line_id, None)


@pages.post("/claim-lines/<line_id>/evidence")
@takes_files
def attach(line_id: str) -> Response:
    """Attach a file to a line."""
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            needed = msg("请选择文件。")
            raise Invalid("form.file", needed, errors=[FieldError("file", "form.file", needed)])
        file = Upload(sent.filename, sent.mimetype, sent.stream.read(MOST_BYTES + 1))
        with page_work() as work:
            claim_corrections.attach_evidence(work, line_id=id_of(line_id), kind=field("kind"), file=file)
    except Problem as problem:
        return _line(line_id, refusal_of(problem))
    return go(url_for("claims.line", line_id=line_id))


@pages.post("/claim-lines/<line_id>/completion")
def complete(line_id: str) -> Response:
    """Put a line that was sent back into the next batch."""
    try:
        with page_work() as work:
            claim_corrections.complete_line(work, line_id=id_of(line_id), note=field("note"))
    except Problem as problem:
        return _line(line_id, refusal_of(problem))
    return go(url_for("claims.line", line_id=line_id))


@pages.post("/claim-lines/<line_id>/withdrawal")
def give_up(line_id: str) -> Response:
    """Give up a line that was sent back."""
    try:
        with page_work() as work:
            claim_corrections.give_up_line(work, line_id=id_of(line_id), reason=field("reason"))
    except Problem as problem:
        return _line(line_id, refusal_of(problem))
    return go(url_for("claims.line", line_id=line_id))


@pages.post("/claim-lines/<line_id>/objections")
def object_to(line_id: str) -> Response:
    """Record an objection to a line."""
    try:
        with page_work() as work:
            claim_notice.record_objection(
                work, line_id=id_of(line_id), objector=field("objector"), reason=field("objection")
            )
    except Problem as problem:
        return _line(line_id, refusal_of(problem, lambda path: "objection" if path == "reason" else path))
    return go(url_for("claims.line", line_id=line_id))


@pages.post("/claim-lines/<line_id>/objections/<objection_id>/decision")
def decide(line_id: str, objection_id: str) -> Response:
    """Decide on an objection."""
    try:
        with page_work() as work:
            claim_notice.decide_objection(
                work,
                objection_id=id_of(objection_id),
                uphold=field("action") == "uphold",
                decision=field("decision"),
            )
    except Problem as problem:
        return _line(line_id, refusal_of(problem))
    return go(url_for("claims.line", line_id=line_id))


def _batch(batch_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_batch(work, batch_id=id_of(batch_id))
        page = use_cases.list_batch_lines(work, batch_id=found.id, limit=100, cursor=request.args.get("cursor"))
        incomplete = use_cases.check_batch(work, batch_id=found.id) if found.status == "open" else ()
        payouts = use_cases.list_payouts(work, batch_id=found.id)
        step = claim_queue.step_for(work, found)
        now = work.now
    return show(
        "claims/batch.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"notice_days": str(NOTICE_DAYS)},
        chosen=request.form.getlist("line"),
        batch=found,
        page=page,
        incomplete=incomplete,
        payouts=payouts,
        step=step,
        now=now,
    )


def _line(line_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_line(work, line_id=id_of(line_id))
        steps = use_cases.read_steps(work, line_id=found.id)
        is_staff = work.actor.may(Permission.READ_FUND)
        objections = use_cases.list_objections(work, batch_id=found.batch_id) if is_staff else ()
    return show(
        "claims/line.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {},
        line=found,
        steps=steps,
        is_staff=is_staff,
        objections=tuple(each for each in objections if each.line_id == found.id),
        kinds=tuple(EvidenceKind),
    )


def _days() -> int:
    text = field("notice_days")
    if not text:
        return NOTICE_DAYS
    if not (text.isascii() and text.isdecimal() and len(text) < 4):
        wrong = msg("公示天数须为整数。")
        raise Invalid("form.notice_days", wrong, errors=[FieldError("notice_days", "form.notice_days", wrong)])
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong = msg("请填写付款日期。")
        raise Invalid("form.paid_on", wrong, errors=[FieldError("paid_on", "form.paid_on", wrong)]) from None
