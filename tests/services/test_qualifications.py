"""Qualifications: asked for with evidence, decided once by a named person, and held against every booking by the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from services.rules.qualifications import Asked, QualificationState, QualificationStep, state_on, valid_until
from services.rules.series import SeriesRule, SeriesUnit
from services.usecases import (
    artefacts,
    booking_series,
    deliveries,
    instrument_versions,
    instruments,
    qualification_decisions,
    qualifications,
    rebooking,
    slot_holds,
)
from services.usecases.invariants import INVARIANTS
from services.usecases.qualifications import QualificationView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, Reach, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import OrganisationKind, Role
from tenants.kernel.work import WorkShop
from tenants.rules.membership import permissions_of
from tests.services.test_bookings import TUESDAY, wish
from tests.services.test_instruments import HOURS, crowd, race
from tests.support.databases import RecordingOutbox
from tests.support.invariants import broken
from tests.support.parks import colleague, credit_code, person, verified_park
from tests.support.services import World, build_world, order_as, park_person, provider_person

__all__ = ["crowd"]
LICENCE, TRAINING = "上机培训证", "每月第一个周一培训，电话 0371-0000。"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    world = build_world(workshop)
    demand(workshop, world)
    yield world
    assert broken(workshop, INVARIANTS) == {}


def demand(workshop: WorkShop, world: World, name: str = LICENCE, training: str = TRAINING) -> None:
    facts = replace(world.instrument.facts, qualification=name, training=training)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(work, instrument_id=world.instrument.id, facts=facts, hours=HOURS, parks=None)


def ask(workshop: WorkShop, world: World, actor: Actor) -> QualificationView:
    with workshop.work(actor) as work:
        return qualifications.ask(work, instrument_id=world.instrument.id, evidence="已参加三月培训")


def grant(workshop: WorkShop, world: World, request: UUID, until: date = date(2026, 12, 31)) -> QualificationView:
    with workshop.work(world.provider) as work:
        return qualification_decisions.grant(work, request_id=request, until=until)


def revoke(workshop: WorkShop, actor: Actor, request: UUID, reason: str = "违规操作") -> QualificationView:
    with workshop.work(actor) as work:
        return qualification_decisions.revoke(work, request_id=request, reason=reason)


def qualified(workshop: WorkShop, world: World, actor: Actor, until: date = date(2026, 12, 31)) -> QualificationView:
    return grant(workshop, world, ask(workshop, world, actor).id, until)


def book(workshop: WorkShop, world: World, actor: Actor, at: datetime = TUESDAY) -> UUID:
    booking_id = order_as(workshop, actor, "lab", wish(world, at)).booking_id
    assert booking_id is not None
    return booking_id


def refusal(workshop: WorkShop, world: World, actor: Actor, at: datetime = TUESDAY) -> str:
    with pytest.raises(Conflict) as refused:
        book(workshop, world, actor, at)
    assert refused.value.code == "booking.not_qualified"
    assert [each.field for each in refused.value.errors] == ["request.responsible_id"]
    return str(refused.value.message)


def test_only_a_person_whose_qualification_is_valid_on_the_day_books(workshop: WorkShop, world: World) -> None:
    someone = park_person(new_id())
    said = refusal(workshop, world, someone)
    assert all(each in said for each in (LICENCE, TRAINING, "2026-03-03", "尚未申请", "上机资质"))
    asked = ask(workshop, world, someone)
    assert (asked.state, asked.qualification, asked.person_id, asked.provider_name) == (
        "requested", LICENCE, someone.user_id, "检测中心",
    )  # fmt: skip
    assert "正在审核" in refusal(workshop, world, someone)
    granted = grant(workshop, world, asked.id, date(2026, 3, 4))
    (step,) = granted.steps
    assert (granted.state, step.step, step.valid_until) == ("valid", "granted", date(2026, 3, 4))
    book(workshop, world, someone, TUESDAY)
    book(workshop, world, someone, TUESDAY + DAY)
    assert "有效至 2026-03-04" in refusal(workshop, world, someone, TUESDAY + 2 * DAY)
    other = replace(park_person(someone.tenant_id or new_id()), name="other")
    assert "尚未申请" in refusal(workshop, world, other, TUESDAY + HOUR)
    api = replace(someone, user_id=None, api_client_id=new_id())
    assert "没有写明使用人" in refusal(workshop, world, api, TUESDAY + HOUR)


def test_a_step_is_taken_once_and_says_why(workshop: WorkShop, world: World, outbox: RecordingOutbox) -> None:
    someone = park_person(new_id())
    asked = ask(workshop, world, someone)
    with pytest.raises(Conflict) as twice:
        ask(workshop, world, someone)
    assert twice.value.code == "qualification.open"
    with workshop.work(world.provider) as work, pytest.raises(Invalid) as unsaid:
        qualification_decisions.decline(work, request_id=asked.id, reason=" ")
    assert unsaid.value.errors[0].field == "reason"
    with pytest.raises(Invalid) as past:
        grant(workshop, world, asked.id, date(2026, 3, 1))
    assert past.value.errors[0].field == "valid_until"
    with pytest.raises(NotFound), workshop.work(provider_person(new_id())) as work:
        qualification_decisions.decline(work, request_id=asked.id, reason="x")
    with pytest.raises(NotAllowed), workshop.work(someone) as work:
        qualification_decisions.grant(work, request_id=asked.id, until=date(2026, 12, 31))
    with pytest.raises(Conflict) as early:
        revoke(workshop, world.provider, asked.id)
    assert early.value.code == "qualification.not_granted"
    with workshop.work(world.provider) as work:
        declined = qualification_decisions.decline(work, request_id=asked.id, reason="培训记录不全")
    assert (declined.state, declined.steps[0].reason) == ("declined", "培训记录不全")
    with pytest.raises(Conflict) as decided:
        grant(workshop, world, asked.id)
    assert decided.value.code == "qualification.decided"
    assert "未获通过" in refusal(workshop, world, someone)
    again = ask(workshop, world, someone)
    assert again.number == 2
    grant(workshop, world, again.id)
    book(workshop, world, someone)
    assert [each.name for each in outbox.events].count("qualification.decided") == 2


def test_revoking_keeps_what_is_booked_and_shows_it_to_the_provider(workshop: WorkShop, world: World) -> None:
    someone = park_person(new_id())
    held = qualified(workshop, world, someone)
    booked = book(workshop, world, someone)
    with workshop.work(world.provider) as work:
        assert qualification_decisions.list_lacking(work) == ()
    with pytest.raises(NotAllowed):
        revoke(workshop, replace(world.provider, user_id=None, api_client_id=new_id()), held.id)
    revoked = revoke(workshop, world.provider, held.id)
    assert (revoked.state, [each.step for each in revoked.steps]) == ("revoked", ["granted", "revoked"])
    with pytest.raises(Conflict):
        revoke(workshop, world.provider, held.id)
    assert "已被撤销" in refusal(workshop, world, someone, TUESDAY + HOUR)
    with workshop.work(world.provider) as work:
        assert [each.id for each in qualification_decisions.list_lacking(work)] == [booked]
    with workshop.work(provider_person(new_id())) as work:
        assert qualification_decisions.list_lacking(work) == ()
    with workshop.work(someone) as work, pytest.raises(Conflict) as unmoved:
        rebooking.reschedule(work, booking_id=booked, starts_at=TUESDAY + HOUR)
    assert unmoved.value.code == "booking.not_qualified"
    grant(workshop, world, ask(workshop, world, someone).id)
    with workshop.work(someone) as work:
        assert rebooking.reschedule(work, booking_id=booked, starts_at=TUESDAY + HOUR).revision == 1
    with workshop.work(world.provider) as work:
        assert qualification_decisions.list_lacking(work) == ()


def test_the_database_itself_keeps_the_unqualified_out(workshop: WorkShop, world: World) -> None:
    someone = park_person(new_id())
    held = qualified(workshop, world, someone)
    booked = book(workshop, world, someone)
    revoke(workshop, world.provider, held.id)
    copy = text(
        "INSERT INTO bookings SELECT (jsonb_populate_record(b, jsonb_build_object('id', CAST(:id AS text)))).*"
        " FROM bookings b LIMIT 1"
    )
    with workshop.work(someone) as work, pytest.raises(Conflict) as refused, qualifications.keeping_out():
        work.session.execute(copy, {"id": str(new_id())})
    assert (refused.value.code, TRAINING in str(refused.value.message)) == ("booking.not_qualified", True)
    move = text("UPDATE bookings SET starts_at = starts_at + interval '1 hour' WHERE id = :id")
    with workshop.work(someone) as work, pytest.raises(Conflict), qualifications.keeping_out():
        work.session.execute(move, {"id": booked})
    undone = text(
        "INSERT INTO qualification_steps SELECT tenant_id, request_id, 2, 'revoked', 'granted', NULL, 'x', taken_by,"
        " taken_by_name, taken_at FROM qualification_steps WHERE request_id = :id"
    )
    waiting = ask(workshop, world, someone)
    with workshop.work(world.provider) as work:
        qualification_decisions.decline(work, request_id=waiting.id, reason="x")
    with pytest.raises(DBAPIError, match="fk_qualification_steps_undoes"), workshop.work(world.provider) as work:
        work.session.execute(undone, {"id": waiting.id})


def test_of_bookings_and_the_revocation_at_once_every_one_made_is_made_before(
    workshop: WorkShop, world: World, crowd: WorkShop
) -> None:
    someone = park_person(new_id())
    held = qualified(workshop, world, someone)
    ends: list[str] = []

    def try_one(number: int) -> None:
        book(crowd, world, someone, TUESDAY + number * HOUR)
        ends.append("booked")

    tasks = [lambda number=number: try_one(number) for number in range(8)]
    refused = race([*tasks, lambda: revoke(crowd, world.provider, held.id)])
    assert {each.code for each in refused} <= {"booking.not_qualified"}
    assert len(ends) + len(refused) == 8
    with workshop.work(world.provider) as work:
        made = qualification_decisions.list_lacking(work)
    assert len(made) == len(ends), "the provider sees each that was made before"
    refusal(workshop, world, someone, TUESDAY + DAY)


def test_of_four_answers_at_once_one_counts(workshop: WorkShop, world: World, crowd: WorkShop) -> None:
    asked = ask(workshop, world, park_person(new_id()))
    refused = race([lambda: grant(crowd, world, asked.id)] * 4)
    assert [each.code for each in refused] == ["qualification.decided"] * 3


def test_one_person_asks_once_however_often_at_once(workshop: WorkShop, world: World, crowd: WorkShop) -> None:
    someone = park_person(new_id())
    refused = race([lambda: ask(crowd, world, someone)] * 4)
    assert [each.code for each in refused] == ["qualification.open"] * 3


def test_a_hold_is_refused_early_and_a_series_says_which_days(workshop: WorkShop, world: World) -> None:
    someone = park_person(new_id())
    with workshop.work(someone) as work, pytest.raises(Conflict) as refused:
        slot_holds.hold_slot(work, instrument_id=world.instrument.id, starts_at=TUESDAY, slots=1)
    assert refused.value.code == "booking.not_qualified"
    qualified(workshop, world, someone, date(2026, 3, 10))
    rule = SeriesRule(TUESDAY, 1, SeriesUnit.WEEK, 3, None)
    with workshop.work(someone) as work:
        slot_holds.hold_slot(work, instrument_id=world.instrument.id, starts_at=TUESDAY, slots=1)
        found = booking_series.preview_series(work, instrument_id=world.instrument.id, rule=rule, count=1)
    assert [each.state for each in found] == ["free", "free", "not_qualified"]
    assert "有效至 2026-03-10" in str(found[2].reason)


def test_an_administrator_books_for_a_qualified_colleague_and_hands_over_to_one_alone(
    workshop: WorkShop, world: World
) -> None:
    verified_park(workshop, 1)
    admin = person(workshop, "admin1")
    member = person(workshop, colleague(workshop, "admin1", Role.PARK_MEMBER))
    qualified(workshop, world, member)
    named = wish(world) | {"responsible_id": str(member.user_id)}
    booked = order_as(workshop, admin, "lab", named).booking_id
    assert booked is not None
    with workshop.work(admin) as work, pytest.raises(Conflict) as refused:
        rebooking.hand_over(work, booking_id=booked, to=admin.user_id or new_id())
    assert (refused.value.code, refused.value.errors[0].field) == ("booking.not_qualified", "to")
    qualified(workshop, world, admin)
    with workshop.work(admin) as work:
        handed = rebooking.hand_over(work, booking_id=booked, to=admin.user_id or new_id())
    assert handed.responsible_id == admin.user_id
    with pytest.raises(Invalid) as stranger:
        order_as(workshop, admin, "lab", wish(world, TUESDAY + HOUR) | {"responsible_id": str(new_id())})
    assert stranger.value.errors[0].field == "request.responsible_id"


def test_a_hold_and_a_series_are_for_the_colleague_that_is_named(workshop: WorkShop, world: World) -> None:
    verified_park(workshop, 1)
    admin = person(workshop, "admin1")
    member = person(workshop, colleague(workshop, "admin1", Role.PARK_MEMBER))
    qualified(workshop, world, member)
    lab, rule = world.instrument.id, SeriesRule(TUESDAY, 1, SeriesUnit.WEEK, 2, None)
    with workshop.work(admin) as work:
        for named, state in ((None, "not_qualified"), (member.user_id, "free")):
            found = booking_series.preview_series(work, instrument_id=lab, rule=rule, count=1, responsible_id=named)
            assert [each.state for each in found] == [state] * 2
        with pytest.raises(Conflict) as own:
            slot_holds.hold_slot(work, instrument_id=lab, starts_at=TUESDAY, slots=1)
        assert own.value.errors[0].field == "responsible_id"
        slot_holds.hold_slot(work, instrument_id=lab, starts_at=TUESDAY, slots=1, responsible_id=member.user_id)
        for stranger in (new_id(), world.provider.user_id):
            with pytest.raises(Invalid) as nobody:
                booking_series.preview_series(work, instrument_id=lab, rule=rule, count=1, responsible_id=stranger)
            assert nobody.value.errors[0].field == "responsible_id"
            with pytest.raises(Invalid):
                slot_holds.hold_slot(work, instrument_id=lab, starts_at=TUESDAY, slots=1, responsible_id=stranger)


def test_what_a_park_may_not_see_lets_nobody_of_it_in(workshop: WorkShop, world: World) -> None:
    verified_park(workshop, 1)
    someone = park_person(new_id())
    qualified(workshop, world, someone)
    booked = book(workshop, world, someone)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(work, instrument_id=world.instrument.id, hours=HOURS, parks=[credit_code(1)])
    move = text("UPDATE bookings SET starts_at = starts_at + interval '1 hour' WHERE id = :id")
    with pytest.raises(ProgrammingError, match="row-level security"), workshop.work(someone) as work:
        work.session.execute(move, {"id": booked})
    with pytest.raises(NotFound), workshop.work(someone) as work:
        rebooking.reschedule(work, booking_id=booked, starts_at=TUESDAY + timedelta(hours=1))
    with workshop.work(someone) as work:
        deliveries.cancel_delivery(work, booking_id=booked)


def test_a_booking_of_what_was_closed_is_handed_over_to_who_is_qualified(workshop: WorkShop, world: World) -> None:
    verified_park(workshop, 1)
    verified_park(workshop, 2)
    admin = person(workshop, "admin1")
    member = person(workshop, colleague(workshop, "admin1", Role.PARK_MEMBER))
    qualified(workshop, world, admin)
    booked = book(workshop, world, admin)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(work, instrument_id=world.instrument.id, hours=HOURS, parks=[credit_code(2)])
    assert member.user_id is not None
    with pytest.raises(Conflict) as refused, workshop.work(admin) as work:
        rebooking.hand_over(work, booking_id=booked, to=member.user_id)
    assert refused.value.code == "booking.not_qualified"
    with workshop.work(world.provider) as work:
        instruments.change_instrument(work, instrument_id=world.instrument.id, hours=HOURS, parks=None)
    qualified(workshop, world, member)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(work, instrument_id=world.instrument.id, hours=HOURS, parks=[credit_code(2)])
    with workshop.work(admin) as work:
        handed = rebooking.hand_over(work, booking_id=booked, to=member.user_id)
    assert handed.responsible_id == member.user_id
    with pytest.raises(NotFound), workshop.work(admin) as work:
        instruments.read_instrument(work, instrument_id=world.instrument.id)
    with pytest.raises(Invalid):
        order_as(workshop, admin, "lab", wish(world, TUESDAY + 2 * HOUR))
    grab = text(
        "INSERT INTO reservations (provider_id, id, instrument_id, unit, during, active, created_at) SELECT provider_id,"
        " gen_random_uuid(), id, 1, tstzrange('2026-03-05 01:00+00', '2026-03-05 02:00+00'), true, now() FROM instruments"
    )
    with pytest.raises(ProgrammingError, match="row-level security"), workshop.work(admin) as work:
        work.session.execute(grab)
    with workshop.work(admin) as work:
        deliveries.cancel_delivery(work, booking_id=booked)
    with workshop.work(admin) as work:
        assert work.session.execute(text("SELECT id FROM instruments")).all() == [], "nothing is booked of it any more"


def test_who_sees_what(workshop: WorkShop, world: World) -> None:
    park = new_id()
    manager = park_person(park)
    permissions = permissions_of(OrganisationKind.PARK, [Role.PARK_MEMBER])
    member = Actor("member", Reach.TENANT, permissions, new_id(), park, park)
    with workshop.work(member) as work:
        kept = artefacts.upload(work, name="证书.pdf", media_type="application/pdf", content=b"%PDF")
        asked = qualifications.ask(work, instrument_id=world.instrument.id, evidence="证书见附件", artefact_id=kept.id)
    ask(workshop, world, manager)
    stranger = park_person(new_id())
    for actor, seen in (
        (member, 1), (manager, 2), (world.provider, 2), (stranger, 0), (provider_person(new_id()), 0),
    ):  # fmt: skip
        with workshop.work(actor) as work:
            assert len(qualifications.list_requests(work).items) == seen
            if seen:
                assert qualifications.open_evidence(work, request_id=asked.id).content == b"%PDF"
            else:
                with pytest.raises(NotFound):
                    qualifications.open_evidence(work, request_id=asked.id)
    with workshop.work(world.provider) as work:
        first = qualifications.list_requests(work, limit=1)
        (second,) = qualifications.list_requests(work, limit=1, cursor=first.next_cursor).items
    assert {first.items[0].id, second.id} >= {asked.id}
    with workshop.work(stranger) as work, pytest.raises(NotFound):
        qualifications.ask(work, instrument_id=world.instrument.id, evidence="x", artefact_id=kept.id)


def test_the_terms_are_versioned_and_need_their_training(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    with pytest.raises(Invalid) as untaught:
        demand(workshop, world, training=" ")
    assert untaught.value.errors[0].field == "training"
    with workshop.work(world.provider) as work:
        newest = instrument_versions.list_versions(work, instrument_id=world.instrument.id)[0]
    assert (newest.changed, newest.document["qualification"]) == (("qualification", "training"), LICENCE)
    someone = park_person(new_id())
    qualified(workshop, world, someone, date(2026, 3, 4))
    with workshop.work(someone) as work:
        view = instruments.read_instrument(work, instrument_id=world.instrument.id)
        standing = qualifications.standings(work, instruments=[view])[view.id]
    assert (standing.state, standing.training, standing.valid_until) == ("valid", TRAINING, date(2026, 3, 4))
    clock.instant += 3 * DAY
    with workshop.work(someone) as work:
        assert qualifications.standings(work, instruments=[view])[view.id].state == "expired"
    demand(workshop, world, "", "")
    book(workshop, world, someone, TUESDAY + 6 * DAY)
    with workshop.work(someone) as work, pytest.raises(Invalid):
        qualifications.ask(work, instrument_id=world.instrument.id, evidence="x")


@pytest.mark.parametrize("table", ["qualification_requests", "qualification_steps"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET tenant_id = tenant_id"])
def test_what_is_written_stays(workshop: WorkShop, world: World, table: str, change: str) -> None:
    for actor in (system_actor("test"), park_person(new_id())):
        with workshop.work(actor) as work, pytest.raises(ProgrammingError, match="permission denied"):
            work.session.execute(text(change.format(table)))


DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 12))
REQUESTS = st.lists(
    st.one_of(
        st.tuples(st.just(None), st.just(None)),
        st.tuples(st.just(QualificationStep.DECLINED), st.just(None)),
        st.tuples(st.sampled_from([QualificationStep.GRANTED, QualificationStep.REVOKED]), DAYS),
    ),
    max_size=5,
)


@given(REQUESTS, DAYS)
def test_a_day_is_valid_exactly_when_a_standing_grant_reaches_it(
    given_steps: list[tuple[QualificationStep | None, date | None]], day: date
) -> None:
    requests = [Asked(number, step, until) for number, (step, until) in enumerate(given_steps, 1)]
    standing = [until for step, until in given_steps if step is QualificationStep.GRANTED and until is not None]
    assert valid_until(requests) == max(standing, default=None)
    state = state_on(requests, day)
    assert (state is QualificationState.VALID) == any(day <= until for until in standing)
    assert (state is QualificationState.NONE) == (not requests)
    assert state_on(list(reversed(requests)), day) is state, "the order in which they come does not matter"
