"""The main job as a story: a county park rents a subsidised digital-twin run, and everything that can go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

from billing.usecases import claims, funds, invoice_papers, invoicing, ledger, payments, quotes, reconciliation
from marketplace.demo import claims as demo_claims
from marketplace.demo import world
from marketplace.demo.documents import bank_statement, leads_brief, year_of_load
from marketplace.demo.province import credit_code
from marketplace.demo.scenes import Stage, yuan
from marketplace.demo.theatre import Play, Theatre
from marketplace.rules.orders import OrderStatus
from marketplace.usecases import invariants, orders
from marketplace.usecases.views import OrderView
from services.usecases import artefacts, bookings, slot_search
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.kernel.work import Work
from tenants.usecases import onboarding, subscriptions

TWIN, LEADS, INSPECTION = "digital-twin-run", "ai-leads", "shared-inspection"
PARK = world.PARKS[0]


def tell(stage: Stage, theatre: Theatre) -> None:
    """Tell the whole story on databases of ``theatre``."""
    main_story(stage, theatre)
    failed_run(stage, theatre)
    short_fund(stage, theatre, shortfall="partial")
    short_fund(stage, theatre, shortfall="all_or_nothing")
    race_for_the_last_money(stage, theatre)
    killed_worker(stage, theatre)


def main_story(stage: Stage, theatre: Theatre) -> None:
    """From the opened fund to the zero trial balance."""
    play = theatre.province(fund_fen=None)
    stage.open("一、省里设立专项资金与补贴政策")
    _province(stage, play)
    stage.open("二、县园区注册、审核、订阅")
    admin = _park(stage, play)
    stage.open("三、以自有数据询价并下单")
    order = _order(stage, play, admin)
    stage.open("四、推演、线索与检测由平台交付")
    _deliver(stage, play, admin, order)
    stage.open("五、计量、开票、付款、对账")
    _settle(stage, play, admin)
    _check(stage, play)


def _province(stage: Stage, play: Play) -> None:
    fund_id = play.seeder.step(
        "story fund",
        play.officer,
        lambda work: {
            "id": funds.open_fund(
                work, slug=world.FUND_SLUG, name="园区科技服务专项资金", name_en="Park technology fund", year=2026
            ).id
        },
    )["id"]
    stage.note("政策专员设立专项资金", "园区科技服务专项资金(2026)")
    asked = play.do(
        play.officer,
        lambda work: funds.request_appropriation(
            work, fund_id=UUID(str(fund_id)), amount_fen=world.FUND_FEN, document_no="园科资〔2026〕1 号"
        ),
    )
    stage.refused(
        "本人批准本人的拨款申请",
        "auth.not_allowed",
        lambda: play.do(play.officer, lambda work: funds.approve_appropriation(work, appropriation_id=asked.id)),
    )
    fund = play.do(play.approver, lambda work: funds.approve_appropriation(work, appropriation_id=asked.id))
    stage.note("审批人批准拨款", f"可用 {yuan(fund.available_fen)}", held=fund.available_fen == world.FUND_FEN)
    version = play.write_policy(world.policy())
    stage.refused("编写人批准自己的政策", "auth.not_allowed", lambda: play.approve_policy(version, play.officer))
    play.approve_policy(version)
    stage.note("另一人批准政策", "小型园区 50–70 %,大型园区 30 %,每园区每年上限 50 万元")


def _park(stage: Stage, play: Play) -> Actor:
    def sign_up(uscc: str) -> Callable[[Work], Any]:
        return lambda work: onboarding.sign_up_park(
            work,
            name=PARK.name,
            uscc=uscc,
            region_code=PARK.region_code,
            size=ParkSize.SMALL,
            login=PARK.login,
            password=world.PASSWORD,
            contact_name="园区管理员(演示)",
        )

    code = credit_code(PARK.name, PARK.region_code)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    stage.refused("以错误的统一社会信用代码注册", "park.bad_uscc", lambda: play.do(play.system, sign_up(wrong)))
    park = play.do(play.system, sign_up(code))
    stage.note("注册", f"{park.name}({park.region_name}),待审核")
    admin: Actor = play.person(PARK.login)
    play.do(play.officer, lambda work: onboarding.decide_verification(work, park_id=park.id, approve=True, note="齐全"))
    play.do(admin, lambda work: subscriptions.subscribe(work, tier=Tier.LEADING))
    stage.note("审核通过并订阅", "引领层级")
    return admin


def _order(stage: Stage, play: Play, admin: Actor) -> OrderView:
    upload = play.do(
        admin, lambda work: artefacts.upload(work, name="负荷2025.csv", media_type="text/csv", content=year_of_load())
    )
    stage.note("上传一年 15 分钟负荷", f"{upload.size_bytes:,} 字节,SHA-256 {upload.sha256[:12]}…")
    quote = play.quote(admin, TWIN, {"artefact_id": str(upload.id)})
    line = quote.lines[0]
    shown = f"标价 {yuan(quote.gross_fen)} = 专项资金 {yuan(quote.subsidy_fen)} + 园区 {yuan(quote.payable_fen)}"
    stage.note("询价", shown, held=(quote.gross_fen, quote.subsidy_fen) == (10_000 * world.YUAN, 6_000 * world.YUAN))
    stage.note("补贴理由", f"{line.awards[0].rate_bp / 100:g} % · {'、'.join(line.awards[0].reasons)}")
    first = play.place(admin, quote.id, key="story-1")
    again = play.place(admin, quote.id, key="story-1")
    fund = play.fund()
    stage.note("下单(一个事务:补贴预占、运行排队)", f"订单 {first['number']},预占 {yuan(fund.held_fen)}")
    stage.note("以同一幂等键重试", "返回同一订单,什么都没变", held=again == first and play.fund() == fund)
    stage.figures["order"] = {"gross_fen": quote.gross_fen, "subsidy_fen": quote.subsidy_fen}
    order: OrderView = play.do(admin, lambda work: orders.read_order(work, order_id=UUID(first["id"])))
    return order


def _deliver(stage: Stage, play: Play, admin: Actor, order: OrderView) -> None:
    play.place(admin, play.quote(admin, LEADS, leads_brief(PARK.region_code)).id, key="story-2")
    now = play.clock.now()
    free = play.do(
        admin,
        lambda work: slot_search.search_slots(
            work, offering=INSPECTION, from_=now + timedelta(days=1), to=now + timedelta(days=8)
        ),
    )
    slot = {
        "instrument_id": str(free[0].instrument_id),
        "starts_at": free[0].starts_at.isoformat(),
        "slots": 1,
        "purpose": "出厂抽检",
    }
    booked = play.place(admin, play.quote(admin, INSPECTION, slot).id, key="story-3")
    stage.refused(
        "再订同一时段",
        "slot.taken",
        lambda: play.quote(admin, INSPECTION, slot),
    )
    play.work_queue()
    done = play.do(admin, lambda work: orders.read_order(work, order_id=order.id))
    line, run = done.lines[0], done.lines[0].run
    stage.note(
        "数字孪生推演(35,040 步)",
        f"已交付,报告哈希 {str(line.result_sha256)[:12]}…",
        held=done.status is OrderStatus.COMPLETED and run is not None and line.result_sha256 == run.manifest_sha256,
    )
    kpis = run.kpis if run and run.kpis else {}
    stage.figures["twin"] = kpis
    bills = {name: kpis[name]["annual_bill_yuan"] for name in ("as_is", "optimised", "sized") if name in kpis}
    stage.note("年电费:现状 → 优化 → 扩容", " → ".join(f"{float(value):,.0f} 元" for value in bills.values()))
    booking_id = UUID(booked["lines"][0]["booking"])
    play.clock.instant = free[0].ends_at + timedelta(hours=2)
    play.do(
        play.lab,
        lambda work: bookings.report_inspection(
            work, booking_id=booking_id, file_name="检测报告.txt", media_type="text/plain", content=b"ok", passed=True
        ),
    )
    play.work_queue()
    listed = play.do(admin, orders.list_orders).items
    stage.note(
        "AI 线索、共享检测",
        f"{sum(row.status is OrderStatus.COMPLETED for row in listed)} 张订单全部交付",
        held=all(row.status is OrderStatus.COMPLETED for row in listed),
    )


def _settle(stage: Stage, play: Play, admin: Actor) -> None:
    period = f"{play.clock.now().astimezone(CHINA):%Y-%m}"
    play.clock.instant = play.clock.now() + timedelta(days=32)
    (invoice,) = play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=period))
    stage.note(
        "开具月度发票",
        f"{invoice.number}:标价 {yuan(invoice.gross_fen)},补贴 {yuan(invoice.subsidy_fen)},"
        f"应付 {yuan(invoice.payable_fen)}",
        held=invoice.gross_fen == invoice.subsidy_fen + invoice.payable_fen,
    )
    pdf = play.do(admin, lambda work: invoice_papers.invoice_pdf(work, invoice_id=invoice.id))
    stage.note("发票 PDF", f"{len(pdf):,} 字节", held=pdf.startswith(b"%PDF"))
    day = f"{play.clock.now().astimezone(CHINA):%Y%m%d}"
    content = bank_statement([("0001", invoice.payable_fen, PARK.name, invoice.payment_reference)])(day)
    statement = play.do(play.finance, lambda work: payments.import_statement(work, name="bank.csv", content=content))
    paid = play.do(play.finance, lambda work: invoicing.read_invoice(work, invoice_id=invoice.id))
    stage.note("银行对账单入账", f"匹配 {statement.matched} 笔,发票已付清", held=paid.status == "paid")
    view = play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period))
    claimed = play.do(play.finance, lambda work: claims.list_claims(work, period=period))
    fund = play.fund()
    total = sum(line.amount_fen for line in claimed)
    stage.note("补贴核销 = 申报", f"{yuan(fund.captured_fen)} = {yuan(total)}", held=fund.captured_fen == total > 0)
    stage.note("用量 = 计费 = 开票 = 收款", f"差异 {len(view.breaks)} 项", held=not view.breaks)
    _disburse(stage, play, period)
    balance = play.do(play.finance, ledger.trial_balance)
    stage.note("试算平衡", f"借贷差 {yuan(balance.difference_fen)}", held=balance.difference_fen == 0)
    stage.figures["invoice"] = {"payable_fen": invoice.payable_fen, "paid_fen": paid.paid_fen}


def _disburse(stage: Stage, play: Play, period: str) -> None:
    """Lead the month's claims through two reviews and public notice to the treasury's payment."""
    captured = play.fund().captured_fen
    play.do(play.finance, lambda work: demo_claims.submit(work, period))
    play.do(play.reviewer, lambda work: demo_claims.review_first(work, period))
    (batch,) = play.do(play.finance, lambda work: claims.list_batches(work, status="second_review")).items
    stage.refused(
        "初审人又复审同一批次",
        "claim.same_person",
        lambda: play.do(play.reviewer, lambda work: demo_claims.review_second(work, period)),
    )
    play.do(play.approver, lambda work: demo_claims.review_second(work, period))
    stage.note("补贴申报:初审、复审两人通过", f"{batch.lines} 笔,{yuan(batch.amount_fen)},公示 7 天")
    stage.refused(
        "公示期内拨付", "claim.under_notice", lambda: play.do(play.finance, lambda work: demo_claims.pay(work, period))
    )
    play.clock.advance(timedelta(days=8))
    play.do(play.finance, lambda work: demo_claims.pay(work, period))
    (done,) = play.do(play.finance, lambda work: claims.list_batches(work, status="done")).items
    fund = play.fund()
    stage.note(
        "公示期满,登记拨付",
        f"核销 {yuan(fund.captured_fen)},已拨付 {yuan(fund.disbursed_fen)}",
        held=fund.captured_fen == 0 and fund.disbursed_fen == done.paid_fen == captured,
    )


def failed_run(stage: Stage, theatre: Theatre) -> None:
    """A run that cannot succeed costs nothing."""
    stage.open("六、推演失败:释放预占,不收费")
    play = theatre.province()
    admin = play.join(PARK)
    placed = play.place(admin, play.quote(admin, LEADS, leads_brief(PARK.region_code) | {"industries": ["07"]}).id)
    held = play.fund().held_fen
    play.work_queue()
    order = play.do(admin, lambda work: orders.read_order(work, order_id=UUID(placed["id"])))
    fund = play.fund()
    words = (order.lines[0].run.failure_detail or "").splitlines()[0] if order.lines[0].run else ""
    stage.note("引擎拒绝", words, held=order.status is OrderStatus.FAILED)
    stage.note(
        "资金",
        f"预占 {yuan(held)} → {yuan(fund.held_fen)},核销 {yuan(fund.captured_fen)}",
        held=held > 0 and fund.held_fen == fund.captured_fen == 0,
    )
    _check(stage, play)


def short_fund(stage: Stage, theatre: Theatre, *, shortfall: str) -> None:
    """The fund has 5,999.99 yuan left for a claim of 6,000."""
    stage.open(f"七、资金只剩 5,999.99 元({'按余额部分补贴' if shortfall == 'partial' else '不足即不补'})")
    play = theatre.province(fund_fen=599_999, shortfall=shortfall)
    admin = play.join(PARK)
    quote = play.quote(admin, TWIN, {"demo": True})
    award = quote.lines[0].awards[0]
    expected = 599_999 if shortfall == "partial" else 0
    stage.note(
        "确认前即显示",
        f"补贴 {yuan(quote.subsidy_fen)},自付 {yuan(quote.payable_fen)}({'、'.join(award.reasons)})",
        held=quote.subsidy_fen == expected,
    )
    play.place(admin, quote.id)
    fund = play.fund()
    stage.note(
        "下单后资金", f"可用 {yuan(fund.available_fen)},预占 {yuan(fund.held_fen)}", held=fund.held_fen == expected
    )
    _check(stage, play)


def race_for_the_last_money(stage: Stage, theatre: Theatre) -> None:
    """Two parks confirm at once, and the fund suffices for one."""
    stage.open("八、两个园区同时争最后一笔资金")
    play = theatre.province(fund_fen=600_000, shortfall="all_or_nothing")
    racers = [play.join(park) for park in (world.PARKS[0], world.PARKS[1])]
    shown = [play.quote(admin, TWIN, {"demo": True}) for admin in racers]
    start = threading.Barrier(len(racers))

    def confirm(admin: Actor, quote: quotes.QuoteView) -> str:
        start.wait()
        try:
            play.place(admin, quote.id)
        except Problem as problem:
            return problem.code
        return "placed"

    with ThreadPoolExecutor(len(racers)) as pool:
        ends = sorted(pool.map(confirm, racers, shown))
    fund = play.fund()
    one = ends.count("placed") == 1
    stage.note("结果", f"一家成功,另一家被告知重新询价({ends[0]})", held=one)
    stage.note(
        "资金",
        f"预占 {yuan(fund.held_fen)},可用 {yuan(fund.available_fen)}",
        held=(fund.held_fen, fund.available_fen) == (600_000, 0),
    )
    _check(stage, play)


def killed_worker(stage: Stage, theatre: Theatre) -> None:
    """The worker is killed in the middle of a run; the next one finishes it, once."""
    stage.open("九、推演途中强制结束工作进程")
    play = theatre.province()
    admin = play.join(PARK)
    placed = play.place(admin, play.quote(admin, TWIN, {"demo": True}).id)
    play.kill_worker_during(UUID(placed["lines"][0]["run"]), admin)
    stage.note("SIGKILL", "运行中断,补贴仍在预占", held=play.fund().held_fen == 600_000)
    play.work_queue(after_kill=True)
    order = play.do(admin, lambda work: orders.read_order(work, order_id=UUID(placed["id"])))
    run = order.lines[0].run
    stage.note(
        "另一工作进程接手",
        f"第 {run.attempts if run else 0} 次尝试完成,只核销一次",
        held=order.status is OrderStatus.COMPLETED and play.fund().captured_fen == 600_000,
    )
    _check(stage, play)


def _check(stage: Stage, play: Play) -> None:
    broken = play.do(play.system, invariants.check)
    stage.note("全部不变量", f"{len(invariants.ALL)} 条,{len(broken)} 条不成立", held=not broken)
