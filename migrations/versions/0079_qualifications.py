"""Instruments may ask for a qualification: persons of parks ask for it, providers grant and revoke it, the bookings keep to it.

Follows 0076. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)

NOTHING_ASKED = """
ALTER TABLE instrument_versions NO FORCE ROW LEVEL SECURITY;
UPDATE instrument_versions SET document = document || '{"qualification": "", "training": ""}';
ALTER TABLE instrument_versions FORCE ROW LEVEL SECURITY;
"""

# Shared by every booking of a park that needs a qualification of a provider, alone for the revocation that is being
# made: of both at once, the booking is there before the revocation, or it sees it. Each statement of the function sees
# what has committed; the instrument's terms are locked by the foreign key of the reservation.
KEEP_OUT = """
CREATE FUNCTION may_use(park uuid, provider uuid, instrument uuid, person uuid, at timestamptz)
    RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    needed record;
    last_day date;
BEGIN
    SELECT i.name, i.qualification, i.training INTO needed FROM instruments i
        WHERE i.provider_id = provider AND i.id = instrument;
    IF NOT FOUND THEN
        RETURN false;  -- one that the park may not see: what it asks for is not known
    END IF;
    IF needed.qualification = '' THEN
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('qualification:' || park::text || ':' || provider::text, 0));
    SELECT max(g.valid_until) INTO last_day FROM qualification_requests q
        JOIN qualification_steps g ON g.tenant_id = q.tenant_id AND g.request_id = q.id AND g.step = 'granted'
        WHERE q.tenant_id = park AND q.provider_id = provider AND q.person_id = person
          AND q.qualification = needed.qualification
          AND NOT EXISTS (SELECT FROM qualification_steps r
                WHERE r.tenant_id = q.tenant_id AND r.request_id = q.id AND r.step = 'revoked');
    IF last_day IS NULL OR last_day < (at AT TIME ZONE 'Asia/Shanghai')::date THEN
        RAISE EXCEPTION 'the person is not qualified for this instrument' USING ERRCODE = 'MK012',
            DETAIL = json_build_object('instrument', needed.name, 'qualification', needed.qualification,
                                       'training', needed.training, 'at', at)::text;
    END IF;
    RETURN true;
END $$;
CREATE POLICY qualified ON bookings AS RESTRICTIVE FOR INSERT TO marketplace_tenant
    WITH CHECK (may_use(tenant_id, provider_id, instrument_id, responsible_id, starts_at));
CREATE POLICY stays_qualified ON bookings AS RESTRICTIVE FOR UPDATE TO marketplace_tenant USING (true)
    WITH CHECK (CASE WHEN status = 'booked'
        THEN may_use(tenant_id, provider_id, instrument_id, responsible_id, starts_at) ELSE true END);
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for name, length in (("qualification", 100), ("training", 500)):
        op.add_column("instruments", sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
    op.create_check_constraint(
        op.f("ck_instruments_training"), "instruments", "(qualification = '') = (training = '')"
    )  # fmt: skip
    op.execute(NOTHING_ASKED)
    op.add_column("park_alerts", sa.Column("person_id", sa.Uuid(), nullable=True))
    _requests()
    _steps()
    for table in ("qualification_requests", "qualification_steps"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON qualification_requests TO marketplace_tenant")
    op.execute("GRANT SELECT ON qualification_requests TO marketplace_staff")
    op.execute("GRANT SELECT ON qualification_steps TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT ON qualification_steps TO marketplace_staff")
    op.execute(KEEP_OUT)


def _requests() -> None:
    op.create_table(
        "qualification_requests",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("provider_name", sa.String(length=200), nullable=False),
        sa.Column("qualification", sa.String(length=100), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("person_name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("evidence", sa.String(length=2000), nullable=False),
        sa.Column("artefact_id", sa.Uuid(), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "number >= 1 AND length(qualification) >= 1 AND length(evidence) >= 1",
            name=op.f("ck_qualification_requests_asked"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "artefact_id"],
            ["artefacts.tenant_id", "artefacts.id"],
            name=op.f("fk_qualification_requests_tenant_id_artefact_id_artefacts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_qualification_requests")),
    )
    op.create_index(
        "uq_qualification_requests_number",
        "qualification_requests",
        ["tenant_id", "provider_id", "person_id", "qualification", "number"],
        unique=True,
    )
    op.create_index(
        op.f("ix_qualification_requests_provider_id_asked_at"), "qualification_requests", ["provider_id", "asked_at"]
    )


def _steps() -> None:
    op.create_table(
        "qualification_steps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("undoes", sa.String(length=64), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=False),
        sa.Column("taken_by_name", sa.String(length=200), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.CheckConstraint("step IN ('granted', 'declined', 'revoked')", name=op.f("ck_qualification_steps_step")),
        sa.CheckConstraint(
            "number = CASE step WHEN 'revoked' THEN 2 ELSE 1 END", name=op.f("ck_qualification_steps_place")
        ),
        sa.CheckConstraint(
            "undoes IS NOT DISTINCT FROM CASE step WHEN 'revoked' THEN 'granted' END",
            name=op.f("ck_qualification_steps_undoes"),
        ),
        sa.CheckConstraint(
            "(step = 'granted') = (valid_until IS NOT NULL)", name=op.f("ck_qualification_steps_validity")
        ),
        sa.CheckConstraint("step = 'granted' OR length(reason) >= 1", name=op.f("ck_qualification_steps_reason")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "request_id"],
            ["qualification_requests.tenant_id", "qualification_requests.id"],
            name="fk_qualification_steps_request",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "request_id", "number", name=op.f("pk_qualification_steps")),
        sa.UniqueConstraint(
            "tenant_id", "request_id", "step", name=op.f("uq_qualification_steps_tenant_id_request_id_step")
        ),
    )
    op.create_foreign_key(
        "fk_qualification_steps_undoes",
        "qualification_steps",
        "qualification_steps",
        ["tenant_id", "request_id", "undoes"],
        ["tenant_id", "request_id", "step"],
    )
