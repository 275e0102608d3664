"""A database as `make run` and production have it: its owner is no superuser, so forced row security holds for it too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing.rules.joint_agreements import PartyRole, Terms
from billing.usecases.joint_proposals import Partner, propose_agreement
from infra.local.database import prepare
from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import connect
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tests.support.parks import credit_code, verified_park

TERMS = Terms(
    title="检测中心", valid_from=date(2026, 4, 1), valid_to=date(2027, 1, 1), capital_fen=10_000_000_000, life_years=10,
    year_minutes=300_000, reserve_minutes=0, maintenance_minutes=0, variable_fen_per_hour=60_000, premium_bp=2_000,
    outsider_premium_bp=5_000, lending_notice_days=14, overdraw_minutes=60_000, carry_over_minutes=6_000,
)  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkShop]:
    """Units of work on a database of such an owner."""
    server = Server.start(tmp_path / "postgres", durable=False)
    try:
        urls = prepare(server, tmp_path)
        owner = connect(urls["DATABASE_OWNER_URL"], pool_size=1)
        upgrade(owner)
        provide_login(owner, urls["DATABASE_URL"])
        owner.dispose()
        engine = connect(urls["DATABASE_URL"], pool_size=2)
        yield WorkShop(engine, ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent())
        engine.dispose()
    finally:
        server.stop(remove=True)


def test_a_park_finds_its_partners_and_proposes_version_after_version(shop: WorkShop) -> None:
    first, _second = (verified_park(shop, number, Tier.BASIC) for number in (1, 2))
    park = system_actor("park", tenant_id=first.id, on_behalf_of=new_id())
    partners = [
        Partner(PartyRole.LEAD, 6_000, credit_code(1)),
        Partner(PartyRole.PARTICIPANT, 4_000, credit_code(2)),
    ]
    with shop.work(park) as work:
        made = propose_agreement(work, terms=TERMS, partners=partners)
    with shop.work(park) as work:
        again = propose_agreement(work, terms=TERMS, partners=partners, series_id=made.series_id)
    assert (made.version, again.version) == (1, 2)
