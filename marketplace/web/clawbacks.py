"""Returns and clawbacks: taking a delivered service back, asking public money back, deciding it, and what of it came."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, make_response, request, url_for

from billing.rules.clawbacks import Bearer, ClawbackCause, RepaymentMethod
from billing.rules.returns import ReturnCause
from billing.usecases import clawback_repayments
from billing.usecases import clawbacks as use_cases
from billing.usecases.clawback_repayments import Repayment
from billing.usecases.evidence import Upload, open_evidence
from marketplace.doors.requests import takes_files
from marketplace.usecases import orders, returns
from marketplace.usecases.views import OrderLineView, OrderView
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work, person
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem
from tenants.kernel.idempotency import once
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("clawbacks")

_FIELDS = {"amount_fen": "amount"}


@pages.get("/clawbacks")
def clawbacks() -> Response:
    """Show cases, newest first: a park's own, for staff all."""
    with page_work() as work:
        page = use_cases.list_clawbacks(work, limit=30, cursor=request.args.get("cursor"))
    return show("clawbacks/list.html", page=page)


@pages.get("/clawbacks/<clawback_id>")
def clawback(clawback_id: str) -> Response:
    """Show a case, with the forms of whoever may go on with it."""
    return _case(clawback_id, None)


@pages.get("/clawbacks/<clawback_id>/evidence")
def evidence(clawback_id: str) -> Response:
    """Send the file that proves a case."""
    with page_work() as work:
        case = use_cases.read_clawback(work, clawback_id=id_of(clawback_id))
        if case.evidence_id is None:
            raise NotFound("evidence.not_found", msg("没有找到该佐证材料。请从列表中重新打开。"))
        found = open_evidence(work, evidence_id=case.evidence_id)
    response = make_response(found.content)
    response.headers["Content-Type"] = "application/octet-stream"
    response.headers.set("Content-Disposition", "attachment", filename=found.view.name)
    return response


@pages.post("/clawbacks/<clawback_id>/decision")
def decide(clawback_id: str) -> Response:
    """Uphold or dismiss a case."""
    try:
        with page_work() as work:
            use_cases.decide_clawback(
                work, clawback_id=id_of(clawback_id), uphold=field("decision") == "uphold", note=field("note")
            )
    except Problem as problem:
        return _case(clawback_id, refusal_of(problem))
    return go(url_for("clawbacks.clawback", clawback_id=clawback_id))


@pages.post("/clawbacks/<clawback_id>/repayments")
def repay(clawback_id: str) -> Response:
    """Record money that came; the form's key makes a double click one repayment."""
    try:
        repayment = Repayment(
            amount_fen=fen_of("amount"),
            method=RepaymentMethod.WALLET if field("method") == "wallet" else RepaymentMethod.TREASURY,
            reference=field("reference"),
            received_on=_day("received_on") if field("received_on") else None,
        )
        with page_work() as work:
            _once(
                work,
                "page.clawback.repay",
                lambda: (
                    clawback_repayments.record_repayment(work, clawback_id=id_of(clawback_id), repayment=repayment).id
                ),
            )
    except Problem as problem:
        return _case(clawback_id, refusal_of(problem, _at))
    return go(url_for("clawbacks.clawback", clawback_id=clawback_id))


@pages.post("/clawbacks/<clawback_id>/write-off")
def propose_write_off(clawback_id: str) -> Response:
    """Ask that what is outstanding be given up."""
    try:
        with page_work() as work:
            clawback_repayments.propose_write_off(work, clawback_id=id_of(clawback_id), reason=field("reason"))
    except Problem as problem:
        return _case(clawback_id, refusal_of(problem))
    return go(url_for("clawbacks.clawback", clawback_id=clawback_id))


@pages.post("/clawbacks/<clawback_id>/write-off/approval")
def approve_write_off(clawback_id: str) -> Response:
    """Give up what is outstanding."""
    try:
        with page_work() as work:
            clawback_repayments.approve_write_off(work, clawback_id=id_of(clawback_id))
    except Problem as problem:
        return _case(clawback_id, refusal_of(problem))
    return go(url_for("clawbacks.clawback", clawback_id=clawback_id))


@pages.get("/orders/<order_id>/lines/<line_id>/clawback")
def new_case(order_id: str, line_id: str) -> Response:
    """Show the form that opens a case about a line."""
    return _form("clawbacks/open.html", order_id, line_id, None, Permission.OPEN_CLAWBACK)


@pages.post("/orders/<order_id>/lines/<line_id>/clawback")
@takes_files
def open_case(order_id: str, line_id: str) -> Response:
    """Open a case."""
    person()  # a visitor is led to sign in before a file is read
    try:
        named = field("bearer")
        wish = returns.CaseWish(
            cause=_chosen("cause", ClawbackCause),
            reason=field("reason"),
            due_on=_day("due_on"),
            amount_fen=fen_of("amount") if field("amount") else None,
            bearer=_chosen("bearer", Bearer) if named else None,
            file=_file(),
            programme=field("programme") or None,
        )
        with page_work() as work:
            made = _once(
                work,
                "page.clawback.open",
                lambda: returns.open_case(work, order_line_id=id_of(line_id), wish=wish).id,
            )
    except Problem as problem:
        return _form(
            "clawbacks/open.html", order_id, line_id, refusal_of(problem, _at), Permission.OPEN_CLAWBACK
        )  # fmt: skip
    return go(url_for("clawbacks.clawback", clawback_id=made))


@pages.get("/orders/<order_id>/lines/<line_id>/return")
def new_return(order_id: str, line_id: str) -> Response:
    """Show the form that takes a delivered line back."""
    return _form("clawbacks/return.html", order_id, line_id, None, Permission.RETURN_DELIVERY)


@pages.post("/orders/<order_id>/lines/<line_id>/return")
@takes_files
def return_line(order_id: str, line_id: str) -> Response:
    """Take a delivered line back, wholly or in part; the form's key makes a double click one return."""
    person()
    try:
        wish = returns.LineReturn(
            cause=_chosen("cause", ReturnCause),
            reason=field("reason"),
            agreement=field("agreement"),
            amount_fen=fen_of("amount") if field("amount") else None,
            file=_file(),
        )
        with page_work() as work:
            _once(
                work,
                "page.delivery.return",
                lambda: returns.return_line(work, order_id=id_of(order_id), line_id=id_of(line_id), wish=wish).id,
            )
    except Problem as problem:
        return _form(
            "clawbacks/return.html", order_id, line_id, refusal_of(problem, _at), Permission.RETURN_DELIVERY
        )  # fmt: skip
    return go(url_for("orders.order", order_id=order_id))


def _case(clawback_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        case = use_cases.read_clawback(work, clawback_id=id_of(clawback_id))
        may_open = work.actor.may(Permission.READ_ORDER)
        order_id = returns.order_of_line(work, order_line_id=case.order_line_id) if may_open else None
        is_opener, is_proposer = work.actor.user_id == case.opened_by, work.actor.user_id == case.write_off_by
    return show(
        "clawbacks/case.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed={} if refusal is None else given(),
        case=case,
        order_id=order_id,
        is_opener=is_opener,
        is_proposer=is_proposer,
        key=f"repay:{case.id}:{len(case.repayments) + 1}",
    )


def _form(
    template: str, order_id: str, line_id: str, refusal: Refusal | None, permission: Permission
) -> Response:  # fmt: skip
    with page_work() as work:
        work.actor.require(permission)
        order = orders.read_order(work, order_id=id_of(order_id))
    line = _line(order, id_of(line_id))
    return show(
        template,
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed={} if refusal is None else given(),
        order=order,
        line=line,
        key=f"{permission}:{line.id}:{len(line.returns) + len(line.clawbacks) + 1}",
    )


def _line(order: OrderView, line_id: UUID) -> OrderLineView:
    for line in order.lines:
        if line.id == line_id:
            return line
    raise NotFound("order.line_not_found", msg("没有找到该订单项。请从订单页重新打开。"))


def _once(work: Work, name: str, carry_out: Any) -> str:
    """Carry a form out once for its key; return the id that it gave."""
    wanted = {name_: value for name_, value in given().items() if name_ != "key"}
    answer = once(work, field("key") or None, name, wanted, lambda: {"id": str(carry_out())})
    return str(answer["id"])


def _at(path: str) -> str:
    return _FIELDS.get(path, path)


def _file() -> Upload | None:
    sent = request.files.get("evidence")
    if sent is None or not sent.filename:
        return None
    return Upload(sent.filename, sent.mimetype, sent.stream.read())


def _day(name: str) -> date:
    try:
        return date.fromisoformat(field(name))
    except ValueError:
        raise _wrong(name, msg("日期须写作 2026-03-31 的样子。请改正日期。")) from None


def _chosen(name: str, kind: Any) -> Any:
    try:
        return kind(field(name))
    except ValueError:
        raise _wrong(name, msg("请从列表中选择。")) from None


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
