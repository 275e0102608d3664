"""A case-by-case decision from the approvers to the claim: everything that it touched names it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from billing.usecases import claims, exemptions
from billing.usecases.evidence import Upload
from marketplace.demo import world
from marketplace.demo.theatre import Play
from marketplace.usecases import fulfilment
from marketplace.usecases.exempted_lines import ExemptionWithLines, read_exemption_with_lines
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict
from tests.support import plays
from tests.support.plays import BRIEF, WEEK, YUAN, at_once, run_of

NUMBER = "豫科〔2026〕9号"


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, 100_000 * YUAN)
    return play.person("park01")


def grant(play: Play, park: Actor, limit_fen: int) -> exemptions.ExemptionView:
    """Let the officer write a decision of 90 %, and two approvers approve it."""
    park_id = park.require_tenant()
    file = Upload("批复.pdf", "application/pdf", b"%PDF-1.7 decision")
    kept = play.do(play.officer, lambda work: exemptions.keep_decision(work, park_id=park_id, file=file))
    wish = exemptions.ExemptionWish(
        park_id=park_id,
        programme=world.PROGRAMME,
        terms={"rate_bp": 9000},
        limit_fen=limit_fen,
        document_no=NUMBER,
        evidence_id=kept.id,
        reason="省级重大项目",
        expires_at=play.clock.now() + timedelta(days=60),
    )
    made = play.do(play.officer, lambda work: exemptions.submit_exemption(work, wish=wish))
    for login in ("approver", "approver2"):
        play.do(play.person(login), lambda work: exemptions.approve_exemption(work, exemption_id=made.id))
    return made


def touched(play: Play, reader: Actor, made: exemptions.ExemptionView) -> ExemptionWithLines:
    return play.do(reader, lambda work: read_exemption_with_lines(work, exemption_id=made.id))


def test_a_decision_is_named_by_all_that_it_touched(play: Play, park: Actor) -> None:
    made = grant(play, park, 1_000_000 * YUAN)
    placed = plays.order(play, park, WEEK, BRIEF)
    assert [note["document_no"] for note in placed.exemptions] == [NUMBER]
    run = run_of(placed)
    plays.begin(play, park, run)
    plays.finish(play, park, run)
    play.do(plays.worker_of(park), lambda work: fulfilment.complete_run(work, run_id=run))
    found = touched(play, play.finance, made)
    assert [(line.order_number, line.status) for line in found.lines] == [
        (placed.number, "captured"),
        (placed.number, "held"),
    ]
    assert found.exemption.used_fen == placed.subsidy_fen == placed.gross_fen * 9 // 10
    lines = play.do(play.finance, lambda work: claims.list_claims(work, period=f"{play.clock.now():%Y-%m}"))
    assert [line.evidence["exemption"] for line in lines] == [NUMBER]
    assert found.exemption.orders == 1


def test_two_people_of_a_park_never_take_the_last_of_a_limit_twice(play: Play, park: Actor) -> None:
    usual = plays.ask(play, park, WEEK)
    made = grant(play, park, usual.gross_fen * 9 // 10)
    shown = [plays.ask(play, park, WEEK) for _ in range(2)]
    assert [quote.subsidy_fen for quote in shown] == [usual.gross_fen * 9 // 10] * 2
    results = at_once([partial(plays.confirm, play, park, quote.id) for quote in shown])
    refused = [each for each in results if isinstance(each, str)]
    assert len(refused) == 1
    assert refused[0] in {"cap.reached", "quote.subsidy_changed"}
    assert touched(play, park, made).exemption.state == "used_up"
    assert plays.ask(play, park, WEEK).subsidy_fen == usual.subsidy_fen
    with pytest.raises(Conflict):
        play.do(play.person("approver"), lambda work: exemptions.approve_exemption(work, exemption_id=made.id))
