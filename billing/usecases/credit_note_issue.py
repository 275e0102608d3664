"""Issuing a credit note for what was returned: the document of money that the return has moved.

Every return of a line on an invoice has exactly one line of a credit note. A return of a delivery that stood on no
invoice gets its own when the invoice is issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from billing.rules.invoices import LEGAL_ENTITY, credit_note_number
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import credit_note_queries
from billing.store.credit_notes import CreditNote
from billing.store.invoices import InvoiceLine
from billing.store.returns import LineReturn
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work
from tenants.usecases import audit


def issue_for_returns(
    work: Work, credited: Sequence[tuple[LineReturn, InvoiceLine]], *, note: CreditNote | None = None
) -> None:
    """Issue credit notes for returns and the invoice lines they take back, for use cases of billing.

    ``note`` is the one that was asked for, under lock; without it there is one for each invoice.
    """
    by_invoice: dict[UUID, list[tuple[LineReturn, InvoiceLine]]] = {}
    for made, line in credited:
        by_invoice.setdefault(line.invoice_id, []).append((made, line))
    for invoice_id, pairs in sorted(by_invoice.items()):
        if note is None:
            _insert(work, invoice_id, pairs)
        else:
            _complete(work, note, pairs)


def _insert(work: Work, invoice_id: UUID, pairs: Sequence[tuple[LineReturn, InvoiceLine]]) -> None:
    first, _ = pairs[0]
    note_id = new_id()
    row = {
        "tenant_id": first.tenant_id,
        "id": note_id,
        "legal_entity": LEGAL_ENTITY,
        "invoice_id": invoice_id,
        "status": "issued",
        "by_two": False,
        "cause": first.cause,
        "reason": first.reason,
        "agreement": first.agreement,
        "asked_by": first.returned_by,
        "asked_at": first.returned_at,
        **_issued(work, pairs),
    }
    lines = [
        {
            "tenant_id": made.tenant_id,
            "credit_note_id": note_id,
            "invoice_line": line.line,
            "invoice_id": invoice_id,
            "amount_fen": made.amount_fen,
            "from_day": made.from_day,
            "until_day": made.until_day,
            "return_id": made.id,
        }
        for made, line in pairs
    ]
    credit_note_queries.insert_note(work.session, row, lines)
    _record(work, note_id, row)


def _complete(work: Work, note: CreditNote, pairs: Sequence[tuple[LineReturn, InvoiceLine]]) -> None:
    row = {"tenant_id": note.tenant_id, "status": "issued", **_issued(work, pairs)}
    for name, value in row.items():
        setattr(note, name, value)
    work.session.flush()
    credit_note_queries.settle_lines(work.session, note.tenant_id, note.id, {line.line: made for made, line in pairs})
    _record(work, note.id, row)


def _issued(work: Work, pairs: Sequence[tuple[LineReturn, InvoiceLine]]) -> dict[str, Any]:
    """Return what an issued note says: the sums of its returns, and the next number of its series."""
    year = local_day(work.now, DEFAULT_ZONE).year
    serial = credit_note_queries.next_number(work.session, LEGAL_ENTITY, year)
    return {
        "number": credit_note_number(LEGAL_ENTITY, year, serial),
        "amount_fen": sum(made.amount_fen for made, _ in pairs),
        "park_fen": sum(made.park_fen for made, _ in pairs),
        "public_fen": sum(made.public_fen for made, _ in pairs),
        "vat_fen": sum(made.vat_fen for made, _ in pairs),
        "decided_by": work.actor.user_id,
        "decided_at": work.now,
    }


def _record(work: Work, note_id: UUID, row: dict[str, Any]) -> None:
    audit.record(
        work, "credit_note.issue", "credit_note", note_id, tenant_id=row["tenant_id"], number=row["number"],
        amount_fen=row["amount_fen"], park_fen=row["park_fen"],
    )  # fmt: skip
