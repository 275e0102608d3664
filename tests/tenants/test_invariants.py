"""Every invariant holds after the use cases, and finds what it is there to find."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import OrganisationKind, Permission, Role, Tier
from tenants.kernel.work import WorkShop
from tenants.usecases import api_keys, onboarding
from tenants.usecases.invariants import INVARIANTS
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.parks import PASSWORD, credit_code, person, verified_park

BREAKS = {
    "park-organisation": "UPDATE organisations SET kind = 'provider' WHERE kind = 'park'",
    "park-decision": "UPDATE parks SET decided_by = (SELECT id FROM users WHERE login = 'admin1')",
    "subscription-verified": "UPDATE parks SET verification = 'rejected'",
    "subscription-overlap": "ALTER TABLE subscriptions DROP CONSTRAINT ex_subscriptions_one_at_a_time;"
    "INSERT INTO subscriptions SELECT tenant_id, gen_random_uuid(), tier, starts_at, ends_at, created_by, created_at,"
    " billed_every, alignment, anchor_on FROM subscriptions",
    "subscription-periods": "UPDATE subscription_periods SET tier = 'basic'",
    "member-role": "UPDATE memberships SET role = 'finance' WHERE role = 'park_admin'",
    "separation-of-duties": "INSERT INTO memberships SELECT organisation_id, user_id, 'finance', NULL, created_at"
    " FROM memberships WHERE role = 'subsidy_officer'",
    "key-scopes": "UPDATE api_clients SET scopes = '[\"everything\"]'",
    "row-security": "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
    "no-identity-for-parks": "GRANT SELECT (login) ON users TO marketplace_tenant",
}


@pytest.fixture
def world(workshop: WorkShop) -> WorkShop:
    verified_park(workshop, 1, Tier.LEADING)
    with workshop.work(person(workshop, "admin1")) as work:
        api_keys.create_api_key(work, name="平台", scopes=[Permission.READ_ORDER])
    with workshop.work(system_actor("console")) as work:
        province = onboarding.register_organisation(
            work, kind=OrganisationKind.AUTHORITY, name="省厅", uscc=credit_code(7), region_code="510000"
        )
        onboarding.add_person(
            work,
            organisation_id=province.id,
            login="officer",
            password=PASSWORD,
            name="专员",
            roles=[Role.SUBSIDY_OFFICER],
        )
    return workshop


def test_all_hold_after_ordinary_use(world: WorkShop) -> None:
    assert broken(world, INVARIANTS) == {}


@pytest.mark.parametrize("name", BREAKS)
def test_each_finds_its_break(world: WorkShop, database: Database, name: str) -> None:
    with database.owner().begin() as connection:
        connection.execute(text(BREAKS[name]))
    assert name in broken(world, INVARIANTS)


def test_every_invariant_but_the_servers_own_is_broken_above() -> None:
    assert {one.name for one in INVARIANTS} - set(BREAKS) == {"no-bypass"}
