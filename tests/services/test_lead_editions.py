"""Editions of the ranking model: fitted without a look ahead, put in force when no worse, rolled back when worse later."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.gateways import lead_editions as engine
from services.gateways.lead_index import build_index
from services.gateways.sandbox import Limits
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import write_companies
from services.rules.expansions import Expansion
from services.rules.lead_editions import (
    HEURISTIC,
    IN_FORCE,
    LEAST_JUDGED,
    NEW,
    PREDECESSOR,
    EditionStatus,
    Period,
    Refusal,
    Told,
    is_worse,
    refusal_of,
)
from services.rules.lead_outcomes import LostReason, Outcome
from services.rules.ranking.measures import ListScores
from services.usecases import artefacts, company_imports, execution, lead_claims, lead_editions, runs
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_lead_allocation import REQUEST, together
from tests.services.test_lead_ranking import CITIES, DAY, _town
from tests.support.databases import Database
from tests.support.services import build_world, order, park_person

LIMITS = Limits(wall_seconds=120)
OPERATOR = system_actor("operator", on_behalf_of=new_id())
NOTHING = Told()
COMPANIES, MOVES = _town(1, loyal=True)
marks = st.floats(0, 1, allow_nan=False)


def scored(ndcg: float, positives: int = 500) -> ListScores:
    return ListScores(ndcg, 0.1, 0.1, 10, positives)


@given(marks, marks, st.none() | marks, st.integers(0, 200))
def test_only_what_ranks_better_than_distance_and_no_worse_than_what_is_in_force_is_put_in_force(
    new: float, plain: float, current: float | None, positives: int
) -> None:
    scores = {NEW: scored(new, positives), HEURISTIC: scored(plain, positives)}
    if current is not None:
        scores[IN_FORCE] = scored(current, positives)
    good = positives >= LEAST_JUDGED and new > plain and (current is None or new >= current)
    assert (refusal_of(scores) is None) is good


@given(marks, marks, st.none() | marks, st.integers(0, 200))
def test_what_is_in_force_is_worse_only_than_what_it_followed_and_only_on_enough(
    current: float, plain: float, before: float | None, positives: int
) -> None:
    scores = {IN_FORCE: scored(current, positives), HEURISTIC: scored(plain, positives)}
    if before is not None:
        scores[PREDECESSOR] = scored(before, positives)
    assert is_worse(scores) is (positives >= LEAST_JUDGED and current < (plain if before is None else before))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An index of a small registry, and its moves."""
    folder = tmp_path_factory.mktemp("index")
    build_index(COMPANIES, folder)
    return folder, _events(folder / "moves.csv", MOVES)


def _events(path: Path, moves: list[Expansion]) -> Path:
    rows = [f"{each.uscc},,{each.region_code},{each.on.isoformat()}" for each in moves]
    path.write_text("\n".join(["uscc,name,region_code,date", *rows]), encoding="utf-8")
    return path


def _quiet(_stage: str, _done: float) -> None:
    """Tell nobody."""


def fit(
    files: tuple[Path, Path], told: Told = NOTHING, in_force: bytes | None = None, day: date = DAY
) -> engine.Fitted:
    return engine.fit_edition(*files, told, day, in_force, progress=_quiet)


@pytest.fixture(scope="module")
def first(files: tuple[Path, Path]) -> engine.Fitted:
    return fit(files)


def test_a_fit_is_scored_on_what_it_has_not_seen_and_its_bytes_are_what_was_scored(
    files: tuple[Path, Path], first: engine.Fitted
) -> None:
    assert first.refusal is None
    assert first.model is not None
    card = first.card
    assert card["trained"][1] == card["held_out"][0]
    assert card["held_out"][1] == DAY.isoformat()
    assert set(card["scores"]) == {HEURISTIC, "linear", "boosted", NEW}
    assert card["scores"][NEW]["ndcg"] > card["scores"][HEURISTIC]["ndcg"]
    assert fit(files).model == first.model, "the same data, the same bytes"
    loaded = engine.load_model(first.model)
    assert loaded is not None
    older = json.dumps(json.loads(first.model) | {"features": ["prior"]}).encode()
    assert engine.load_model(older) is None, "written for other features, it ranks nothing"
    assert (loaded.method, loaded.positives) == (card["method"], card["positives"])
    assert [asdict(each) for each in loaded.chances] == card["chances"]
    assert all(each.hits >= 10 for each in loaded.chances), "a chance is printed only where outcomes support it"
    period = Period(*(date.fromisoformat(each) for each in card["held_out"]))
    again = engine.measure_editions(*files, Told(), period, first.model, None, progress=_quiet)
    assert asdict(again[IN_FORCE]) == card["scores"][NEW]


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_nothing_after_the_split_changes_what_is_fitted(
    files: tuple[Path, Path], first: engine.Fitted, chance: Any
) -> None:
    begin = date.fromisoformat(first.card["held_out"][0])
    later = [
        Expansion(
            chance.choice(COMPANIES).uscc, "", chance.choice(CITIES), begin + timedelta(days=chance.randrange(300))
        )
        for _ in range(400)
    ]
    told = Told(tuple(sorted(later[:50])), tuple(sorted(later[50:100])))
    moves = sorted([each for each in MOVES if each.on < begin] + later[100:])
    other = fit((files[0], _events(files[0] / "other.csv", moves)), told)
    assert first.model is not None
    assert other.model is not None
    parts = [json.loads(each) for each in (first.model, other.model)]
    assert parts[0]["linear"] == parts[1]["linear"]
    assert first.card["trained"] == other.card["trained"]


def test_what_parks_recorded_before_the_split_is_learnt_from(files: tuple[Path, Path], first: engine.Fitted) -> None:
    on = date.fromisoformat(first.card["held_out"][0]) - timedelta(days=30)
    signed = tuple(sorted(Expansion(each.uscc, "", "440300", on) for each in COMPANIES[3::40]))
    lost = tuple(sorted(Expansion(each.uscc, "", "510100", on) for each in COMPANIES[1::40]))
    other = fit(files, Told(signed, lost))
    assert (other.card["signed"], other.card["lost"]) == (len(signed), len(lost))
    assert other.card["positives"] > first.card["positives"]
    assert first.model is not None
    assert other.model is not None
    assert json.loads(other.model)["linear"] != json.loads(first.model)["linear"]


def test_too_little_is_refused_with_its_reason(files: tuple[Path, Path]) -> None:
    few = _events(files[0] / "few.csv", sorted(MOVES, key=lambda move: move.on)[:100])
    for events in (few, None):
        found = engine.fit_edition(files[0], events, Told(), DAY, None, progress=_quiet)
        assert (found.model, found.refusal) == (None, Refusal.TOO_FEW)


# The database


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock, tmp_path: Path) -> Path:
    """A registry with moves that teach something; returns the folder for its index."""
    build_world(workshop)
    today = clock.now().date()
    registry, moves = io.StringIO(newline=""), io.StringIO(newline="")
    write_companies(registry, moves, as_of=today, count=3000, seed=1)
    for kind, content in ((ImportKind.COMPANIES, registry), (ImportKind.EXPANSIONS, moves)):
        with workshop.work(system_actor("test")) as work:
            company_imports.import_at_once(
                work, kind=kind, name="演示", licence="synthetic", as_of=today, content=content.getvalue().encode()
            )
    return tmp_path / "cache"


def start(workshop: WorkShop) -> UUID:
    with workshop.work(OPERATOR) as work:
        return lead_editions.start_refit(work).id


def carry_out(workshop: WorkShop, edition_id: UUID, cache: Path) -> lead_editions.EditionReport:
    lead_editions.carry_out_refit(workshop, system_actor("worker"), edition_id=edition_id, cache=cache, limits=LIMITS)
    return report(workshop, edition_id)


def report(workshop: WorkShop, edition_id: UUID) -> lead_editions.EditionReport:
    with workshop.work(OPERATOR) as work:
        return lead_editions.read_edition(work, edition_id=edition_id)


def keep(workshop: WorkShop, model: bytes, day: date, *, against: UUID | None = None) -> UUID:
    """Settle a fit with given bytes, as a worker does that has it from the engine."""
    edition_id = start(workshop)
    found = engine.Fitted({"day": day.isoformat(), "scores": {}}, model, None)
    with workshop.work(system_actor("worker")) as work:
        lead_editions._settle(work, edition_id, found, against)
    return edition_id


def _backwards(model: bytes) -> bytes:
    """Return a model that puts last what another puts first."""
    document = json.loads(model)
    document["linear"]["slopes"] = [-each for each in document["linear"]["slopes"]]
    return json.dumps(document | {"trees": None, "method": "linear"}, sort_keys=True).encode()


def test_a_refit_is_kept_with_its_card_and_ranks_ordered_lists_by_name_and_hash(
    workshop: WorkShop, world: Path, clock: ManualClock
) -> None:
    told = carry_out(workshop, start(workshop), world)
    edition = told.edition
    assert edition.status in {EditionStatus.IN_FORCE, EditionStatus.REFUSED}
    assert edition.card is not None
    if edition.status is EditionStatus.REFUSED:
        assert told.steps[0].reason == edition.refusal
    good = _fitted()
    kept = report(workshop, keep(workshop, good, clock.now().date(), against=_current(workshop))).edition
    park_id = new_id()
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None
    execution.execute_run(workshop, system_actor("worker", tenant_id=park_id), run_id=run_id, limits=LIMITS)
    with workshop.work(park_person(park_id)) as work:
        run = runs.read_run(work, run_id=run_id)
        assert run.status == "succeeded", run.failure_detail
        names = {each.name: each.id for each in artefacts.list_artefacts(work, source_id=run_id)}
        manifest = json.loads(artefacts.open_artefact(work, artefact_id=names["manifest.json"]).content)
        plan = artefacts.open_artefact(work, artefact_id=names["report.json"]).content.decode()
        code = lead_claims.list_leads(work, run_id=run_id)[0].uscc
        lead_claims.record_outcome(work, uscc=code, outcome=Outcome.LOST, reason=LostReason.PRICE)
    assert (manifest["model"]["edition"], manifest["model"]["edition_sha256"]) == (kept.number, kept.sha256)
    assert f"所用模型为第 {kept.number} 版" in plan


def _current(workshop: WorkShop) -> UUID | None:
    with workshop.work(OPERATOR) as work:
        return next((each.id for each in lead_editions.list_editions(work) if each.status == "in_force"), None)


@cache
def _fitted() -> bytes:
    """Return a model that has learnt something; fitted once for all tests."""
    with tempfile.TemporaryDirectory() as place:
        build_index(COMPANIES, Path(place))
        model = fit((Path(place), _events(Path(place, "moves.csv"), MOVES))).model
    assert model is not None
    return model


def test_one_refit_at_a_time_and_one_edition_in_force(workshop: WorkShop, world: Path, clock: ManualClock) -> None:
    found = together(*(partial(start, workshop) for _ in range(4)))
    assert sum(isinstance(each, UUID) for each in found) == 1
    assert {each.code for each in found if isinstance(each, Conflict)} == {"lead_editions.fitting"}
    (edition_id,) = (each for each in found if isinstance(each, UUID))
    together(*(partial(carry_out, workshop, edition_id, world) for _ in range(2)))
    told = report(workshop, edition_id)
    assert told.edition.finished_at is not None
    assert len(told.steps) == 1, "settled once"
    keep(workshop, _fitted(), clock.now().date(), against=_current(workshop))
    with pytest.raises(IntegrityError, match="uq_lead_editions_in_force"), workshop.work(OPERATOR) as work:
        work.session.execute(
            text("UPDATE lead_editions SET status = 'in_force', refusal = NULL, model = '', sha256 = ''")
        )
    with pytest.raises(NotAllowed), workshop.work(park_person(new_id())) as work:
        lead_editions.start_refit(work)


def test_a_fit_that_was_judged_against_another_edition_is_not_put_in_force(
    workshop: WorkShop, world: Path, clock: ManualClock
) -> None:
    first = keep(workshop, _fitted(), clock.now().date())
    late = report(workshop, keep(workshop, _fitted(), clock.now().date(), against=None)).edition
    assert (late.status, late.refusal) == (EditionStatus.REFUSED, Refusal.OVERTAKEN)
    assert _current(workshop) == first


def test_a_killed_worker_leaves_a_refit_that_the_next_one_finishes(
    workshop: WorkShop, world: Path, database: Database
) -> None:
    edition_id = start(workshop)
    arguments = [database.url, str(edition_id), str(world)]
    lone = subprocess.Popen([sys.executable, "-m", "tests.support.lone_refit", *arguments], cwd=Path.cwd())
    while report(workshop, edition_id).edition.stage == "queued":
        assert lone.poll() is None
        time.sleep(0.02)
    lone.kill()
    lone.wait()
    assert report(workshop, edition_id).edition.status is EditionStatus.FITTING
    assert carry_out(workshop, edition_id, world).edition.finished_at is not None


def test_an_edition_that_ranks_worse_than_its_predecessor_on_newer_moves_is_rolled_back(
    workshop: WorkShop, world: Path, clock: ManualClock
) -> None:
    day = clock.now().date() - timedelta(days=400)
    good = keep(workshop, _fitted(), day)
    bad = keep(workshop, _backwards(_fitted()), day, against=good)
    measure = partial(lead_editions.measure, workshop, system_actor("worker"), cache=world, limits=LIMITS)
    assert measure()
    told = report(workshop, bad)
    assert (told.edition.status, _current(workshop)) == (EditionStatus.ROLLED_BACK, good)
    assert [each.step for each in told.steps] == ["rolled_back", "measured", "put_in_force"]
    scores = told.steps[0].scores
    assert scores is not None
    assert scores[IN_FORCE]["ndcg"] < scores[PREDECESSOR]["ndcg"]
    with pytest.raises(Invalid), workshop.work(OPERATOR) as work:
        lead_editions.put_back(work, edition_id=bad, reason=" ")
    with workshop.work(OPERATOR) as work:
        assert lead_editions.put_back(work, edition_id=bad, reason="复核").status is EditionStatus.IN_FORCE
    (step, *_) = report(workshop, bad).steps
    assert (step.step, step.reason, step.by) == ("put_back", "复核", OPERATOR.user_id)
    assert not measure(), "these days were measured before"
    with pytest.raises(Conflict), workshop.work(OPERATOR) as work:
        lead_editions.put_back(work, edition_id=bad, reason="再次")


def test_the_clock_refits_when_something_came(workshop: WorkShop, world: Path, clock: ManualClock) -> None:
    with workshop.work(system_actor("clockwork")) as work:
        assert lead_editions.refit_when_due(work)
        assert not lead_editions.refit_when_due(work), "one is under way"
        (edition,) = lead_editions.list_editions(work)
    carry_out(workshop, edition.id, world)
    clock.advance(timedelta(days=30))
    with workshop.work(system_actor("clockwork")) as work:
        assert not lead_editions.refit_when_due(work), "nothing has come"
