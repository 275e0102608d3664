"""What must hold about organisations, people, keys and isolation; ``marketplace check`` runs each query."""

from __future__ import annotations

from tenants.kernel.database import STAFF_ROLE, TENANT_ROLE
from tenants.kernel.invariants import Invariant
from tenants.kernel.vocabulary import Permission
from tenants.rules.membership import ROLES_OF, SEPARATED

_FITTING = ", ".join(f"('{kind}', '{role}')" for kind, roles in ROLES_OF.items() for role in sorted(roles))
_SEPARATED = ", ".join(f"'{role}'" for role in sorted(SEPARATED))
_PERMISSIONS = ", ".join(f"'{permission}'" for permission in Permission)

ORGANISATIONS = (
    Invariant(
        "park-organisation",
        "Every park is an organisation of kind park, and every such organisation a park.",
        """
        SELECT o.id, o.kind, p.tenant_id FROM organisations o FULL JOIN parks p ON p.tenant_id = o.id
        WHERE (p.tenant_id IS NOT NULL) IS DISTINCT FROM (o.kind = 'park')
        """,
    ),
    Invariant(
        "park-decision",
        "A park is pending exactly as long as nobody has decided, and nobody decides on the own park.",
        """
        SELECT p.tenant_id, p.verification, p.decided_at FROM parks p
        WHERE (p.verification = 'pending') <> (p.decided_at IS NULL)
           OR EXISTS (SELECT FROM memberships m WHERE m.organisation_id = p.tenant_id AND m.user_id = p.decided_by)
        """,
    ),
    Invariant(
        "subscription-verified",
        "Only verified parks have subscriptions.",
        """
        SELECT s.tenant_id, s.id FROM subscriptions s LEFT JOIN parks p ON p.tenant_id = s.tenant_id
        WHERE p.verification IS DISTINCT FROM 'verified'
        """,
    ),
    Invariant(
        "subscription-overlap",
        "A park has at most one subscription at any moment.",
        """
        SELECT a.tenant_id, a.id, b.id AS other FROM subscriptions a
        JOIN subscriptions b ON b.tenant_id = a.tenant_id AND a.id < b.id
        WHERE tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at)
        """,
    ),
    Invariant(
        "subscription-periods",
        "A billing period lies within its subscription, is of its tier, and overlaps no other of its park.",
        """
        SELECT p.tenant_id, p.id FROM subscription_periods p
        JOIN subscriptions s ON s.tenant_id = p.tenant_id AND s.id = p.subscription_id
        WHERE (p.tier, p.billed_every) <> (s.tier, s.billed_every) OR p.starts_at < s.starts_at
           OR coalesce(p.cut_at, p.ends_at) > s.ends_at
        UNION ALL
        SELECT a.tenant_id, a.id FROM subscription_periods a
        JOIN subscription_periods b ON b.tenant_id = a.tenant_id AND a.id <> b.id
        WHERE tstzrange(a.starts_at, coalesce(a.cut_at, a.ends_at))
           && tstzrange(b.starts_at, coalesce(b.cut_at, b.ends_at))
        """,
    ),
)
"""What holds about parks and their tiers."""

PEOPLE = (
    Invariant(
        "member-role",
        "A person's role exists in that kind of organisation.",
        f"""
        SELECT m.organisation_id, m.user_id, m.role, o.kind FROM memberships m
        JOIN organisations o ON o.id = m.organisation_id WHERE (o.kind, m.role) NOT IN ({_FITTING})
        """,  # noqa: S608 - words of the vocabulary
    ),
    Invariant(
        "separation-of-duties",
        "Nobody holds two roles that must be kept apart: who writes, approves, pays and runs the platform are several.",
        f"""
        SELECT user_id, array_agg(DISTINCT role) AS roles FROM memberships WHERE role IN ({_SEPARATED})
        GROUP BY user_id HAVING count(DISTINCT role) > 1
        """,  # noqa: S608 - words of the vocabulary
    ),
    Invariant(
        "key-scopes",
        "A key's scopes are permissions, and a token's scopes are its key's.",
        f"""
        SELECT c.id, s.scope FROM api_clients c, jsonb_array_elements_text(c.scopes) AS s(scope)
        WHERE s.scope NOT IN ({_PERMISSIONS})
        UNION ALL
        SELECT c.id, t.scopes::text FROM access_tokens t JOIN api_clients c ON c.id = t.client_id
        WHERE NOT c.scopes @> t.scopes
        """,  # noqa: S608 - words of the vocabulary
    ),
)
"""What holds about people and programs."""

ISOLATION = (
    Invariant(
        "row-security",
        "Row security is on and forced on every table whose key begins with the tenant.",
        """
        SELECT c.relname FROM pg_class c
        JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE c.relkind IN ('r', 'p') AND a.attname = 'tenant_id'
          AND c.relnamespace = 'public'::regnamespace AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        """,
    ),
    Invariant(
        "no-bypass",
        "Neither role of the application can pass row security by or sign in by itself.",
        f"""
        SELECT rolname FROM pg_roles WHERE rolname IN ('{TENANT_ROLE}', '{STAFF_ROLE}')
          AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole)
        """,  # noqa: S608 - our own role names
    ),
    Invariant(
        "no-identity-for-parks",
        "A park's transaction reads no login, password or secret.",
        f"""
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public'
          AND ((table_name IN ('users', 'access_tokens')) OR (table_name = 'api_clients' AND column_name = 'secret_hash'))
          AND has_column_privilege('{TENANT_ROLE}', 'public.' || table_name, column_name, 'SELECT')
        """,  # noqa: S608 - our own role names
    ),
)
"""What keeps parks apart."""

INVARIANTS = (*ORGANISATIONS, *PEOPLE, *ISOLATION)
"""Every invariant of this package."""
