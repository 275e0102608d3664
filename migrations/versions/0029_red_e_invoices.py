"""A red e-invoice belongs to the credit note that it is issued for.

Follows 0028. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("e_invoices", sa.Column("credit_note_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_e_invoices_tenant_id_credit_note_id_invoice_id_credit_notes"),
        "e_invoices",
        "credit_notes",
        ["tenant_id", "credit_note_id", "invoice_id"],
        ["tenant_id", "id", "invoice_id"],
    )
    # Red ones that came before the tie name their credit note by its number.
    op.execute(
        "UPDATE e_invoices e SET credit_note_id = n.id FROM credit_notes n "
        "WHERE n.tenant_id = e.tenant_id AND n.number = e.document_no AND e.blue_number IS NOT NULL"
    )
    op.create_check_constraint(
        op.f("ck_e_invoices_credit_note"), "e_invoices", "(blue_number IS NULL) = (credit_note_id IS NULL)"
    )
