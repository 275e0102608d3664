"""What must always be true of issuers and e-invoices."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

INVARIANTS_E_INVOICES = (
    Invariant(
        "e-invoice-of-its-invoice",
        "A blue e-invoice names its park's invoice and is of its price; a red one is of its credit note, on the same one.",
        """
        SELECT e.number, e.document_no FROM e_invoices e
        LEFT JOIN invoices i ON i.tenant_id = e.tenant_id AND i.id = e.invoice_id
        LEFT JOIN e_invoices b ON b.number = e.blue_number
        LEFT JOIN credit_notes n ON n.tenant_id = e.tenant_id AND n.id = e.credit_note_id
        WHERE (e.blue_number IS NULL AND (e.document_no, e.gross_fen) IS DISTINCT FROM (i.number, i.gross_fen - i.discount_fen))
           OR (e.blue_number IS NOT NULL AND (b.invoice_id IS DISTINCT FROM e.invoice_id OR b.gross_fen < 0
               OR (e.document_no, -e.gross_fen) IS DISTINCT FROM (n.number, n.amount_fen)))
        """,
    ),
    Invariant(
        "e-invoices-taken-back",
        "Red e-invoices take back no more than their blue one has.",
        """
        SELECT b.number, b.gross_fen, sum(r.gross_fen) AS red_fen FROM e_invoices b
        JOIN e_invoices r ON r.blue_number = b.number GROUP BY b.number, b.gross_fen
        HAVING b.gross_fen + sum(r.gross_fen) < 0
        """,
    ),
    Invariant(
        "issuers-by-two",
        "Particulars of an issuer that count were confirmed by somebody else than who proposed them.",
        "SELECT id, proposed_by FROM invoice_issuers WHERE confirmed_at IS NOT NULL AND confirmed_by = proposed_by",
    ),
)
