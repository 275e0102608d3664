"""What must always be true of credit notes and of the returns they document."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_SUMS = """
    SELECT n.tenant_id, n.id, n.number, n.amount_fen, sum(l.amount_fen) AS of_lines
    FROM credit_notes n
    LEFT JOIN credit_note_lines l ON l.tenant_id = n.tenant_id AND l.credit_note_id = n.id
    LEFT JOIN line_returns r ON r.tenant_id = l.tenant_id AND r.id = l.return_id
    LEFT JOIN invoice_lines i ON i.tenant_id = l.tenant_id AND i.invoice_id = l.invoice_id AND i.line = l.invoice_line
    GROUP BY n.tenant_id, n.id
    HAVING n.amount_fen IS DISTINCT FROM sum(l.amount_fen)
        OR (n.status = 'issued' AND (
            (n.amount_fen, n.park_fen, n.public_fen, n.vat_fen)
                IS DISTINCT FROM (sum(r.amount_fen), sum(r.park_fen), sum(r.public_fen), sum(r.vat_fen))
            OR bool_or(i.rated_usage_id IS DISTINCT FROM r.rated_usage_id OR r.amount_fen <> l.amount_fen)))
        OR (n.status <> 'issued' AND count(l.return_id) > 0)
"""
_OF_RETURNS = """
    SELECT r.tenant_id, r.id, r.amount_fen, i.invoice_id, n.number
    FROM line_returns r
    LEFT JOIN invoice_lines i ON i.tenant_id = r.tenant_id AND i.rated_usage_id = r.rated_usage_id AND NOT i.voided
    LEFT JOIN credit_note_lines l ON l.tenant_id = r.tenant_id AND l.return_id = r.id
    LEFT JOIN credit_notes n ON n.tenant_id = l.tenant_id AND n.id = l.credit_note_id AND n.status = 'issued'
    WHERE i.invoice_id IS DISTINCT FROM n.invoice_id
"""
_NUMBERS = """
    SELECT coalesce(c.legal_entity, n.legal_entity) AS legal_entity, coalesce(c.year, n.year) AS year, c.last_number,
           n.notes, n.numbers, n.highest
    FROM credit_note_counters c
    FULL JOIN (
        SELECT legal_entity, CAST(split_part(number, '-', 3) AS integer) AS year, count(*) AS notes,
               count(DISTINCT number) AS numbers, max(CAST(split_part(number, '-', 4) AS integer)) AS highest
        FROM credit_notes WHERE status = 'issued' GROUP BY 1, 2
    ) n ON n.legal_entity = c.legal_entity AND n.year = c.year
    WHERE (c.last_number, c.last_number, c.last_number) IS DISTINCT FROM (n.notes, n.numbers, n.highest)
"""

INVARIANTS_CREDIT_NOTES = (
    Invariant(
        "credit-note-sums", "A credit note's amounts are those of its lines, and theirs those of their returns.", _SUMS
    ),
    Invariant(
        "credit-note-of-return",
        "Every return of a line on an invoice has its credit note, and no other has.",
        _OF_RETURNS,
    ),
    Invariant(
        "credit-note-numbers", "The credit notes of a legal entity and year are numbered without a gap.", _NUMBERS
    ),
)
"""Run by ``marketplace check`` and after every fault test."""
