"""A fund is frozen and let go again, each with a reason, and closed once nothing of it is open."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from billing.rules.money import format_yuan
from billing.rules.naming import check_reason
from billing.store import fund_queries, fund_transfer_queries
from billing.store.funds import Fund
from billing.usecases.fund_register import lock_envelopes
from billing.usecases.fund_views import FundView, find_fund, fund_view
from tenants.kernel.errors import Conflict, FieldError
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.usecases import audit

MOST_NAMED = 50


@dataclass(frozen=True)
class Obstacle:
    """Something that keeps a fund from being closed.

    ``kind`` is ``hold`` (an open one, of ``order_line_id`` of a park), ``claim_batch`` (of a month, not disbursed),
    ``captured`` (spent from an envelope and not disbursed) or ``available`` (unspent in an envelope).
    """

    kind: str
    amount_fen: int
    text: Message
    id: UUID | None = None
    envelope: str | None = None
    order_line_id: UUID | None = None
    tenant_id: UUID | None = None
    period: str | None = None


def freeze_fund(work: Work, *, fund_id: UUID, reason: str) -> FundView:
    """Let a fund give nothing from now on. What is held stays held, and can be captured or released."""
    return _set_status(work, fund_id, "frozen", reason)


def unfreeze_fund(work: Work, *, fund_id: UUID, reason: str) -> FundView:
    """Let a frozen fund give again."""
    return _set_status(work, fund_id, "open", reason)


def close_fund(work: Work, *, fund_id: UUID, reason: str) -> FundView:
    """End a fund for good. Raises Conflict ``fund.not_settled``, whose errors name everything that is still open.

    Its envelopes are locked while it is looked at. A checkout that waits for one of them finds nothing available in it
    when its turn comes, so no draw can slip in behind.
    """
    work.actor.require(Permission.APPROVE_FUND)
    with Faults() as faults:
        kept = faults.take("reason", check_reason, reason)
    fund = _alive(work, fund_id)
    lock_envelopes(work, [(fund_id, row.envelope) for row in fund_queries.envelopes_of(work.session, [fund_id])])
    if found := _obstacles(work, fund_id):
        errors = [FieldError(_path(each), f"fund.{each.kind}", each.text) for each in found]
        raise Conflict(
            "fund.not_settled",
            msg("资金池还有 {count} 项未了结，不能关闭。请逐项处理后再关闭。", count=len(found)),
            errors=errors,
        )
    return _set(work, fund, "closed", kept)


def what_keeps_open(work: Work, *, fund_id: UUID) -> tuple[Obstacle, ...]:
    """Return what keeps a fund from being closed: at most ``MOST_NAMED`` of its holds, and all the rest."""
    work.actor.require(Permission.READ_FUND)
    find_fund(work, fund_id)
    return _obstacles(work, fund_id)


def _obstacles(work: Work, fund_id: UUID) -> tuple[Obstacle, ...]:
    holds = [
        Obstacle(
            "hold",
            hold.amount_fen,
            msg(
                "预占 {amount} 元（订单项 {line}）尚未核销或释放。",
                amount=format_yuan(hold.amount_fen),
                line=hold.order_line_id,
            ),
            id=hold.id,
            envelope=hold.envelope,
            order_line_id=hold.order_line_id,
            tenant_id=hold.tenant_id,
        )
        for hold in fund_transfer_queries.open_holds(work.session, fund_id, MOST_NAMED)
    ]
    batches = [
        Obstacle(
            "claim_batch",
            amount,
            msg(
                "{period} 的兑付批次（{lines} 笔，{amount} 元）尚未拨付完毕。",
                period=period,
                lines=lines,
                amount=format_yuan(amount),
            ),
            id=batch_id,
            period=period,
        )
        for batch_id, period, _status, lines, amount in fund_transfer_queries.unfinished_batches(work.session, fund_id)
    ]
    places = []
    for row in fund_queries.envelopes_of(work.session, [fund_id]):
        name = row.envelope or "—"
        if row.captured_fen:
            text = msg(
                "已核销未拨付 {amount} 元（范围 {envelope}）。", amount=format_yuan(row.captured_fen), envelope=name
            )
            places.append(Obstacle("captured", row.captured_fen, text, envelope=row.envelope))
        if row.available_fen:
            text = msg(
                "可用余额 {amount} 元（范围 {envelope}）须先结转或退回财政。",
                amount=format_yuan(row.available_fen),
                envelope=name,
            )
            places.append(Obstacle("available", row.available_fen, text, envelope=row.envelope))
    return (*holds, *batches, *places)


def _path(obstacle: Obstacle) -> str:
    """Return the path of what is open, as the field of an error."""
    if obstacle.kind == "hold":
        return f"holds[{obstacle.id}]"
    if obstacle.kind == "claim_batch":
        return f"claim_batches[{obstacle.id}]"
    return f"envelopes[{obstacle.envelope}].{obstacle.kind}_fen"


def _set_status(work: Work, fund_id: UUID, status: str, reason: str) -> FundView:
    work.actor.require(Permission.APPROVE_FUND)
    with Faults() as faults:
        kept = faults.take("reason", check_reason, reason)
    fund = _alive(work, fund_id)
    if fund.status == status:
        raise Conflict(
            "fund.same_status",
            msg("资金池已经冻结。请刷新查看结果。")
            if status == "frozen"
            else msg("资金池没有冻结，无需解冻。请刷新查看结果。"),
        )
    return _set(work, fund, status, kept)


def _alive(work: Work, fund_id: UUID) -> Fund:
    fund = find_fund(work, fund_id, lock=True)
    if fund.status == "closed":
        raise Conflict("fund.closed", msg("资金池已关闭，不能再改变状态。请另行设立资金池。"))
    return fund


def _set(work: Work, fund: Fund, status: str, reason: str) -> FundView:
    fund.status, fund.status_reason = status, reason
    fund.status_by, fund.status_at = work.actor.user_id, work.now
    work.session.flush()
    verb = {"frozen": "freeze", "open": "unfreeze", "closed": "close"}[status]
    audit.record(work, f"fund.{verb}", "fund", fund.id, reason=reason)
    return fund_view(work, fund.id)
