"""Case-by-case decisions: three people, a limit that holds at any number of checkouts, and an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from billing.usecases import exemptions, holds, invariants, quotes
from billing.usecases.evidence import Upload
from billing.usecases.invariants_exemptions import INVARIANTS_EXEMPTIONS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import Work, WorkShop
from tests.support.databases import Database
from tests.support.exemptions import SECOND, approve, grant, read, revoke, submit, wish
from tests.support.invariants import broken
from tests.support.parks import verified_park
from tests.support.plays import at_once
from tests.support.subsidies import (
    APPROVER,
    OFFICER,
    YUAN,
    approve_programme,
    ask,
    check_out,
    fill_fund,
    fund_now,
    park,
    policy,
    price,
)

ALL = (*invariants.INVARIANTS, *INVARIANTS_EXEMPTIONS)


def acting_for(park_id: UUID) -> Actor:
    return system_actor("park", tenant_id=park_id, on_behalf_of=new_id())


@pytest.fixture
def shop(database: Database) -> Iterator[WorkShop]:
    """Work with a connection for every thread."""
    engine = database.engine(pool_size=16, max_overflow=0)
    yield WorkShop(engine, ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent())
    engine.dispose()


def stage(shop: WorkShop, number: int = 1, **terms: Any) -> Actor:
    """A park, and a programme that gives 60 % of a run that costs 10,000 yuan."""
    if number == 1:
        fill_fund(shop, "province", 10_000_000 * YUAN)
        approve_programme(shop, "tech", policy(**terms))
        price(shop, "twin")
    return acting_for(verified_park(shop, number).id)


def id_of(actor: Actor) -> UUID:
    return actor.require_tenant()


def test_three_people_decide_and_the_park_gets_what_was_decided(shop: WorkShop) -> None:
    actor = stage(shop)
    made = submit(shop, id_of(actor))
    assert (made.state, made.park_name, made.used_fen, made.left_fen) == ("submitted", "第 1 园区", 0, 2_000_000)
    assert ask(shop, actor, "twin").subsidy_fen == 600_000
    for person in (OFFICER, replace(APPROVER, user_id=OFFICER.user_id)):
        with pytest.raises(Conflict) as refused:
            approve(shop, made.id, person)
        assert refused.value.code == "exemption.same_person"
    assert approve(shop, made.id, APPROVER).state == "first_approved"
    with pytest.raises(Conflict) as refused:
        approve(shop, made.id, APPROVER)
    assert refused.value.code == "exemption.same_person"
    assert ask(shop, actor, "twin").subsidy_fen == 600_000
    in_force = approve(shop, made.id, SECOND)
    assert (in_force.state, in_force.deciders) == (
        "in_force", frozenset({OFFICER.user_id, APPROVER.user_id, SECOND.user_id}),
    )  # fmt: skip
    quote = ask(shop, actor, "twin")
    award = quote.lines[0].awards[0]
    assert (award.amount_fen, award.rate_bp, award.reasons) == (800_000, 8000, ("EXEMPTION",))
    assert award.exemption is not None
    assert (award.exemption.id, award.exemption.document_no) == (made.id, "豫科〔2026〕9号")
    with shop.work(actor) as work:
        assert quotes.read_quote(work, quote_id=quote.id) == quote
    assert ask(shop, stage(shop, 2), "twin").subsidy_fen == 600_000


def test_what_is_held_counts_and_what_is_released_comes_back(shop: WorkShop) -> None:
    actor = stage(shop)
    made = grant(shop, id_of(actor), limit_fen=10_000 * YUAN)
    quote = ask(shop, actor, "twin", "twin")
    assert [line.subsidy_fen for line in quote.lines] == [800_000, 600_000]
    lines, held = check_out(shop, actor, quote)
    assert read(shop, actor, made.id).used_fen == 800_000
    with shop.work(actor) as work:
        uses = exemptions.list_exemption_uses(work, exemption_id=made.id)
    assert [(use.order_line_id, use.quote_id, use.held_fen, use.status) for use in uses] == [
        (lines[0], quote.id, 800_000, "held")
    ]
    assert [line.subsidy_fen for line in ask(shop, actor, "twin").lines] == [600_000]
    with shop.work(system_actor("jobs")) as work:
        holds.capture_holds(work, order_line_id=lines[0], amount_fen=500_000)
    assert read(shop, actor, made.id).used_fen == 500_000
    check_out(shop, actor, ask(shop, actor, "twin"))
    assert broken(shop, ALL) == {}
    other, _ = check_out(shop, actor, again := ask(shop, actor, "twin"))
    assert again.lines[0].awards[0].exemption is None
    assert held[0].amount_fen == 800_000
    with shop.work(actor) as work:
        holds.release_lines(work, order_line_ids=[*lines, *other], reason="order.cancelled")
        replayed = quotes.replay_quote(work, quote_id=quote.id)
    assert replayed["subsidy_fen"] == quote.subsidy_fen
    assert replayed["lines"][0]["awards"][0]["exemption"] == {"id": str(made.id), "document_no": "豫科〔2026〕9号"}
    assert broken(shop, ALL) == {}


def test_checkouts_racing_for_the_last_of_a_limit_never_pass_it(shop: WorkShop) -> None:
    actor = stage(shop)
    made = grant(shop, id_of(actor), limit_fen=3 * 8_000 * YUAN + 7_999_99)
    shown = [ask(shop, actor, "twin") for _ in range(12)]
    results = at_once([partial(check_out, shop, actor, quote) for quote in shown])
    won = [each for each in results if not isinstance(each, str)]
    assert len(won) == 3
    assert {each for each in results if isinstance(each, str)} <= {"cap.reached", "quote.subsidy_changed"}
    assert read(shop, actor, made.id).used_fen == 3 * 8_000 * YUAN
    assert broken(shop, ALL) == {}


def test_checkouts_racing_for_the_last_order_of_a_decision_share_it(shop: WorkShop) -> None:
    actor = stage(shop)
    made = grant(shop, id_of(actor), limit_fen=10**9, order_limit=2)
    shown = [ask(shop, actor, "twin", "twin") for _ in range(8)]
    results = at_once([partial(check_out, shop, actor, quote) for quote in shown])
    won = [each for each in results if not isinstance(each, str)]
    assert len(won) == 2
    assert {each for each in results if isinstance(each, str)} <= {"exemption.not_in_force", "quote.subsidy_changed"}
    now = read(shop, actor, made.id)
    assert (now.state, now.orders, now.used_fen) == ("used_up", 2, 4 * 8_000 * YUAN)
    assert ask(shop, actor, "twin").subsidy_fen == 600_000
    with shop.work(actor) as work:
        holds.release_lines(work, order_line_ids=won[0][0], reason="order.cancelled")
    assert (read(shop, actor, made.id).state, ask(shop, actor, "twin").subsidy_fen) == ("in_force", 800_000)
    assert broken(shop, ALL) == {}


def test_an_expired_and_a_revoked_decision_give_nothing_more(shop: WorkShop) -> None:
    actor = stage(shop)
    made = grant(shop, id_of(actor))
    shown = ask(shop, actor, "twin")
    revoke(shop, made.id)
    with pytest.raises(Conflict) as refused:
        check_out(shop, actor, shown)
    assert refused.value.code == "quote.subsidy_changed"
    with pytest.raises(Conflict) as refused:
        revoke(shop, made.id)
    assert refused.value.code == "exemption.wrong_status"
    assert ask(shop, actor, "twin").subsidy_fen == 600_000
    second = grant(shop, id_of(actor))
    assert isinstance(shop.clock, ManualClock)
    shop.clock.advance(timedelta(days=90) - timedelta(minutes=1))
    shown = ask(shop, actor, "twin")
    assert shown.subsidy_fen == 800_000
    shop.clock.advance(timedelta(minutes=1))
    with pytest.raises(Conflict, match="补贴有变化"):
        check_out(shop, actor, shown)
    assert read(shop, actor, second.id).state == "expired"
    late = submit(shop, id_of(actor), document_no="豫科〔2026〕10号")
    shop.clock.advance(timedelta(days=91))
    with pytest.raises(Conflict) as refused:
        approve(shop, late.id, APPROVER)
    assert refused.value.code == "exemption.expired"
    assert broken(shop, ALL) == {}


def test_a_revocation_after_the_confirmation_is_met_before_the_fund(shop: WorkShop) -> None:
    """The checkout has confirmed and not held yet when the decision is revoked."""
    actor = stage(shop)
    made = grant(shop, id_of(actor))
    shown = ask(shop, actor, "twin")

    def late(work: Work) -> None:
        confirmed = quotes.confirm_quote(work, quote_id=shown.id)
        revoke(shop, made.id)
        holds.hold_subsidies(work, quote=confirmed, line_ids=[new_id()], expires_at=work.now)

    with pytest.raises(Conflict) as refused, shop.work(actor) as work:
        late(work)
    assert refused.value.code == "exemption.not_in_force"
    assert read(shop, actor, made.id).used_fen == 0


def test_a_lifted_ceiling_and_a_lower_one_meet_in_one_order(shop: WorkShop) -> None:
    actor = stage(shop, caps=[{"scope": "entity_year", "amount_fen": 10_000 * YUAN}])
    price(shop, "leads", "5000")
    grant(shop, id_of(actor), offering="leads", terms={"ceilings": {"entity_year": None}})
    quote = ask(shop, actor, "twin", "twin", "leads")
    assert [line.subsidy_fen for line in quote.lines] == [600_000, 400_000, 300_000]
    check_out(shop, actor, quote)
    assert [line.subsidy_fen for line in ask(shop, actor, "twin", "leads").lines] == [0, 300_000]
    assert broken(shop, ALL) == {}


def test_a_window_extended_for_one_park_is_over_for_the_others(shop: WorkShop) -> None:
    actor, other = stage(shop, window={"from": "2026-03-02", "to": "2026-04-01"}), stage(shop, 2)
    grant(shop, id_of(actor), terms={"window_to": "2026-05-01"})
    assert isinstance(shop.clock, ManualClock)
    shop.clock.advance(timedelta(days=40))
    assert (ask(shop, actor, "twin").subsidy_fen, ask(shop, other, "twin").subsidy_fen) == (600_000, 0)
    check_out(shop, actor, ask(shop, actor, "twin"))
    shop.clock.advance(timedelta(days=20))
    assert ask(shop, actor, "twin").subsidy_fen == 0


def test_another_parks_decision_is_not_found_and_not_listed(shop: WorkShop) -> None:
    actor, other = stage(shop), stage(shop, 2)
    made = grant(shop, id_of(actor))
    with pytest.raises(NotFound):
        read(shop, other, made.id)
    with shop.work(other) as work:
        assert exemptions.list_exemptions(work, park_id=id_of(actor)).items == ()
        with pytest.raises(NotFound):
            exemptions.list_exemption_uses(work, exemption_id=made.id)
    with shop.work(actor) as work:
        assert [each.id for each in exemptions.list_exemptions(work).items] == [made.id]
    with shop.work(OFFICER) as work:
        first = exemptions.list_exemptions(work, limit=1)
        assert [each.id for each in first.items] == [made.id]
        assert exemptions.list_exemptions(work, park_id=id_of(other)).items == ()


def test_what_cannot_be_meant_is_refused_with_every_field(shop: WorkShop) -> None:
    actor = stage(shop)
    hopeless = wish(
        shop, new_id(), programme="none", offering="nothing", limit_fen=0, order_limit=0, document_no=" ",
        reason="x" * 501, expires_at=shop.clock.now(),
        terms={"waived_facts": ["related_party", "shoe_size"], "ceilings": {"fund_year": 1}},
    )  # fmt: skip
    with pytest.raises(Invalid) as refused, shop.work(OFFICER) as work:
        exemptions.submit_exemption(work, wish=hopeless)
    assert sorted(error.field for error in refused.value.errors) == [
        "document_no", "expires_at", "limit_fen", "offering", "order_limit", "park_id", "programme", "reason",
        "terms.ceilings.fund_year", "terms.waived_facts", "terms.waived_facts",
    ]  # fmt: skip
    for terms in ({}, {"rate": 1}, {"rate_bp": 10_001}):
        with pytest.raises(Invalid) as refused:
            submit(shop, id_of(actor), terms=terms)
        assert refused.value.errors[0].field.startswith("terms.rate")
    with pytest.raises(Invalid) as refused:
        submit(shop, id_of(actor), Upload("a.pdf", "application/pdf", b""))
    assert refused.value.errors[0].field == "evidence"
    for park_id, field in ((id_of(actor), "evidence_id"), (new_id(), "park_id")):
        with pytest.raises(Invalid) as refused, shop.work(OFFICER) as work:
            exemptions.submit_exemption(work, wish=wish(shop, park_id))
        assert [error.field for error in refused.value.errors] == [field]
    with pytest.raises(Invalid) as refused:
        submit(shop, new_id())
    assert refused.value.errors[0].field == "park_id"
    submit(shop, id_of(actor))
    with pytest.raises(Conflict) as taken:
        submit(shop, id_of(actor))
    assert taken.value.code == "exemption.document_taken"
    with pytest.raises(Invalid):
        revoke(shop, new_id(), " ")


def test_rights_are_apart(shop: WorkShop) -> None:
    actor = stage(shop)
    made = submit(shop, id_of(actor))
    for step, right in (
        (exemptions.approve_exemption, "exemption:approve"),
        (partial(exemptions.revoke_exemption, reason="x"), "exemption:revoke"),
    ):
        person = replace(OFFICER, permissions=OFFICER.permissions - {right})
        with pytest.raises(NotAllowed), shop.work(person) as work:
            step(work, exemption_id=made.id)
    with pytest.raises(NotAllowed, match="具名人员"), shop.work(system_actor("robot")) as work:
        exemptions.approve_exemption(work, exemption_id=made.id)


def test_the_database_holds_the_three_people_and_what_was_written(shop: WorkShop, database: Database) -> None:
    made = grant(shop, id_of(stage(shop)))
    staff = system_actor("staff")
    for column in ("limit_fen = 1", "terms = '{}'", "expires_at = now()", "written_by = id"):
        with pytest.raises(ProgrammingError, match="permission denied"), shop.work(staff) as work:
            work.session.execute(text(f"UPDATE exemptions SET {column}"))
    for change in (
        "second_approved_by = first_approved_by",
        "second_approved_by = written_by",
        "second_approved_by = NULL, second_approved_at = NULL",
        "status = 'submitted'",
        "status = 'revoked'",
    ):
        with pytest.raises(IntegrityError, match="ck_exemptions"), shop.work(staff) as work:
            work.session.execute(text(f"UPDATE exemptions SET {change}"))
    with pytest.raises(ProgrammingError, match="permission denied"), shop.work(staff) as work:
        work.session.execute(text("UPDATE exemption_uses SET amount_fen = 1"))
    with pytest.raises(ProgrammingError, match="permission denied"), shop.work(park()) as work:
        work.session.execute(text("INSERT INTO exemptions (tenant_id, id) SELECT tenant_id, id FROM exemptions"))
    assert made.state == "in_force"


def test_check_finds_a_decision_that_gave_too_much(shop: WorkShop, database: Database) -> None:
    actor = stage(shop)
    made = grant(shop, id_of(actor))
    check_out(shop, actor, ask(shop, actor, "twin"))
    assert broken(shop, ALL) == {}
    owner = database.owner()

    def tamper(*statements: str) -> set[str]:
        with owner.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        return set(broken(shop, ALL))

    assert tamper("UPDATE exemptions SET limit_fen = 1") == {"exemptions-within-limits"}
    assert (
        tamper(f"UPDATE exemptions SET limit_fen = {made.limit_fen}", "UPDATE exemptions SET order_limit = 1") == set()
    )
    assert tamper("UPDATE exemption_uses SET amount_fen = amount_fen + 1") == {"exemption-uses-are-holds"}
    assert tamper(
        "UPDATE exemption_uses SET amount_fen = amount_fen - 1",
        "UPDATE holds SET ceilings = '[]'",
        "DELETE FROM cap_counters",
    ) == {"exemption-uses-are-holds"}
    assert tamper("DELETE FROM exemption_uses") == set()
    assert tamper(
        "ALTER TABLE exemptions DROP CONSTRAINT ck_exemptions_six_eyes",
        "UPDATE exemptions SET second_approved_by = first_approved_by",
    ) == {"exemptions-six-eyes"}
    owner.dispose()
    assert fund_now(shop, _only_fund(shop)).held_fen == 800_000


def _only_fund(shop: WorkShop) -> UUID:
    with shop.work(OFFICER) as work:
        found: UUID = work.session.execute(text("SELECT id FROM funds")).scalar_one()
    return found
