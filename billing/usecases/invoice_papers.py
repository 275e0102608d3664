"""Invoices as papers: with the parties that they name, and as an A4 page."""

from __future__ import annotations

from uuid import UUID

from billing.gateways.invoice_pdf import render_invoice
from billing.store.fund_queries import funds_by_slug
from billing.usecases.invoice_documents import InvoicePaper, invoice_document
from billing.usecases.invoicing import read_invoice
from billing.usecases.issuers import account_of, issuer_at
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


def read_paper(work: Work, *, invoice_id: UUID) -> InvoicePaper:
    """Return an invoice with all that its paper names; NotFound for another park's."""
    work.actor.require(Permission.READ_INVOICE)
    invoice = read_invoice(work, invoice_id=invoice_id)
    buyer = onboarding.read_organisation(work, organisation_id=invoice.park_id)
    slugs = {fund for line in invoice.lines for award in line.awards for fund in award.get("by_fund") or ()}
    funds = funds_by_slug(work.session, slugs)
    return InvoicePaper(
        invoice=invoice,
        buyer_uscc=buyer.uscc,
        issuer=issuer_at(work, invoice.finalized_at or work.now),
        virtual_account=account_of(work, invoice.park_id),
        fund_names={slug: fund.name for slug, fund in funds.items()},
    )


def invoice_pdf(work: Work, *, invoice_id: UUID) -> bytes:
    """Return an invoice as an A4 page in Chinese; NotFound for another park's."""
    work.actor.require(Permission.READ_INVOICE)
    return render_invoice(invoice_document(read_paper(work, invoice_id=invoice_id)))
