"""A version tried on past orders: the one that was in force gives what was given, to the fen; another one what it would."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.usecases import programmes
from marketplace.demo import province, world
from marketplace.demo.theatre import Play
from marketplace.usecases import fulfilment, simulations
from tenants.kernel.clock import CHINA
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Invalid, Problem
from tenants.kernel.work import Work, read_only
from tests.support.plays import BRIEF, WEEK, Scenery, begin, finish, order, run_of, worker_of

YUAN = 100
JOB = system_actor("simulation.queued")


def write(play: Play, programme: UUID, document: dict[str, Any]) -> int:
    """Write and submit the next version."""
    window = {"from": play.clock.now().astimezone(CHINA).date().isoformat(), "to": "2030-01-01"}
    terms = {name: value for name, value in document.items() if name not in {"programme", "version"}}

    def written(work: Work) -> int:
        draft = programmes.write_version(work, programme_id=programme, policy={**terms, "window": window})
        programmes.submit_version(work, programme_id=programme, version=draft.version)
        return draft.version

    return play.do(play.officer, written)


def found(play: Play, slug: str, document: dict[str, Any]) -> UUID:
    """Found a programme without bounds, with one approved version."""
    made = play.do(
        play.officer,
        lambda work: programmes.create_programme(work, slug=slug, name=slug, name_en=slug, bounds={}),
    )
    play.approve_policy({"id": made.id, "version": write(play, made.id, document)})
    return made.id


def lively_month(play: Play, seed: int) -> None:
    """Let parks order for weeks under ceilings and a fund that run out; some orders are cancelled, some delivered."""
    dice = random.Random(seed)
    parks = [play.person(login) for login in ("park01", "park02", "racer01", "racer02", "racer03")]
    placed = []
    for _ in range(22):
        play.clock.advance(timedelta(hours=dice.randint(5, 30)))
        park = dice.choice(parks)
        try:
            placed.append((park, order(play, park, *dice.choice([(WEEK,), (BRIEF,), (WEEK, BRIEF)]))))
        except Problem:
            continue
        if dice.random() < 0.5:
            play.clock.advance(timedelta(hours=1))
            buyer, past = placed.pop(dice.randrange(len(placed)))
            if dice.random() < 0.5:
                play.do(buyer, partial(fulfilment.cancel_order, order_id=past.id))
            else:
                begin(play, buyer, run_of(past))
                finish(play, buyer, run_of(past))
                play.do(worker_of(buyer), partial(fulfilment.complete_run, run_id=run_of(past)))
    play.clock.advance(timedelta(seconds=1))  # a period ends before its last moment


def given(play: Play) -> int:
    """Return what all lines were awarded when they were ordered."""
    with play.market.workshop.work(JOB) as work:
        rows = work.session.execute(text("SELECT awards FROM order_lines")).scalars()
        return sum(award["amount_fen"] for awards in rows for award in awards)


def try_out(play: Play, programme: UUID, version: int, start: Any, **options: Any) -> simulations.SimulationView:
    return play.do(
        play.officer,
        lambda work: simulations.simulate_version(
            work, programme_id=programme, version=version, from_=start, to=play.clock.now(), **options
        ),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_version_in_force_gives_what_was_given_and_a_draft_what_it_would(scenery: Scenery, seed: int) -> None:
    with scenery.play() as play:
        province.open_fund(play.seeder, world.FUND_SLUG, play.clock.now().year, 60_000 * YUAN)
        caps = [
            {"scope": "entity_year", "amount_fen": 15_000 * YUAN},
            {"scope": "provider_pool", "amount_fen": 45_000 * YUAN},
            {"scope": "order", "amount_fen": 6_500 * YUAN},
        ]
        own = world.policy() | {"caps": caps}
        if seed == 3:
            own["rolling"] = {"register": "de-minimis", "years": 3, "amount_fen": 9_000 * YUAN}
        programme = found(play, world.PROGRAMME, own)
        other = world.policy() | {"caps": caps[:1], "rates": [{"rate_bp": 500}]}
        found(play, "another-programme", other)
        lively_month(play, seed)
        middle = play.clock.now()
        lively_month(play, seed + 10)
        with play.market.workshop.work(JOB) as work:
            entries = work.session.execute(text("SELECT count(*) FROM fund_entries")).scalar_one()
        same = try_out(play, programme, 1, middle - timedelta(days=400)).result
        assert same is not None
        assert same["all_before_fen"] == same["all_after_fen"] == given(play) > 0
        assert all(row["change_fen"] == 0 and row["before_fen"] == row["after_fen"] for row in same["by_park"])
        assert all(row["before"] == row["after"] for row in same["reasons"])
        assert {"CAP_ENTITY_YEAR", "FUND_PARTIAL", "FUND_EXHAUSTED", "POOL_PARTIAL"} & {
            row["reason"] for row in same["reasons"]
        }
        half = try_out(play, programme, 1, middle).result  # what happened before counts, and is not tried again
        assert half is not None
        assert half["all_before_fen"] == half["all_after_fen"]
        assert half["orders"] < same["orders"]
        draft = write(play, programme, own | {"caps": caps[2:], "rolling": None})
        free = try_out(play, programme, draft, middle - timedelta(days=400), with_funds=False).result
        assert free is not None
        assert free["after_fen"] > free["before_fen"]
        assert free["gaining"] > 0
        assert free["change_fen"] == sum(row["change_fen"] for row in free["by_park"])
        assert free["all_after_fen"] == sum(fund["after_fen"] for month in free["by_month"] for fund in month["funds"])
        for name in ("region_class", "park_size"):
            assert sum(row["change_fen"] for row in free["by_group"][name]) == free["change_fen"]
        with play.market.workshop.work(JOB) as work:
            assert work.session.execute(text("SELECT count(*) FROM fund_entries")).scalar_one() == entries


def test_a_long_period_is_a_job_with_progress_and_periods_have_to_have_begun(
    scenery: Scenery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scenery.play() as play:
        province.open_fund(play.seeder, world.FUND_SLUG, play.clock.now().year, 60_000 * YUAN)
        programme = found(play, world.PROGRAMME, world.policy())
        start = play.clock.now()
        for login in ("park01", "racer01"):
            order(play, play.person(login), WEEK)
        play.clock.advance(timedelta(days=1))
        at_once = try_out(play, programme, 1, start)
        monkeypatch.setattr(simulations, "MOST_AT_ONCE", 1)
        queued = try_out(play, programme, 1, start)
        assert (queued.status, queued.orders_total, queued.result) == ("queued", 2, None)
        for _ in range(2):  # the queue may tell it twice
            simulations.run_simulation(play.market.workshop, JOB, simulation_id=queued.id)
        done = play.do(play.approver, lambda work: simulations.read_simulation(work, simulation_id=queued.id))
        assert (done.status, done.orders_done, done.result) == ("done", 2, at_once.result)
        with pytest.raises(Invalid, match="过去的时段"):
            play.do(
                play.officer,
                lambda work: simulations.simulate_version(
                    work, programme_id=programme, version=1, from_=work.now, to=work.now + timedelta(days=1)
                ),
            )
        with pytest.raises(Invalid, match="晚于开始"):
            try_out(play, programme, 1, play.clock.now())
        with (
            pytest.raises(DBAPIError, match="read-only"),
            play.market.workshop.work(play.officer) as work,
            read_only(work),
        ):
            work.session.execute(text("UPDATE funds SET status = 'closed'"))
