"""Voiding an invoice of which nothing is paid: one person asks and says why, another does it.

Its number stays taken and its lines stay readable; its deliveries go to the next invoice, of the same month or a later
one. What is paid in part is corrected by a credit note, and so is what has its e-invoice: that one is taken back by a red
one, which names the credit note. The import of an e-invoice takes the invoice's row as well, so one of the two is refused.
"""

from __future__ import annotations

from uuid import UUID

from billing.rules import ledger
from billing.rules.money import vat_of_gross
from billing.store import books, credit_note_queries, e_invoice_queries, invoice_queries
from billing.store.invoices import Invoice
from billing.usecases.invoice_views import InvoiceView, invoice_not_found
from billing.usecases.invoicing import read_invoice
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit


def ask_void(work: Work, *, invoice_id: UUID, reason: str) -> InvoiceView:
    """Ask for an invoice to be voided; asking anew replaces the reason and the asking person.

    Raises Conflict for an invoice of which something is paid, that is void, or that has its e-invoice.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("reason", check_name, reason)
    invoice = _unpaid(work, invoice_id)
    _check_no_e_invoice(work, invoice)
    invoice.void_reason, invoice.void_asked_by, invoice.void_asked_at = reason.strip(), person, work.now
    work.session.flush()
    audit.record(work, "invoice.ask_void", "invoice", invoice_id, tenant_id=invoice.tenant_id, reason=reason.strip())
    return read_invoice(work, invoice_id=invoice_id)


def refuse_void(work: Work, *, invoice_id: UUID) -> InvoiceView:
    """Let an invoice stand that somebody asked to be voided; a repeat changes nothing."""
    work.actor.require(Permission.ISSUE_INVOICE)
    work.actor.require_person()
    invoice = _unpaid(work, invoice_id)
    if invoice.void_asked_by is not None:
        invoice.void_reason, invoice.void_asked_by, invoice.void_asked_at = None, None, None
        work.session.flush()
        audit.record(work, "invoice.refuse_void", "invoice", invoice_id, tenant_id=invoice.tenant_id)
    return read_invoice(work, invoice_id=invoice_id)


def void_invoice(work: Work, *, invoice_id: UUID, none_issued: bool = False) -> InvoiceView:
    """Void an invoice that another person asked to be voided; a repeat changes nothing.

    Raises Conflict when nobody asked, the same person did, something was paid meanwhile, or it has its e-invoice. One
    that an e-invoice was asked for needs the person's word that the tax bureau has issued none (``none_issued``).
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    invoice = invoice_queries.invoice_of(work.session, invoice_id, lock=True)
    if invoice is not None and invoice.status == "void":
        return read_invoice(work, invoice_id=invoice_id)
    invoice = _unpaid(work, invoice_id)
    if invoice.void_asked_by is None:
        raise Conflict("invoice.void_not_asked", msg("尚无人申请作废该账单。请先由另一人申请并写明原因。"))
    if invoice.void_asked_by == person:
        raise Conflict("invoice.same_person", msg("作废账单须由两人办理。请由申请人以外的人确认。"))
    _check_no_e_invoice(work, invoice)
    if not none_issued and e_invoice_queries.requested_at(work.session, [invoice.id]):
        raise Conflict(
            "invoice.e_invoice_requested",
            msg("该账单已申请开具数电票。请先在电子税务局确认尚未开票，再勾选“确认尚未开票”后作废。"),
        )
    invoice.status, invoice.voided_by, invoice.voided_at = "void", person, work.now
    work.session.flush()
    _take_back_rounding(work, invoice)
    audit.record(
        work, "invoice.void", "invoice", invoice_id, tenant_id=invoice.tenant_id, reason=invoice.void_reason or ""
    )
    return read_invoice(work, invoice_id=invoice_id)


def _unpaid(work: Work, invoice_id: UUID) -> Invoice:
    """Return an invoice under lock that may be voided."""
    invoice = invoice_queries.invoice_of(work.session, invoice_id, lock=True)
    if invoice is None:
        raise invoice_not_found()
    credited = credit_note_queries.has_issued(work.session, invoice.tenant_id, invoice.id)
    if invoice.status != "finalized" or invoice.paid_fen or credited:
        raise Conflict("invoice.not_voidable", msg("只有完全未付款的账单可以作废。已付款的请改用红字账单更正。"))
    return invoice


def _check_no_e_invoice(work: Work, invoice: Invoice) -> None:
    issued = e_invoice_queries.e_invoices_of(work.session, [invoice.id])
    if issued:
        raise Conflict(
            "invoice.e_invoice_issued",
            msg(
                "该账单已开具数电票 {number}，不能作废。请开具红字账单，并据此开具、导入红字数电票。",
                number=issued[0].number,
            ),
        )


def _take_back_rounding(work: Work, invoice: Invoice) -> None:
    """Reverse what the invoice added to the VAT of its deliveries and took off them: they are owed by themselves again."""
    rows = invoice_queries.lines_of(work.session, invoice.tenant_id, invoice.id)
    posted = sum(vat_of_gross(row.line.gross_fen, row.line.vat_bp) for row in rows)
    draft = ledger.vat_adjustment(
        park_id=invoice.tenant_id,
        source_id=f"void:{invoice.id}",
        occurred_at=work.now,
        more_vat_fen=posted - invoice.vat_fen,
    )
    owed_again = ledger.invoice_discount(
        park_id=invoice.tenant_id,
        source_id=f"void:{invoice.id}",
        occurred_at=work.now,
        less_fen=-invoice.discount_fen,
    )
    for journal in (draft, owed_again):
        if journal is not None:
            books.post_journal(work.session, journal, user_id=work.actor.user_id)
