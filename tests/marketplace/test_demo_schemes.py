"""The demo's second fund, its later programmes and its case-by-case decisions stand as their pages should show them."""

from __future__ import annotations

from billing.usecases import exemptions, funds, programmes
from marketplace.composition import build
from marketplace.demo import province, schemes, world
from marketplace.demo.seeder import Seeder
from marketplace.settings import Settings
from marketplace.usecases import invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.outbox import Silent
from tests.support.databases import Database


def test_the_demo_has_every_kind_of_scheme_and_is_filled_once(database: Database, clock: ManualClock) -> None:
    settings = Settings(
        database_url=database.url, database_owner_url=database.owner_url, secret_key="a" * 40, mode="demo"
    )
    with build(settings, clock=clock) as market:
        seeder = Seeder(market.engine, Silent(), clock.now())
        start = clock.now()
        province.enter_institutions(seeder)
        logins = {case.park for case in world.CASES} | {"park01", "park03"}
        for _again in range(2):
            province.open_fund(seeder, world.FUND_SLUG, start.year, world.FUND_FEN)
            province.enact(seeder, world.PROGRAMME, world.policy(), start)
            schemes.open_matching_fund(seeder, start.year)
            for later in world.LATER_PROGRAMMES:
                schemes.enact_later(seeder, later, start)
            parks = {park.login: province.enter_park(seeder, park) for park in world.PARKS if park.login in logins}
            schemes.decide_cases(seeder, parks)
            schemes.use_later_awards(seeder)
        with market.workshop.work(system_actor("test")) as work:
            found = {fund.slug: fund for fund in funds.list_funds(work)}[world.MATCHING_SLUG]
            kept = {each.envelope: each.available_fen for each in found.envelopes}
            assert kept == {"": 1_200_000_000, "central": 600_000_000, "411300": 200_000_000}
            modes = {each.slug: each.versions[-1].policy["mode"] for each in programmes.list_programmes(work)}
            assert modes == {"small-park-tech": "instant", "inspection-rebate": "reimburse", "leads-auto": "auto"}
            states = {each.document_no: each.state for each in exemptions.list_exemptions(work).items}
            assert sorted(states.values()) == ["first_approved", "in_force"]
            assert invariants.check(work) == ()
