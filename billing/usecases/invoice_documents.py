"""An invoice as its template wants it: every figure already written, nothing left to work out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.rules.capitals import capitals
from billing.rules.meters import plain
from billing.rules.money import format_yuan
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.usecases.invoice_views import InvoiceLineView, InvoiceView
from billing.usecases.issuers import IssuerView

INCLUDED = "订阅包含"
REPEATED = "再次交付免费"
STATUS = {"draft": "草稿", "finalized": "待付款", "paid": "已付清", "void": "作废"}


@dataclass(frozen=True)
class InvoicePaper:
    """An invoice with all that its paper names: ``fund_names`` are those of the funds' slugs.

    ``issuer`` is None as long as nobody has confirmed the particulars of the legal entity.
    """

    invoice: InvoiceView
    buyer_uscc: str
    issuer: IssuerView | None
    virtual_account: str | None
    fund_names: Mapping[str, str]


def invoice_document(paper: InvoicePaper) -> dict[str, Any]:
    """Return the values of the invoice's page."""
    invoice = paper.invoice
    issued = local_day(invoice.finalized_at, DEFAULT_ZONE).isoformat() if invoice.finalized_at else ""
    return {
        "number": invoice.number,
        "period": invoice.period,
        "issued_on": issued,
        "due_on": "" if invoice.due_on is None else invoice.due_on.isoformat(),
        "status": STATUS[invoice.status],
        "buyer": invoice.park_name,
        "buyer_uscc": paper.buyer_uscc,
        "issuer": _issuer(paper.issuer),
        "virtual_account": paper.virtual_account or "",
        "reference": invoice.payment_reference,
        "lines": [_line(line, invoice.period, paper.fund_names) for line in invoice.lines],
        "funds": [
            {"fund": paper.fund_names.get(fund, fund), "amount": format_yuan(fen)}
            for fund, fen in sorted(by_fund(invoice).items())
        ],
        "list": format_yuan(invoice.list_fen),
        "reductions": [{"name": name, "amount": format_yuan(fen)} for name, fen in reductions_of(invoice)],
        "subsidy": format_yuan(invoice.subsidy_fen),
        "payable": format_yuan(invoice.payable_fen),
        "payable_capitals": capitals(invoice.payable_fen),
        "vat": format_yuan(invoice.vat_fen),
        "net": format_yuan(invoice.gross_fen - invoice.discount_fen - invoice.vat_fen),
        "paid": format_yuan(invoice.paid_fen),
        "open": format_yuan(invoice.open_fen),
    }


def _issuer(issuer: IssuerView | None) -> dict[str, str]:
    if issuer is None:
        return {}
    names = ("name", "uscc", "address", "phone", "bank", "account")
    return {name: str(getattr(issuer, name)) for name in names}


def _line(line: InvoiceLineView, period: str, fund_names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "place": str(line.line),
        "title": line.title or line.offering,
        "notes": "，".join(notes_of(line, period)),
        "quantity": plain(line.quantity),
        "list": format_yuan(line.list_fen),
        "less": format_yuan(sum(fen for _, fen in reductions_of(line))),
        "subsidy": format_yuan(line.subsidy_fen),
        "payable": format_yuan(line.payable_fen),
        "vat_rate": f"{plain_percent(line.vat_bp)}%",
        "vat": format_yuan(line.vat_fen),
        "awards": [_award(award, fund_names) for award in line.awards if award.get("amount_fen")],
    }


def notes_of(line: InvoiceLineView, period: str) -> Sequence[str]:
    """Return what stands below a line's title: another month than the invoice's, what was taken off, what paid it."""
    notes = [f"{line.period} 的用量"] if line.period != period else []
    if line.repeats is not None:
        notes.append(f"同样的需求 30 天内再次交付，减免 {format_yuan(line.repeated_fen)} 元")
    elif line.included:
        notes.append(f"订阅包含 {line.included} 个单位，减免 {format_yuan(line.included_fen)} 元")
    notes += [f"{name} {format_yuan(fen)} 元" for name, fen in reductions_of(line) if name not in {INCLUDED, REPEATED}]
    return [*notes, "已由钱包支付"] if line.paid else notes


def reductions_of(priced: InvoiceLineView | InvoiceView) -> Sequence[tuple[str, int]]:
    """Return what was taken off the list price of a line or an invoice, by name, in the order in which it came off."""
    found = (
        (INCLUDED, priced.included_fen - priced.repeated_fen),
        (REPEATED, priced.repeated_fen),
        ("协议折扣", priced.agreed_discount_fen),
        ("账单折扣", priced.discount_fen),
    )
    return [(name, fen) for name, fen in found if fen]


def _award(award: Mapping[str, Any], fund_names: Mapping[str, str]) -> str:
    name = award.get("programme_name") or award["programme"]
    rate = plain_percent(int(award.get("rate_bp") or 0))
    later = "" if award["mode"] == "instant" else "，交付后另行兑付"
    exemption = award.get("exemption")
    decided = f"，一事一议批复 {exemption['document_no']}" if exemption else ""
    shares = "、".join(
        f"{fund_names.get(fund, fund)} {format_yuan(int(fen))}"
        for fund, fen in sorted((award.get("by_fund") or {}).items())
        if fen
    )
    paid_by = f"（{shares}）" if shares else ""
    return f"{name} 第 {award['version']} 版，补贴率 {rate}%{decided}{later}：{format_yuan(award['amount_fen'])} 元{paid_by}"


def plain_percent(rate_bp: int) -> str:
    """Return basis points as percent without closing zeros: 650 is ``6.5``."""
    return f"{rate_bp / 100:.2f}".rstrip("0").rstrip(".")


def by_fund(invoice: InvoiceView) -> dict[str, int]:
    """Return what each fund pays of an invoice, by slug; awards that come later are no part of it."""
    found: dict[str, int] = {}
    for line in invoice.lines:
        for award in line.awards:
            if award.get("mode") == "instant":
                for fund, fen in award["by_fund"].items():
                    found[fund] = found.get(fund, 0) + int(fen)
    return {fund: fen for fund, fen in found.items() if fen}
