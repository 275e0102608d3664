"""An instrument that was closed to a park stays known to it while a booking of it is open, to be handed over and no more.

Follows 0085. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None

# What may be booked asks for the parks itself from now on, since a park sees more than that. Within the statement that
# changes a booking, its row is read as it was before.
SECURITY = """
CREATE OR REPLACE FUNCTION may_book(provider uuid, wanted uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM instruments i WHERE i.provider_id = provider AND i.id = wanted
        AND (i.parks IS NULL OR current_tenant() = ANY (i.parks)))
$$;
CREATE FUNCTION has_booked(wanted uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM bookings b WHERE b.tenant_id = current_tenant() AND b.instrument_id = wanted
        AND b.status = 'booked')
$$;
CREATE POLICY still_booked ON instruments FOR SELECT TO marketplace_tenant
    USING (parks IS NOT NULL AND has_booked(id));
CREATE FUNCTION may_keep(park uuid, booking uuid, provider uuid, instrument uuid, person uuid, at timestamptz)
    RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT may_book(provider, instrument) AND NOT EXISTS (SELECT FROM bookings b
        WHERE b.tenant_id = park AND b.id = booking AND b.starts_at = at) THEN
        RETURN false;
    END IF;
    RETURN may_use(park, provider, instrument, person, at);
END $$;
DROP POLICY qualified ON bookings;
DROP POLICY stays_qualified ON bookings;
CREATE POLICY qualified ON bookings AS RESTRICTIVE FOR INSERT TO marketplace_tenant
    WITH CHECK (may_book(provider_id, instrument_id)
        AND may_use(tenant_id, provider_id, instrument_id, responsible_id, starts_at));
CREATE POLICY stays_qualified ON bookings AS RESTRICTIVE FOR UPDATE TO marketplace_tenant USING (true)
    WITH CHECK (CASE WHEN status = 'booked'
        THEN may_keep(tenant_id, id, provider_id, instrument_id, responsible_id, starts_at) ELSE true END);
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.execute(SECURITY)
