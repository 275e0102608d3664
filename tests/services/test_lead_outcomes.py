"""What came of listed companies: recorded in one step, corrected by a further record, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.lead_allocation import ClaimStage, LeadStatus
from services.rules.lead_outcomes import LostReason, Outcome, Record, is_known
from services.usecases import lead_claims, lead_outcomes
from services.usecases.invariants_leads import LEADS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.errors import Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_lead_allocation import CODES, claim, delivered, placed, together
from tests.support.invariants import broken
from tests.support.services import build_world, import_demo_companies, park_person

CODE = CODES[0]


@pytest.fixture
def park(workshop: WorkShop) -> Iterator[Actor]:
    person = park_person(new_id())
    placed(workshop, person.require_tenant(), CODE)
    yield person
    assert broken(workshop, LEADS) == {}


def record(workshop: WorkShop, park: Actor, outcome: Outcome, reason: LostReason | None = None) -> lead_claims.LeadView:
    with workshop.work(park) as work:
        return lead_claims.record_outcome(work, uscc=CODE, outcome=outcome, reason=reason)


def records(workshop: WorkShop, park: Actor) -> list[Outcome]:
    with workshop.work(park) as work:
        return [each.outcome for each in lead_outcomes.list_outcomes(work, uscc=CODE)]


@given(
    st.none() | st.tuples(st.sampled_from(Outcome), st.none()),
    st.sampled_from(Outcome),
    st.none() | st.sampled_from(LostReason),
)
def test_what_was_just_recorded_is_known_and_nothing_else_is(
    latest: Record | None, wanted: Outcome, reason: LostReason | None
) -> None:
    assert is_known((wanted, reason), (wanted, reason))
    if latest is not None and latest[0] is not wanted:
        assert not is_known(latest, (wanted, reason))


def test_a_company_is_signed_with_one_record_without_claim_and_a_wrong_one_is_corrected(
    workshop: WorkShop, park: Actor, clock: ManualClock
) -> None:
    signed = record(workshop, park, Outcome.SIGNED)
    assert (signed.outcome, signed.status, signed.outcome_at) == (Outcome.SIGNED, LeadStatus.SUGGESTED, clock.now())
    clock.advance(timedelta(hours=1))
    assert record(workshop, park, Outcome.SIGNED) == signed
    lost = record(workshop, park, Outcome.LOST, LostReason.PRICE)
    assert (lost.outcome, lost.lost_reason, lost.outcome_at) == (Outcome.LOST, LostReason.PRICE, clock.now())
    back = record(workshop, park, Outcome.WITHDRAWN)
    assert (back.outcome, back.lost_reason, back.outcome_at) == (None, None, None)
    assert record(workshop, park, Outcome.WITHDRAWN) == back
    assert records(workshop, park) == ["withdrawn", "lost", "signed"]
    with workshop.work(park) as work:
        told = lead_outcomes.list_outcomes(work, uscc=CODE)
    assert {each.recorded_by for each in told} == {park.user_id}
    assert {each.run_id for each in told} == {None}


def test_a_running_claim_follows_its_records_and_its_steps_are_records(
    workshop: WorkShop, park: Actor, clock: ManualClock
) -> None:
    park_id = park.require_tenant()
    claim(workshop, park_id, CODE)
    clock.advance(timedelta(days=1))
    with workshop.work(park) as work:
        lead_claims.move_lead(work, uscc=CODE, stage=ClaimStage.CONTACTED)
    assert records(workshop, park) == ["contacted"]
    assert record(workshop, park, Outcome.SIGNED).status is LeadStatus.SIGNED
    assert record(workshop, park, Outcome.VISITED).status is LeadStatus.VISITED
    lost = record(workshop, park, Outcome.LOST, LostReason.ELSEWHERE)
    assert (lost.status, lost.lease_ends_at) == (LeadStatus.LOST, None)
    assert claim(workshop, park_id, CODE).status is LeadStatus.CLAIMED
    clock.advance(timedelta(days=40))
    late = record(workshop, park, Outcome.SIGNED)
    assert (late.status, late.outcome) == (LeadStatus.EXPIRED, Outcome.SIGNED), "signing takes longer than a lease"


def test_a_reason_goes_with_what_was_lost_and_only_with_it(workshop: WorkShop, park: Actor) -> None:
    for outcome, reason in ((Outcome.LOST, None), (Outcome.SIGNED, LostReason.PRICE)):
        with pytest.raises(Invalid) as refused:
            record(workshop, park, outcome, reason)
        assert [error.field for error in refused.value.errors] == ["reason"]
    with pytest.raises(NotFound):
        record(workshop, park_person(new_id()), Outcome.SIGNED)
    with pytest.raises(NotAllowed):
        record(
            workshop, Actor("x", park.reach, frozenset(), user_id=new_id(), tenant_id=park.tenant_id), Outcome.SIGNED
        )
    assert records(workshop, park) == []


def test_two_people_at_once_leave_two_records_in_order_and_the_same_click_one(workshop: WorkShop, park: Actor) -> None:
    together(*(partial(record, workshop, park, Outcome.VISITED) for _ in range(3)))
    assert records(workshop, park) == ["visited"]
    together(partial(record, workshop, park, Outcome.SIGNED), partial(record, workshop, park, Outcome.CONTACTED))
    assert len(records(workshop, park)) == 3


def test_a_record_is_never_changed_and_is_the_parks_own(workshop: WorkShop, park: Actor) -> None:
    record(workshop, park, Outcome.SIGNED)
    for change in ("UPDATE lead_outcomes SET outcome = 'visited'", "DELETE FROM lead_outcomes"):
        with pytest.raises(ProgrammingError), workshop.work(park) as work:
            work.session.execute(text(change))
    assert records(workshop, park_person(new_id())) == []


def test_a_record_keeps_where_the_newest_list_had_the_company(workshop: WorkShop, clock: ManualClock) -> None:
    build_world(workshop)
    import_demo_companies(workshop, clock.now().date())
    park = park_person(new_id())
    codes = delivered(workshop, park.require_tenant())
    with workshop.work(park) as work:
        lead_claims.record_outcome(work, uscc=codes[6], outcome=Outcome.SIGNED)
        (told,) = lead_outcomes.list_outcomes(work, uscc=codes[6])
    assert (told.position, told.explored, told.model) == (7, False, None)
    assert told.run_id is not None
    assert told.score is not None
    assert broken(workshop, LEADS) == {}
