"""A joint facility's year from its end: what is charged, what else it would have cost, what was saved; closed by two; as files."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from flask import Response, request, url_for

from billing.rules.joint_years import HOUR
from billing.usecases import joint_true_up_views as views
from billing.usecases import joint_true_ups as use_cases
from billing.usecases import joint_uses
from billing.usecases.joint_uses import UseView
from marketplace.api.artefacts import download
from marketplace.formats.tables import CSV, Cell, Table, csv_file
from marketplace.web.joint import METHODS
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import say, show
from tenants.kernel.errors import Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("joint_year_end")


@pages.get("/joint/agreements/<agreement_id>/year-end")
def year_end(agreement_id: str) -> Response:
    """Show a year as it would be trued up now, with its true-ups."""
    return _page(agreement_id, None)


@pages.post("/joint/agreements/<agreement_id>/year-end")
def decide(agreement_id: str) -> Response:
    """Propose a true-up, approve or refuse one, or propose to undo one."""
    try:
        with page_work() as work:
            _decide(work, agreement_id)
    except Problem as problem:
        return _page(agreement_id, refusal_of(problem, lambda _: None))
    return go(url_for("joint_year_end.year_end", agreement_id=agreement_id, year=field("year")))


@pages.get("/joint/agreements/<agreement_id>/uses.csv")
def uses_file(agreement_id: str) -> Response:
    """Download a year's uses with their corrections."""
    with page_work() as work:
        year = views.read_year_end(work, agreement_id=id_of(agreement_id), year=_asked_year()).hours.year
        uses = list(_all_uses(work, id_of(agreement_id), year))
    header = (msg("日期"), msg("使用者"), msg("时数"), msg("依据"), msg("报告指纹"), msg("登记时间"), msg("已更正"))
    rows = [
        (
            each.day.isoformat(),
            each.user_name,
            (Decimal(each.minutes) / HOUR).quantize(Decimal("0.01")),
            each.evidence,
            each.evidence_sha256 or "",
            each.recorded_at.isoformat(),
            say(msg("是")) if each.is_corrected else "",
        )
        for each in uses
    ]
    table = Table(str(year), [say(name) for name in header], rows)
    return download(f"joint-uses-{year}.csv", CSV, csv_file(table))


@pages.get("/joint/agreements/<agreement_id>/year-end.csv")
def year_end_file(agreement_id: str) -> Response:
    """Download a year's true-up: each party's hours, fees, alternatives and what it saved."""
    with page_work() as work:
        found = views.read_year_end(work, agreement_id=id_of(agreement_id), year=_asked_year())
    parks = {each.park_id: each for each in found.parks}
    header = [
        say(name)
        for name in (
            msg("园区"),
            msg("应得机时"),
            msg("使用机时"),
            msg("借出"),
            msg("借入"),
            msg("结转下年"),
            msg("投资分摊（元）"),
            msg("使用费（元）"),
            msg("借出所得（元）"),
            msg("全年净费用（元）"),
            msg("本次结算（元）"),
            msg("独建成本（元）"),
        )
    ]
    rows: list[list[Cell]] = []
    for each in found.hours.parks:
        park = parks[each.park_id]
        minutes = (each.entitled_minutes, each.used_minutes, each.lent_minutes, each.borrowed_minutes)
        fen = (each.capital_fen, each.due_fen, each.received_fen, each.net_fen, park.amount_fen, park.alone_fen)
        other = [park.alternatives_fen[name] for name in found.methods]
        hours = [(Decimal(one) / HOUR).quantize(Decimal("0.01")) for one in (*minutes, park.carried_over_minutes)]
        rows.append([each.name, *hours, *(Decimal(one).scaleb(-2) for one in (*fen, *other))])
    table = Table(str(found.hours.year), header + [say(METHODS[name]) for name in found.methods], rows)
    return download(f"joint-year-end-{found.hours.year}.csv", CSV, csv_file(table))


def _decide(work: Work, agreement_id: str) -> None:
    step = field("step")
    if step == "propose":
        year = int(field("year")) if field("year").isdecimal() and len(field("year")) == len("2026") else 0
        use_cases.propose_true_up(work, agreement_id=id_of(agreement_id), year=year)
    elif step == "approve":
        use_cases.approve_true_up(work, true_up_id=id_of(field("true_up")))
    elif step == "reverse":
        use_cases.propose_reversal(work, true_up_id=id_of(field("true_up")), reason=field("reason"))
    elif step == "refuse":
        use_cases.refuse_true_up(work, true_up_id=id_of(field("true_up")))
    else:
        raise Invalid("form.step", msg("未识别所选操作，未做任何更改。请刷新页面后重试。"))


def _page(agreement_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = views.read_year_end(work, agreement_id=id_of(agreement_id), year=_asked_year())
        true_ups = views.list_true_ups(
            work, agreement_id=found.hours.agreement_id, year=found.hours.year, limit=50
        ).items
        waits = any(each.status == "proposed" for each in true_ups)
        proposes = work.actor.may(Permission.WRITE_JOINT)
        decides = work.actor.may(Permission.REGISTER_JOINT)
        person = work.actor.user_id
    return show(
        "joint/year_end.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        found=found,
        hours_of=found.hours,
        by_park={each.park_id: each for each in found.hours.parks},
        methods=METHODS,
        true_ups=true_ups,
        may={
            "propose": proposes and found.is_over and not found.is_closed and not waits,
            "approve": decides,
            "refuse": decides or proposes,
            "reverse": proposes and not waits,
        },
        person=person,
    )


def _all_uses(work: Work, agreement_id: UUID, year: int) -> Iterator[UseView]:
    page = joint_uses.list_uses(work, agreement_id=agreement_id, year=year, limit=100)
    yield from page.items
    while page.next_cursor is not None:
        page = joint_uses.list_uses(work, agreement_id=agreement_id, year=year, limit=100, cursor=page.next_cursor)
        yield from page.items


def _asked_year() -> int | None:
    asked = request.args.get("year", "") or field("year")
    return int(asked) if asked.isascii() and asked.isdecimal() and len(asked) == len("2026") else None
