"""Claims from the open batch to the last payment: three people, public notice, lines that go back, nothing twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.rules.claims import (
    NOTICE_DAYS,
    DueLine,
    LineProof,
    Proof,
    end_after_days,
    exemption_of,
    missing_proofs,
    payee_kind_of,
    payouts_of,
)
from billing.rules.clawbacks import ClawbackCause
from billing.usecases import acceptances, claim_corrections, claim_notice, claim_payouts, claim_review, claims
from billing.usecases.claim_review import Return
from billing.usecases.evidence import Upload
from marketplace.usecases import invariants
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import WorkShop
from tests.support import deliveries, subsidies
from tests.support.billing_world import make_world
from tests.support.claims import FINANCE, FIRST, SECOND, Claims, claimed
from tests.support.returns import Returns

SYSTEM = system_actor("test")
DAWN, DUSK = datetime(2020, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
COMPLETE = LineProof(new_id(), "D-1", "e", "automatic", "0" * 64, "DEMO-2026-0001", invoice_paid=True, payable_fen=1)


@pytest.fixture
def story(workshop: WorkShop, clock: ManualClock) -> Claims:
    return claimed(make_world(workshop, clock))


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Problem) as refused:
        call(*arguments, **named)
    return refused.value.code


def assert_invariants(story: Claims) -> None:
    with story.world.shop.work(SYSTEM) as work:
        assert invariants.check(work) == ()


def execute(story: Claims, sql: str, **values: Any) -> Any:
    with story.world.shop.work(SYSTEM) as work:
        return work.session.execute(text(sql), values)


def test_a_month_is_claimed_reviewed_twice_shown_and_paid(story: Claims) -> None:
    batch = story.batch()
    assert (batch.status, batch.lines, batch.amount_fen) == ("open", 2, 1_200_000)
    with story.world.shop.work(FINANCE) as work:
        lacking = claims.check_batch(work, batch_id=batch.id)
    assert {each.missing for each in lacking} == {(Proof.ACCEPTANCE,)}, "silence is noted at submission"
    noticed = story.to_notice()
    assert noticed.status == "notice"
    assert noticed.notice_until is not None
    assert noticed.notice_until.astimezone(CHINA).isoformat() == "2026-04-24T00:00:00+08:00"
    line = story.lines(batch.id)[0]
    assert (line.acceptance, line.invoice_paid, line.missing) == ("automatic", True, ())
    assert line.payment_references
    assert refusal(story.prepare) == "claim.under_notice"
    with story.world.shop.work(SYSTEM) as work:
        (notice,) = claim_notice.list_notices(work)
        shown = claim_notice.read_notice(work, batch_id=batch.id)
    assert (notice.amount_fen, len(shown.lines)) == (1_200_000, 2)
    assert {each.amount_fen for each in shown.lines} == {600_000}
    story.clock.instant = noticed.notice_until
    with story.world.shop.work(SYSTEM) as work:
        assert claim_notice.list_notices(work) == ()
    (payout,) = story.prepare()
    assert (payout.payee_kind, payout.payee_id, payout.amount_fen, payout.lines) == (
        "provider", deliveries.PROVIDER, 1_200_000, 2,
    )  # fmt: skip
    assert refusal(story.prepare) == "claim.nothing_due"
    paid = story.pay(payout.id, "国库-001")
    assert story.pay(payout.id, "国库-001") == paid, "a repeat changes nothing"
    assert refusal(story.pay, payout.id, "国库-002") == "payout.settled"
    done = story.batch()
    assert (done.status, done.paid_fen, done.unpaid_fen) == ("done", 1_200_000, 0)
    fund = subsidies.fund_now(story.world.shop, story.world.fund)
    assert (fund.captured_fen, fund.disbursed_fen) == (0, 1_200_000)
    assert story.world.balances()[f"receivable:fund:{story.world.fund}"] == 0
    with story.world.shop.work(FINANCE) as work:
        steps = claims.read_steps(work, line_id=line.id)
    assert [step.kind for step in steps] == ["submitted", "paid"]
    assert steps[0].details["invoice"] == line.invoice_number
    assert_invariants(story)


def test_reviewers_and_payer_are_other_people(story: Claims) -> None:
    assert refusal(story.review, FIRST, "first") == "claim.reviewed", "nothing is submitted"
    story.submit()
    assert refusal(story.submit) == "claim.submitted"
    assert refusal(story.review, FINANCE, "first") == "claim.same_person"
    assert refusal(story.review, FIRST, "second") == "claim.reviewed"
    story.review(FIRST, "first")
    assert refusal(story.review, FIRST, "second") == "claim.same_person"
    assert refusal(story.review, FINANCE, "second") == "claim.same_person"
    noticed = story.review(SECOND, "second")
    assert noticed.notice_until is not None
    story.clock.instant = noticed.notice_until
    for reviewer in (FIRST, SECOND):
        assert refusal(story.prepare, reviewer) == "payout.same_person"
    (payout,) = story.prepare()
    for reviewer in (FIRST, SECOND):
        assert refusal(story.pay, payout.id, "X", reviewer) == "payout.same_person"
    machine = system_actor("machine")
    with story.world.shop.work(machine) as work:
        assert refusal(claim_payouts.prepare_payouts, work, batch_id=noticed.id) == "auth.person_needed"
    powerless = replace(FIRST, permissions=frozenset({Permission.READ_FUND, Permission.RUN_PLATFORM}))
    for call in (
        lambda work: claim_review.submit_batch(work, batch_id=noticed.id),
        lambda work: claim_review.review_batch(work, batch_id=noticed.id, stage="first"),
        lambda work: claim_payouts.prepare_payouts(work, batch_id=noticed.id),
        lambda work: claim_payouts.record_payment(
            work, payout_id=payout.id, payment_reference="X", paid_on=date(2026, 4, 24)
        ),
    ):
        with story.world.shop.work(powerless) as work:
            assert refusal(call, work) == "auth.not_allowed"


BY_HAND = {
    "ck_claim_batches_first_reviewer_is_another": "UPDATE claim_batches SET first_reviewed_by = submitted_by",
    "ck_claim_batches_second_reviewer_is_another": "UPDATE claim_batches SET second_reviewed_by = first_reviewed_by",
    "ck_claim_batches_reviewed_twice": "UPDATE claim_batches SET status = 'disbursed', second_reviewed_by = NULL",
    "ck_claim_batches_notice_long_enough": "UPDATE claim_batches SET notice_until = notice_from + interval '4 days'",
    "ck_claim_batches_submitted": "UPDATE claim_batches SET status = 'open'",
}


@pytest.mark.parametrize("constraint", BY_HAND)
def test_the_database_keeps_the_reviewers_apart(story: Claims, constraint: str) -> None:
    story.to_notice()
    with pytest.raises(IntegrityError, match=constraint):
        execute(story, BY_HAND[constraint])


def test_the_database_keeps_reviewers_from_paying(story: Claims) -> None:
    story.after_notice()
    (payout,) = story.prepare()
    paid = "UPDATE payouts SET status = 'paid', payment_reference = 'x', paid_on = now(), paid_at = now(), paid_by ="
    with pytest.raises(IntegrityError, match="ck_payouts_payer_did_not_review"):
        execute(story, f"{paid} :who", who=SECOND.user_id)
    with pytest.raises(IntegrityError, match="fk_payouts_reviewers"):
        execute(story, "UPDATE payouts SET first_reviewed_by = :who", who=new_id())
    with pytest.raises(IntegrityError, match="fk_payouts_reviewers"):
        execute(story, "UPDATE claim_batches SET first_reviewed_by = :who", who=new_id())
    assert story.pay(payout.id, "国库-001").status == "paid"


def test_the_month_must_be_over_and_lines_complete(story: Claims) -> None:
    late = story.world.park(3)
    story.clock.instant -= timedelta(days=20)
    story.world.deliver(late, "twin")
    assert refusal(story.submit) == "claim.month_running"
    story.clock.instant += timedelta(days=20)
    with story.world.shop.work(FINANCE) as work, pytest.raises(Conflict) as refused:
        claim_review.submit_batch(work, batch_id=story.batch().id)
    assert refused.value.code == "claim.incomplete"
    assert {error.code for error in refused.value.errors} == {"claim.missing.invoice", "claim.missing.payment"}
    batch = story.submit(defer=True)
    assert (batch.lines, batch.amount_fen) == (2, 1_200_000)
    following = story.batch("2026-04")
    assert (following.status, following.lines) == ("open", 1)
    (line,) = story.lines(following.id)
    with story.world.shop.work(FINANCE) as work:
        (step,) = claims.read_steps(work, line_id=line.id)
    assert (step.kind, step.details["missing"]) == ("deferred", ["acceptance", "invoice", "payment"][1:])


def test_a_delivery_is_accepted_disputed_or_left(story: Claims) -> None:
    park = story.parks[0]
    line = next(each for each in story.lines(story.batch().id) if each.tenant_id == park.tenant_id)
    with story.world.shop.work(park) as work:
        assert refusal(acceptances.dispute_delivery, work, order_line_id=line.order_line_id, note=" ") == (
            "acceptance.reason_needed"
        )
        acceptances.dispute_delivery(work, order_line_id=line.order_line_id, note="报告缺页")
    with story.world.shop.work(story.parks[1]) as work, pytest.raises(NotFound):
        acceptances.accept_delivery(work, order_line_id=line.order_line_id)
    assert refusal(story.submit) == "claim.incomplete", "a dispute outlasts the days of silence"
    story.clock.advance(timedelta(minutes=1))
    with story.world.shop.work(park) as work:
        said = acceptances.accept_delivery(work, order_line_id=line.order_line_id)
        assert acceptances.accept_delivery(work, order_line_id=line.order_line_id) == said
        assert refusal(acceptances.dispute_delivery, work, order_line_id=line.order_line_id, note="x") == (
            "acceptance.accepted"
        )
    assert story.submit().status == "first_review"
    kinds = {each.acceptance for each in story.lines(story.batch().id)}
    assert kinds == {"accepted", "automatic"}


def test_a_line_goes_back_is_completed_and_claimed_again(story: Claims) -> None:
    submitted = story.submit()
    one, other = story.lines(submitted.id)
    assert refusal(story.review, FIRST, "first", Return(one.id, " ")) == "claim.reason_needed"
    with pytest.raises(NotFound):
        story.review(FIRST, "first", Return(new_id(), "无"))
    reviewed = story.review(FIRST, "first", Return(one.id, "合同编号不清"))
    assert (reviewed.lines, reviewed.amount_fen, reviewed.returned_lines, reviewed.returned_fen) == (
        1, 600_000, 1, 600_000,
    )  # fmt: skip
    with story.world.shop.work(FINANCE) as work:
        kept = claim_corrections.attach_evidence(
            work, line_id=one.id, kind="contract", file=Upload("合同.pdf", "application/pdf", b"%PDF contract")
        )
        assert refusal(
            claim_corrections.attach_evidence, work, line_id=other.id, kind="contract",
            file=Upload("合同.pdf", "application/pdf", b"%PDF other"),
        ) == "claim.under_review"  # fmt: skip
        assert refusal(claim_corrections.complete_line, work, line_id=one.id, note="") == "claim.reason_needed"
        again = claim_corrections.complete_line(work, line_id=one.id, note="已补合同")
    assert (again.status, again.period, again.reason) == ("claimed", "2026-04", "合同编号不清")
    assert refusal(_complete, story, one.id) == "claim.not_returned"
    with story.world.shop.work(FINANCE) as work:
        steps = claims.read_steps(work, line_id=one.id)
    assert [step.kind for step in steps] == ["submitted", "returned", "attached", "resubmitted"]
    assert steps[2].evidence_id == kept.id
    assert story.review(SECOND, "second").status == "notice"
    assert_invariants(story)


def _complete(story: Claims, line_id: UUID) -> None:
    with story.world.shop.work(FINANCE) as work:
        claim_corrections.complete_line(work, line_id=line_id, note="再次")


def test_a_line_that_is_given_up_returns_its_money(story: Claims) -> None:
    submitted = story.submit()
    one, _ = story.lines(submitted.id)
    with story.world.shop.work(FIRST) as work:
        claim_review.return_lines(work, batch_id=submitted.id, stage="first", returns=[Return(one.id, "未实际交付")])
    before = subsidies.fund_now(story.world.shop, story.world.fund)
    with story.world.shop.work(FINANCE) as work:
        gone = claim_corrections.give_up_line(work, line_id=one.id, reason="服务机构放弃")
    assert (gone.status, gone.due_fen) == ("given_up", 0)
    after = subsidies.fund_now(story.world.shop, story.world.fund)
    assert after.captured_fen == before.captured_fen - 600_000
    assert after.available_fen == before.available_fen + 600_000
    assert story.world.balances()[f"provider:{deliveries.PROVIDER}"] == 600_000, "the provider bears it"
    with story.world.shop.work(FINANCE) as work:
        assert refusal(claim_corrections.give_up_line, work, line_id=one.id, reason="再") == "claim.not_returned"
    assert_invariants(story)


def test_a_batch_of_which_all_goes_back_is_done(story: Claims) -> None:
    submitted = story.submit()
    returns = [Return(line.id, "材料不实") for line in story.lines(submitted.id)]
    done = story.review(FIRST, "first", *returns)
    assert (done.status, done.lines, done.returned_lines) == ("done", 0, 2)
    assert done.done_at is not None
    assert_invariants(story)


def test_an_objection_stops_its_line_until_it_is_decided(story: Claims) -> None:
    noticed = story.to_notice()
    one, other = story.lines(noticed.id)
    with story.world.shop.work(FINANCE) as work:
        said = claim_notice.record_objection(work, line_id=one.id, objector="某企业", reason="并未使用该服务")
        assert refusal(
            claim_notice.record_objection, work, line_id=one.id, objector="另一企业", reason="同上"
        ) == "claim.objected"  # fmt: skip
        assert refusal(claim_notice.record_objection, work, line_id=other.id, objector="", reason="") == (
            "claim.text_needed"
        )
        assert refusal(
            claim_notice.decide_objection, work, objection_id=said.id, uphold=False, decision="自查"
        ) == "claim.same_person"  # fmt: skip
    assert noticed.notice_until is not None
    story.clock.instant = noticed.notice_until
    (payout,) = story.prepare()
    assert (payout.lines, payout.amount_fen) == (1, 600_000)
    assert story.pay(payout.id, "国库-001").status == "paid"
    partly = story.batch()
    assert (partly.status, partly.paid_fen, partly.unpaid_fen) == ("disbursed", 600_000, 600_000)
    with story.world.shop.work(SECOND) as work:
        claim_notice.decide_objection(work, objection_id=said.id, uphold=False, decision="经核实已使用")
    with story.world.shop.work(SECOND) as work:
        assert refusal(
            claim_notice.decide_objection, work, objection_id=said.id, uphold=True, decision="改"
        ) == "claim.objection_decided"  # fmt: skip
    late = next(each for each in story.prepare() if each.status == "pending")
    assert story.pay(late.id, "国库-002").status == "paid"
    assert story.batch().status == "done"
    with story.world.shop.work(FINANCE) as work:
        assert refusal(
            claim_notice.record_objection, work, line_id=other.id, objector="某", reason="迟"
        ) == "claim.no_notice"  # fmt: skip
    assert_invariants(story)


def test_an_upheld_objection_sends_its_line_back(story: Claims) -> None:
    noticed = story.to_notice()
    one, _ = story.lines(noticed.id)
    with story.world.shop.work(FINANCE) as work:
        said = claim_notice.record_objection(work, line_id=one.id, objector="某企业", reason="并未使用该服务")
    with story.world.shop.work(FIRST) as work:
        claim_notice.decide_objection(work, objection_id=said.id, uphold=True, decision="异议成立")
    assert story.batch().returned_lines == 1
    assert noticed.notice_until is not None
    story.clock.instant = noticed.notice_until
    (payout,) = story.prepare()
    assert payout.lines == 1
    assert_invariants(story)


def test_of_two_reviewers_at_once_one_decides(story: Claims) -> None:
    submitted = story.submit()
    barrier = Barrier(2)

    def review(actor: Any) -> str:
        barrier.wait()
        try:
            return story.review(actor, "first", batch_id=submitted.id).status
        except Conflict as refused:
            return refused.code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(review, (FIRST, SECOND))) == ["claim.reviewed", "second_review"]


def test_a_payment_that_crashes_is_recorded_once(story: Claims) -> None:
    story.after_notice()
    (payout,) = story.prepare()

    class Crash(Exception):  # noqa: N818 - a stand-in for a power cut
        pass

    def crash() -> None:
        with story.world.shop.work(FINANCE) as work:
            claim_payouts.record_payment(
                work, payout_id=payout.id, payment_reference="国库-001", paid_on=date(2026, 4, 24)
            )
            raise Crash

    with pytest.raises(Crash):
        crash()
    fund = subsidies.fund_now(story.world.shop, story.world.fund)
    assert (fund.captured_fen, fund.disbursed_fen) == (1_200_000, 0)
    barrier = Barrier(4)

    def pay(number: int) -> str:
        barrier.wait()
        try:
            return story.pay(payout.id, f"国库-{number // 2}", on=date(2026, 4, 24)).payment_reference or ""
        except Conflict as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(pay, range(4)))
    assert answers[:2] == ["payout.settled"] * 2
    assert answers[2] == answers[3]
    fund = subsidies.fund_now(story.world.shop, story.world.fund)
    assert (fund.captured_fen, fund.disbursed_fen) == (0, 1_200_000)
    assert_invariants(story)


def test_a_payout_is_checked_cancelled_and_drawn_up_anew(story: Claims) -> None:
    story.after_notice()
    (payout,) = story.prepare()
    assert refusal(story.pay, payout.id, " ") == "payout.bad_reference"
    for day in (date(2026, 4, 23), date(2026, 4, 25)):
        assert refusal(story.pay, payout.id, "国库-001", on=day) == "payout.bad_day"
    with story.world.shop.work(FINANCE) as work:
        assert refusal(claim_payouts.cancel_payout, work, payout_id=payout.id, reason="") == "payout.reason_needed"
        assert claim_payouts.cancel_payout(work, payout_id=payout.id, reason="账号有误").status == "cancelled"
    assert refusal(story.pay, payout.id, "国库-001") == "payout.settled"
    anew = next(each for each in story.prepare() if each.status == "pending")
    assert (anew.lines, anew.amount_fen) == (2, 1_200_000)
    assert story.pay(anew.id, "国库-001").status == "paid"
    assert_invariants(story)


def test_what_is_clawed_back_under_a_pending_payout_is_not_paid(story: Claims) -> None:
    story.after_notice()
    (payout,) = story.prepare()
    line = story.lines(story.batch().id)[0]
    assert line.order_line_id is not None
    clawing = Returns(story.world)
    case = clawing.case(line.order_line_id, ClawbackCause.INELIGIBLE)
    clawing.uphold(case.id)
    assert refusal(story.pay, payout.id, "国库-001") == "payout.amount_changed"
    with story.world.shop.work(FINANCE) as work:
        claim_payouts.cancel_payout(work, payout_id=payout.id, reason="有追回")
    anew = next(each for each in story.prepare() if each.status == "pending")
    assert anew.amount_fen == payout.amount_fen - line.amount_fen
    story.pay(anew.id, "国库-001")
    fund = subsidies.fund_now(story.world.shop, story.world.fund)
    assert (fund.captured_fen, fund.disbursed_fen) == (0, anew.amount_fen)
    assert_invariants(story)


def test_deliveries_during_a_submission_go_to_the_next_month(story: Claims) -> None:
    """A settlement that is under way keeps the batch open; one that comes after it finds it closed."""
    park = story.parks[0]
    story.clock.instant -= timedelta(days=18)
    (line,) = deliveries.order(story.world.shop, park, "twin")
    story.clock.instant += timedelta(days=18)
    with story.world.shop.work(park) as work:
        deliveries.settle(work, line, at=story.clock.instant - timedelta(days=17))
        with ThreadPoolExecutor(1) as pool:
            submission = pool.submit(story.submit, defer=True)
            with pytest.raises(TimeoutError):
                submission.result(timeout=0.5)
            work.connection.commit()
            assert submission.result(timeout=10).lines == 2
    assert story.batch("2026-04").lines == 1


def test_each_invariant_of_claims_finds_what_breaks_it(story: Claims) -> None:
    story.after_notice()
    (payout,) = story.prepare()
    story.pay(payout.id, "国库-001")
    broken = {
        "claims-are-captured": "UPDATE claim_lines SET status = 'claimed'",
        "payouts-are-disbursed": "UPDATE payouts SET amount_fen = amount_fen + 1",
        "claims-three-people": "UPDATE claim_batches SET notice_until = notice_until + interval '90 days'",
        "payouts-are-lines": "UPDATE payouts SET payee_id = gen_random_uuid()",
        "claims-done": "UPDATE claim_batches SET done_at = NULL",
        "objections-stop-lines": (
            "INSERT INTO claim_objections (tenant_id, id, line_id, batch_id, objector, reason, status, recorded_by,"
            " recorded_at, decision) SELECT tenant_id, id, id, batch_id, '', '', 'open', id, now(), '' FROM claim_lines"
        ),
    }
    assert_invariants(story)
    for name, sql in broken.items():
        with story.world.shop.work(SYSTEM) as work:
            work.session.execute(text(sql))
            assert name in {each.name for each in invariants.check(work)}
            work.session.rollback()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 10**12)), max_size=40))
def test_payouts_are_their_lines_by_payee(rows: list[tuple[int, bool, int]]) -> None:
    payees = [UUID(int=number + 1) for number in range(4)]
    lines = [
        DueLine(UUID(int=9), UUID(int=index), "provider" if provider else "tenant", payees[payee], amount)
        for index, (payee, provider, amount) in enumerate(rows)
    ]
    made = payouts_of(lines)
    assert sum(each.amount_fen for each in made) == sum(line.amount_fen for line in lines)
    assert len({(each.payee_kind, each.payee_id) for each in made}) == len(made)
    assert sorted(line.line_id for each in made for line in each.lines) == sorted(line.line_id for line in lines)
    assert made == payouts_of(lines)


@given(st.datetimes(DAWN, DUSK, timezones=st.just(CHINA)), st.integers(1, 60))
def test_a_notice_has_its_whole_days(begins: datetime, days: int) -> None:
    ends = end_after_days(begins, days).astimezone(CHINA)
    assert (ends.hour, ends.minute) == (0, 0)
    assert (ends.date() - begins.date()).days == days + 1
    assert ends - begins > timedelta(days=days)


def test_what_a_line_lacks_is_named() -> None:
    assert missing_proofs(COMPLETE) == ()
    lacking: dict[Proof, dict[str, Any]] = {
        Proof.PAYEE: {"payee_id": None},
        Proof.ORDER: {"order_line": None},
        Proof.METERING: {"event_id": None},
        Proof.ACCEPTANCE: {"acceptance": "disputed"},
        Proof.REPORT: {"report_sha256": None},
        Proof.INVOICE: {"invoice_number": None},
        Proof.PAYMENT: {"invoice_paid": False},
    }
    assert set(lacking) == set(Proof)
    for proof, change in lacking.items():
        assert missing_proofs(replace(COMPLETE, **change)) == (proof,)
    assert missing_proofs(replace(COMPLETE, invoice_paid=False, payable_fen=0)) == ()
    assert NOTICE_DAYS == 7


def test_an_award_says_whom_it_pays_and_which_decision_it_rests_on() -> None:
    awards = [
        {"programme": "tech", "version": 1, "payee": "provider", "exemption": None},
        {"programme": "later", "version": 2, "payee": "tenant", "exemption": {"document_no": "园议〔2026〕3 号"}},
    ]
    assert (payee_kind_of(awards, "tech", 1), exemption_of(awards, "tech", 1)) == ("provider", None)
    assert (payee_kind_of(awards, "later", 2), exemption_of(awards, "later", 2)) == ("tenant", "园议〔2026〕3 号")
    assert (payee_kind_of(awards, "later", 1), exemption_of(awards, "later", 1)) == ("provider", None)


def test_the_notice_cannot_be_cut_short(story: Claims) -> None:
    submitted = story.submit()
    for days in (4, 61):
        with story.world.shop.work(FIRST) as work, pytest.raises(Invalid):
            claim_review.review_batch(work, batch_id=submitted.id, stage="first", notice_days=days)
