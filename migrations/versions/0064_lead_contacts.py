"""Companies' switchboards, which parks were shown which, and how many a day they may be.

Follows 0063. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# A park reads a number only beside the row that says that it was shown to it, and not after it gave the company up or
# the company asked not to be contacted. The subqueries see what the park may see: its own showings and claims.
SHOWN = """
CREATE POLICY tenant ON company_switchboards FOR SELECT TO marketplace_tenant USING (
    EXISTS (SELECT FROM lead_contact_showings v JOIN lead_claims c ON c.id = v.claim_id AND c.park_id = v.tenant_id
            WHERE v.uscc = company_switchboards.uscc AND v.tenant_id = current_tenant()
              AND c.stage NOT IN ('lost', 'released', 'suppressed'))
    AND NOT EXISTS (SELECT FROM lead_suppressions s WHERE s.uscc = company_switchboards.uscc AND s.lifted_at IS NULL))
"""
GRANTS = """
GRANT SELECT ON company_contacts, company_switchboards, lead_contact_limits TO marketplace_tenant;
GRANT SELECT, INSERT ON lead_contact_showings TO marketplace_tenant;
GRANT SELECT ON lead_contact_showings TO marketplace_staff;
GRANT SELECT, INSERT, UPDATE (masked, as_of, source_id) ON company_contacts TO marketplace_staff;
GRANT SELECT, INSERT, UPDATE (number) ON company_switchboards TO marketplace_staff;
GRANT SELECT, INSERT ON lead_contact_limits TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for name in ("switchboard", "masked"):
        column = sa.Column(name, sa.String(length=24), nullable=False, server_default="")
        op.add_column("incoming_companies", column)
        op.alter_column("incoming_companies", name, server_default=None)
    _numbers()
    _showings()
    for table in ("company_switchboards", "lead_contact_showings"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    own = "tenant_id = current_tenant()"
    op.execute(f"CREATE POLICY tenant ON lead_contact_showings TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
    op.execute(SHOWN)
    op.execute(GRANTS)


def _numbers() -> None:
    op.create_table(
        "company_contacts",
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["company_sources.id"], name=op.f("fk_company_contacts_source_id_company_sources")
        ),
        sa.PrimaryKeyConstraint("uscc", name=op.f("pk_company_contacts")),
    )
    op.create_table(
        "company_switchboards",
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.CheckConstraint("number <> ''", name=op.f("ck_company_switchboards_number")),
        sa.ForeignKeyConstraint(
            ["uscc"], ["company_contacts.uscc"], name=op.f("fk_company_switchboards_uscc_company_contacts")
        ),
        sa.PrimaryKeyConstraint("uscc", name=op.f("pk_company_switchboards")),
    )


def _showings() -> None:
    table = "lead_contact_showings"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("per_day", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("shown_by", sa.Uuid(), nullable=False),
        sa.Column("shown_at", MOMENT, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("place BETWEEN 1 AND per_day", name=op.f("ck_lead_contact_showings_place")),
        sa.ForeignKeyConstraint(
            ["claim_id", "tenant_id"],
            ["lead_claims.id", "lead_claims.park_id"],
            name=op.f("fk_lead_contact_showings_claim_id_tenant_id_lead_claims"),
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["company_sources.id"], name=op.f("fk_lead_contact_showings_source_id_company_sources")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "day", "place", name=op.f("pk_lead_contact_showings")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_lead_contact_showings_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "claim_id", "day", name=op.f("uq_lead_contact_showings_tenant_id_claim_id_day")
        ),
    )
    op.create_index(op.f("ix_lead_contact_showings_tenant_id_uscc"), table, ["tenant_id", "uscc"])
    op.create_index(op.f("ix_lead_contact_showings_shown_at_id"), table, ["shown_at", "id"])
    op.create_table(
        "lead_contact_limits",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("per_day", sa.SmallInteger(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.CheckConstraint("per_day BETWEEN 0 AND 1000", name=op.f("ck_lead_contact_limits_per_day")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lead_contact_limits")),
    )
