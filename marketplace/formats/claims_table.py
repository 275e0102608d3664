"""The lines of claim batches as a table for spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.rules.use_proofs import UseProof
from billing.usecases.claim_views import LineDetail, PayoutView
from marketplace.formats.tables import Cell, Table
from tenants.kernel.clock import CHINA

HEADER = (
    "园区", "资金池", "月份", "政策", "版本", "服务", "订单", "申报金额(元)", "园区自付(元)", "收款方", "状态", "验收",
    "账单", "付款凭证", "计量事件", "成果哈希", "一事一议文号", "退回原因",
    "预约开始", "预约结束", "预约分钟", "签到", "签退", "使用分钟", "收样", "检测开始", "流转记录哈希",
)  # fmt: skip

PAYOUT_HEADER = (
    "收款方", "收款方类型", "笔数", "拨付金额(元)", "抵扣追回(元)", "汇付金额(元)", "抵扣案件", "状态", "付款凭证", "付款日期",
)  # fmt: skip


def claims_table(title: str, lines: Sequence[LineDetail]) -> Table:
    """Return the lines with their amounts, proofs and the numbers of case-by-case decisions."""
    return Table(title, HEADER, [_cells(line) for line in lines])


def payouts_table(title: str, payouts: Sequence[PayoutView]) -> Table:
    """Return a batch's payouts: what the fund has paid, what of it was set off against which cases, what was transferred."""
    return Table(title, PAYOUT_HEADER, [_payout(each) for each in payouts])


def _payout(payout: PayoutView) -> Sequence[Cell]:
    cases = "、".join(f"{each.number} {_yuan(each.amount_fen)}" for each in payout.set_offs)
    return (
        payout.payee_name, payout.payee_kind, payout.lines, _yuan(payout.amount_fen), _yuan(payout.set_off_fen),
        _yuan(payout.transfer_fen), cases, payout.status, payout.payment_reference,
        None if payout.paid_on is None else payout.paid_on.isoformat(),
    )  # fmt: skip


def _cells(line: LineDetail) -> Sequence[Cell]:
    return (
        line.park_name, line.fund_name, line.period, line.programme_name, line.version, line.title, line.order,
        _yuan(line.due_fen), _yuan(line.payable_fen or 0), line.payee_name, line.status, line.acceptance,
        line.invoice_number, "、".join(line.payment_references), line.event_id, line.report_sha256, line.exemption,
        line.reason, *_use(line.use),
    )  # fmt: skip


def _use(proof: UseProof | None) -> Sequence[Cell]:
    """Return when it was booked and used, in China's time; nothing for what has neither bookings nor samples."""
    if proof is None:
        return (None,) * 9
    return (
        _clock(proof.booked_from), _clock(proof.booked_to), proof.booked_minutes, _clock(proof.checked_in_at),
        _clock(proof.checked_out_at), proof.used_minutes, _clock(proof.received_at), _clock(proof.test_begun_at),
        proof.custody_sha256,
    )  # fmt: skip


def _clock(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def _yuan(fen: int) -> Decimal:
    return Decimal(fen) / 100
