"""The demo's joint centre has a closed year behind it: trued up, paid, with hours carried over and a report that says something."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from billing.usecases import joint_agreements, joint_centre_payments, joint_true_up_views, joint_years
from marketplace.composition import build
from marketplace.demo import joint, province, world
from marketplace.demo.seeder import Seeder
from marketplace.settings import Settings
from marketplace.usecases import invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.outbox import Silent
from tenants.kernel.work import Work
from tests.support.databases import Database


def check_report(work: Work, agreement_id: UUID, year: int) -> None:
    """A closed year says what was saved, and hands hours over to the next."""
    report = joint_true_up_views.read_year_end(work, agreement_id=agreement_id, year=year)
    assert (report.is_closed, report.projects) == (True, 1)
    assert report.saved_bp > 0
    assert report.alone_fen - report.net_fen == sum(each.saved_fen for each in report.parks) > 0
    carried = {each.park_id: each.carried_over_minutes for each in report.parks if each.carried_over_minutes}
    assert carried
    following = joint_years.read_year(work, agreement_id=agreement_id, year=year + 1)
    assert {each.park_id: each.carried_minutes for each in following.parks if each.carried_minutes} == carried
    assert sum(each.used_minutes for each in following.parks) > 0


def test_the_demo_closes_a_year_once_and_pays_the_centre(database: Database, clock: ManualClock) -> None:
    settings = Settings(
        database_url=database.url, database_owner_url=database.owner_url, secret_key="a" * 40, mode="demo"
    )
    with build(settings, clock=clock) as market:
        seeder = Seeder(market.engine, Silent(), clock.now())
        province.enter_institutions(seeder)
        wanted = {login for login, *_ in joint.PARTIES}
        parks = {park.login: province.enter_park(seeder, park) for park in world.PARKS if park.login in wanted}
        for _again in range(2):
            joint.agree_on_centre(seeder, parks)
        with market.workshop.work(system_actor("test")) as work:
            following, made = joint_agreements.list_agreements(work).items
            assert (following.status, made.status) == ("signing", "in_force")
            assert made.valid_from == date(clock.now().year - 1, 1, 1)
            check_report(work, made.id, clock.now().year - 1)
            centre = joint_centre_payments.read_centre(work, agreement_id=made.id)
            assert (centre.owed_fen, len(centre.payments)) == (0, 1)
            assert centre.paid_fen > 0
            assert invariants.check(work) == ()
