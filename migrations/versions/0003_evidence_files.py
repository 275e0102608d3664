"""Evidence: files that prove a claim or a decision.

Follows 0002. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "evidence_files",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "size_bytes = octet_length(content) AND size_bytes > 0", name=op.f("ck_evidence_files_size")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_evidence_files")),
        sa.UniqueConstraint("tenant_id", "sha256", name=op.f("uq_evidence_files_tenant_id_sha256")),
    )
    own = "tenant_id = current_tenant()"
    op.execute("ALTER TABLE evidence_files ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE evidence_files FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON evidence_files TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
    op.execute("CREATE POLICY staff ON evidence_files TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON evidence_files TO marketplace_tenant, marketplace_staff")
