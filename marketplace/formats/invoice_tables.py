"""An invoice as a workbook in Chinese, as its page is: the invoice, its lines, and who paid which part of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.rules.capitals import capitals
from billing.rules.money import yuan
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.usecases.invoice_documents import STATUS, InvoicePaper, notes_of, plain_percent, reductions_of
from marketplace.formats.tables import Cell, Table, xlsx_book

LINES = (
    "序号", "服务", "说明", "数量", "标价（元）", "包含数量", "订阅包含（元）", "协议折扣（元）", "账单折扣（元）", "补贴（元）",
    "应付（元）", "税率", "含税额（元）",
)  # fmt: skip
AWARDS = ("序号", "补贴项目", "版本", "补贴率", "一事一议批复", "兑付方式", "资金", "金额（元）")


def invoice_book(paper: InvoicePaper, made_at: datetime) -> bytes:
    """Return an invoice as XLSX; the same values and ``made_at`` give the same bytes."""
    return xlsx_book((_front(paper), _lines(paper), _awards(paper)), made_at)


def _front(paper: InvoicePaper) -> Table:
    invoice, issuer = paper.invoice, paper.issuer
    issued = local_day(invoice.finalized_at, DEFAULT_ZONE).isoformat() if invoice.finalized_at else ""
    rows: list[Sequence[Cell]] = [
        ("账单编号", invoice.number),
        ("状态", STATUS[invoice.status]),
        ("账期", invoice.period),
        ("开具日期", issued),
        ("付款期限", "" if invoice.due_on is None else invoice.due_on.isoformat()),
        ("购买方", invoice.park_name),
        ("购买方统一社会信用代码", paper.buyer_uscc),
        ("付款参考号", invoice.payment_reference),
        ("标价合计（元）", yuan(invoice.list_fen)),
        *((f"减：{name}（元）", yuan(fen)) for name, fen in reductions_of(invoice)),
        ("减：补贴（元）", yuan(invoice.subsidy_fen)),
        ("应付合计（元）", yuan(invoice.payable_fen)),
        ("应付金额（大写）", f"人民币{capitals(invoice.payable_fen)}"),
        ("已付（元）", yuan(invoice.paid_fen)),
        ("待付（元）", yuan(invoice.open_fen)),
        ("其中增值税额（元）", yuan(invoice.vat_fen)),
        ("其中不含税额（元）", yuan(invoice.gross_fen - invoice.discount_fen - invoice.vat_fen)),
    ]
    if issuer is not None:
        rows += [
            ("开具方", issuer.name),
            ("开具方统一社会信用代码", issuer.uscc),
            ("地址", issuer.address),
            ("电话", issuer.phone),
            ("开户银行", issuer.bank),
            ("银行账号", issuer.account),
        ]
    if paper.virtual_account:
        rows.append(("贵方专用账号", paper.virtual_account))
    return Table("账单", ("项目", "内容"), rows)


def _lines(paper: InvoicePaper) -> Table:
    rows: list[Sequence[Cell]] = [
        (
            line.line,
            line.title or line.offering,
            "，".join(notes_of(line, paper.invoice.period)),
            float(line.quantity),
            yuan(line.list_fen),
            line.included,
            yuan(line.included_fen),
            yuan(line.agreed_discount_fen),
            yuan(line.discount_fen),
            yuan(line.subsidy_fen),
            yuan(line.payable_fen),
            f"{plain_percent(line.vat_bp)}%",
            yuan(line.vat_fen),
        )
        for line in paper.invoice.lines
    ]
    invoice = paper.invoice
    off: Sequence[Decimal] = [
        yuan(fen) for fen in (invoice.included_fen, invoice.agreed_discount_fen, invoice.discount_fen)
    ]
    paid_by: Sequence[Decimal] = [yuan(invoice.subsidy_fen), yuan(invoice.payable_fen)]
    listed = yuan(invoice.list_fen)
    rows.append(("合计", None, None, None, listed, None, *off, *paid_by, None, yuan(invoice.vat_fen)))
    return Table("明细", LINES, rows)


def _awards(paper: InvoicePaper) -> Table:
    rows: list[Sequence[Cell]] = [
        (
            line.line,
            str(award.get("programme_name") or award["programme"]),
            int(award["version"]),
            f"{plain_percent(int(award.get('rate_bp') or 0))}%",
            (award.get("exemption") or {}).get("document_no", ""),
            "下单抵扣" if award["mode"] == "instant" else "交付后另行兑付",
            paper.fund_names.get(fund, fund),
            yuan(int(fen)),
        )
        for line in paper.invoice.lines
        for award in line.awards
        for fund, fen in sorted((award.get("by_fund") or {}).items())
        if fen
    ]
    return Table("补贴", AWARDS, rows)
