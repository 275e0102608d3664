"""Programmes: bounds, four eyes, and versions that supersede each other."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.usecases import programmes
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed
from tenants.kernel.work import WorkShop
from tests.support.subsidies import (
    APPROVER,
    OFFICER,
    approve_programme,
    ask,
    check_out,
    fill_fund,
    park,
    policy,
    price,
    supersede,
)

BOUNDS = {"small": {"min_bp": 5000, "max_bp": 7000}, "large": {"min_bp": 0, "max_bp": 3000}}
SMALL = [{"fact": "park_size", "is": "eq", "value": "small"}]
LARGE = [{"fact": "park_size", "is": "eq", "value": "large"}]


def codes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error.field, error.code) for error in refused.value.errors}


def test_a_version_outside_the_programmes_bounds_is_refused(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100)
    document = policy(rates=[{"rate_bp": 7001, "when": SMALL}, {"rate_bp": 3000, "when": LARGE}])
    with pytest.raises(Invalid) as refused:
        approve_programme(workshop, "tech", document, BOUNDS)
    assert codes(refused) == {("rates[0].rate_bp", "policy.rate_outside_bounds")}


def test_a_version_names_every_fault_at_once(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100)
    document = policy(
        funders=[{"fund": "province", "share_bp": 5000}, {"fund": "nowhere", "share_bp": 4999}],
        rates=[{"rate_bp": 100, "when": [{"fact": "colour", "is": "eq", "value": "red"}]}],
        window={"from": "2026-03-01", "to": "2027-01-01"},
        programme="other",
    )
    with pytest.raises(Invalid) as refused:
        approve_programme(workshop, "tech", document)
    assert codes(refused) == {
        ("funders", "policy.shares_do_not_sum"),
        ("funders[1].fund", "policy.unknown_fund"),
        ("rates[0].when", "policy.unknown_fact"),
        ("window.from", "policy.backdated"),
        ("programme", "policy.other_programme"),
    }


def test_bounds_that_are_none_are_refused(workshop: WorkShop) -> None:
    with pytest.raises(Invalid), workshop.work(OFFICER) as work:
        programmes.create_programme(work, slug="t", name="t", name_en="t", bounds={"huge": {"min_bp": 1, "max_bp": 2}})


def test_a_programmes_slug_is_taken_once(workshop: WorkShop) -> None:
    with workshop.work(OFFICER) as work:
        programmes.create_programme(work, slug="tech", name="t", name_en="t", bounds={})
        with pytest.raises(Conflict, match="已被使用"):
            programmes.create_programme(work, slug="tech", name="t", name_en="t", bounds={})


def test_the_author_cannot_approve_and_the_database_knows_it_too(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100)
    with workshop.work(OFFICER) as work:
        made = programmes.create_programme(work, slug="tech", name="t", name_en="t", bounds={})
        programmes.write_version(work, programme_id=made.id, policy=policy())
        programmes.submit_version(work, programme_id=made.id, version=1)
    with pytest.raises(Conflict) as refused, workshop.work(OFFICER) as work:
        programmes.approve_version(work, programme_id=made.id, version=1)
    assert refused.value.code == "policy.same_person"
    forged = text("UPDATE policy_versions SET status = 'approved', approved_by = written_by")
    with pytest.raises(IntegrityError, match="four_eyes"), workshop.work(OFFICER) as work:
        work.session.execute(forged)


def test_nobody_without_a_name_decides(workshop: WorkShop) -> None:
    programme = submitted(workshop)
    with pytest.raises(NotAllowed), workshop.work(system_actor("job")) as work:
        programmes.approve_version(work, programme_id=programme, version=1)


def submitted(workshop: WorkShop) -> UUID:
    fill_fund(workshop, "province", 100)
    with workshop.work(OFFICER) as work:
        made = programmes.create_programme(work, slug="tech", name="t", name_en="t", bounds={})
        programmes.write_version(work, programme_id=made.id, policy=policy())
        programmes.submit_version(work, programme_id=made.id, version=1)
    return made.id


def test_a_version_is_decided_once_and_never_edited(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100)
    programme = approve_programme(workshop, "tech", policy())
    with pytest.raises(Conflict, match="approved"), workshop.work(APPROVER) as work:
        programmes.approve_version(work, programme_id=programme, version=1)
    with pytest.raises(Conflict), workshop.work(OFFICER) as work:
        programmes.withdraw_version(work, programme_id=programme, version=1)
    with pytest.raises(IntegrityError, match="never edited"), workshop.work(OFFICER) as work:
        work.session.execute(text("UPDATE policy_versions SET policy = '{}'"))


def test_a_version_supersedes_from_its_first_day(workshop: WorkShop, clock: ManualClock) -> None:
    fill_fund(workshop, "province", 10**9)
    programme = approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    later = policy(rates=[{"rate_bp": 5000}], window={"from": "2026-03-03", "to": "2027-01-01"})
    assert supersede(workshop, programme, later) == 2
    quote = ask(workshop, park(), "twin")
    assert [(award.version, award.amount_fen) for award in quote.lines[0].awards] == [(1, 600_000)]
    clock.advance(timedelta(hours=15))  # midnight in China
    quote = ask(workshop, park(), "twin")
    assert [(award.version, award.amount_fen) for award in quote.lines[0].awards] == [(2, 500_000)]
    with workshop.work(OFFICER) as work:
        assert [each.policy.version for each in programmes.effective_policies(work, at=work.now)] == [2]
        (view,) = programmes.list_programmes(work)
    assert [version.status for version in view.versions] == ["approved", "approved"]


def test_a_draft_that_went_stale_is_refused_at_submission(workshop: WorkShop, clock: ManualClock) -> None:
    fill_fund(workshop, "province", 100)
    with workshop.work(OFFICER) as work:
        made = programmes.create_programme(work, slug="tech", name="t", name_en="t", bounds={})
        programmes.write_version(work, programme_id=made.id, policy=policy())
    clock.advance(timedelta(days=1))
    with pytest.raises(Invalid) as refused, workshop.work(OFFICER) as work:
        programmes.submit_version(work, programme_id=made.id, version=1)
    assert codes(refused) == {("window.from", "policy.backdated")}
    with workshop.work(OFFICER) as work:
        assert programmes.withdraw_version(work, programme_id=made.id, version=1).status == "withdrawn"


def test_a_cap_below_what_was_granted_is_refused(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 10**9)
    programme = approve_programme(workshop, "tech", policy(caps=[{"scope": "entity_year", "amount_fen": 10**9}]))
    price(workshop, "twin")
    actor = park()
    check_out(workshop, actor, ask(workshop, actor, "twin"))
    with pytest.raises(Invalid) as refused:
        supersede(workshop, programme, policy(caps=[{"scope": "entity_year", "amount_fen": 599_999}]))
    assert codes(refused) == {("caps[0].amount_fen", "policy.cap_below_granted")}
