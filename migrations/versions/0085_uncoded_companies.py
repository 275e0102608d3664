"""Rows of a registry without a code: known by name and region where one company alone has both.

Follows 0081. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0085"
down_revision = "0084"
branch_labels = None
depends_on = None

# No role may change or delete rows that wait or were set aside; a merge does it here, for its own import and in one way.
# What such a row does not say stays as it is known. A name that several codes have in the region is nobody's.
MATCH = """
CREATE FUNCTION match_uncoded_companies(source uuid) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM company_sources WHERE id = source AND status = 'merging') THEN
        RAISE EXCEPTION 'import % is not being merged', source USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM incoming_companies WHERE source_id = source AND uscc = '') THEN
        RETURN 0;
    END IF;
    WITH wanted AS (
        SELECT DISTINCT name, region_code FROM incoming_companies WHERE source_id = source AND uscc = ''),
    known AS (
        SELECT c.uscc, c.name, c.region_code, c.industry_code, c.founded_on, c.capital_fen, c.expansions, c.scope, c.as_of
        FROM companies c JOIN wanted USING (name, region_code)
        JOIN company_sources s ON s.id = c.source_id AND s.status = 'done'
        UNION ALL
        SELECT i.uscc, i.name, i.region_code, i.industry_code, i.founded_on, i.capital_fen, i.expansions, i.scope, i.as_of
        FROM incoming_companies i JOIN wanted USING (name, region_code) WHERE i.source_id = source AND i.uscc <> ''),
    lone AS (
        SELECT DISTINCT ON (name, region_code) known.* FROM known
        JOIN (SELECT name, region_code FROM known GROUP BY name, region_code HAVING count(DISTINCT uscc) = 1) one
            USING (name, region_code)
        ORDER BY name, region_code, as_of DESC, industry_code, expansions DESC, scope, founded_on, capital_fen)
    UPDATE incoming_companies i SET
        uscc = l.uscc,
        industry_code = CASE WHEN i.industry_code = '' THEN l.industry_code ELSE i.industry_code END,
        founded_on = COALESCE(i.founded_on, l.founded_on),
        capital_fen = COALESCE(i.capital_fen, l.capital_fen),
        expansions = GREATEST(i.expansions, l.expansions),
        scope = CASE WHEN i.scope = '' THEN l.scope ELSE i.scope END
    FROM lone l
    WHERE i.source_id = source AND i.uscc = '' AND i.name = l.name AND i.region_code = l.region_code;
    GET DIAGNOSTICS found = ROW_COUNT;
    DELETE FROM company_quarantine q USING incoming_companies i
    WHERE q.source_id = source AND q.reason = 'no_code' AND i.source_id = source AND i.row = q.row AND i.uscc <> '';
    DELETE FROM incoming_companies WHERE source_id = source AND uscc = '';
    RETURN found;
END $$;
REVOKE ALL ON FUNCTION match_uncoded_companies(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION match_uncoded_companies(uuid) TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.execute(MATCH)
