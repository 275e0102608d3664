"""The same brief on the same data: delivered again with the same files, and answered once however many ask at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.formats.brief import read_brief
from services.gateways.sandbox import Limits
from services.rules.industries import DIVISIONS
from services.rules.leads import Brief, fingerprint
from services.usecases import (
    artefacts,
    execution,
    lead_claims,
    lead_repeats,
    lead_suppressions,
    reference_tables,
    runs,
)
from services.usecases.invariants import INVARIANTS
from services.usecases.invariants_leads import LEADS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_lead_allocation import REQUEST, together
from tests.support.invariants import broken
from tests.support.services import build_world, import_demo_companies, order, park_person

LIMITS = Limits(wall_seconds=120)
BRIEF = read_brief(REQUEST)[1]
NEEDS = "大类,用地（亩）,来源\n39,30,某省开发区用地指标 2024\n"

words = st.lists(st.text("电池储能光伏abAB", min_size=2, max_size=4), max_size=5)
divisions = st.lists(st.sampled_from(sorted(DIVISIONS)), min_size=1, max_size=3)


@given(words, divisions, st.randoms(use_true_random=False))
def test_the_order_of_words_and_industries_asks_nothing_new(given_words: Any, codes: Any, dice: Any) -> None:
    brief = replace(BRIEF, keywords=tuple(given_words), divisions=tuple(codes), exclusions=("191", "3843"))
    shuffled: dict[str, Any] = {name: tuple(dice.sample(value, len(value))) for name, value in
                (("keywords", brief.keywords), ("divisions", brief.divisions), ("exclusions", brief.exclusions))}  # fmt: skip
    assert fingerprint(replace(brief, **shuffled), "r", ["a", "b"]) == fingerprint(brief, "r", ["b", "a"])


@given(st.sampled_from(["area_mu", "count", "region_code", "budget_fen", "keywords", "exclude_own_region"]))
def test_any_other_question_or_data_has_another_fingerprint(name: str) -> None:
    other = {"area_mu": 121.0, "count": 20, "region_code": "510100", "budget_fen": 1, "keywords": ("储能",),
             "exclude_own_region": False}[name]  # fmt: skip
    asked: Brief = replace(BRIEF, **{name: other})  # type: ignore[arg-type]  # each value fits its name
    found = {fingerprint(BRIEF, "r", []), fingerprint(asked, "r", []), fingerprint(BRIEF, "s", []),
             fingerprint(BRIEF, "r", ["t"])}  # fmt: skip
    assert len(found) == 4


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> Iterator[None]:
    build_world(workshop)
    import_demo_companies(workshop, clock.now().date())
    yield
    assert broken(workshop, (*INVARIANTS, *LEADS)) == {}


def worker(park_id: UUID) -> Actor:
    return system_actor("worker", tenant_id=park_id)


def ordered(workshop: WorkShop, park_id: UUID, **changes: Any) -> UUID:
    run_id = order(workshop, park_id, "leads", REQUEST | changes).run_id
    assert run_id is not None
    return run_id


def carried_out(workshop: WorkShop, park_id: UUID, run_id: UUID) -> runs.RunView:
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    with workshop.work(park_person(park_id)) as work:
        return runs.read_run(work, run_id=run_id)


def repeated(workshop: WorkShop, park_id: UUID, **changes: Any) -> UUID | None:
    """Return what an order of the brief would repeat now."""
    with workshop.work(park_person(park_id)) as work:
        return lead_repeats.answered_before(work, brief=read_brief(REQUEST | changes)[1])


def hashes(workshop: WorkShop, park_id: UUID, run_id: UUID) -> dict[str, str]:
    with workshop.work(park_person(park_id)) as work:
        return {each.name: each.sha256 for each in artefacts.list_artefacts(work, source_id=run_id)}


def listed(workshop: WorkShop, park_id: UUID, run_id: UUID) -> list[str]:
    with workshop.work(park_person(park_id)) as work:
        return [lead.uscc for lead in lead_claims.list_leads(work, run_id=run_id)]


def test_a_repeat_has_the_files_of_the_first_and_the_thirty_days_end(
    workshop: WorkShop, world: None, clock: ManualClock
) -> None:
    park_id = new_id()
    assert repeated(workshop, park_id) is None
    first = carried_out(workshop, park_id, ordered(workshop, park_id))
    assert first.status == "succeeded"
    assert repeated(workshop, park_id, industries=["C38", "39"], keywords=[]) == first.id
    assert repeated(workshop, park_id, area_mu=121) is None
    assert repeated(workshop, new_id()) is None, "another park's answer is nobody else's"
    clock.advance(timedelta(days=29))
    again = carried_out(workshop, park_id, ordered(workshop, park_id, industries=["3851", "39"]))
    assert (again.status, again.attempts) == ("succeeded", 1)
    assert (again.kpis, again.manifest_sha256) == (first.kpis, first.manifest_sha256)
    assert hashes(workshop, park_id, again.id) == hashes(workshop, park_id, first.id)
    assert listed(workshop, park_id, again.id) == listed(workshop, park_id, first.id)
    clock.advance(timedelta(days=1) - timedelta(seconds=1))
    assert repeated(workshop, park_id) == first.id
    clock.advance(timedelta(seconds=1))
    assert repeated(workshop, park_id) is None, "the repeat begins no thirty days of its own"


def test_other_data_is_another_answer(workshop: WorkShop, world: None, clock: ManualClock) -> None:
    park_id = new_id()
    carried_out(workshop, park_id, ordered(workshop, park_id))
    operator = system_actor("operator", on_behalf_of=new_id())
    with workshop.work(operator) as work:
        table = reference_tables.import_reference_table(
            work, kind="industry_demands", name="用地指标", year=2024, licence="公开", content=NEEDS.encode()
        )
    assert repeated(workshop, park_id) is None
    with workshop.work(operator) as work:
        reference_tables.withdraw_reference_table(work, table_id=table.id)
    assert repeated(workshop, park_id) is not None
    import_demo_companies(workshop, clock.now().date(), count=2500)
    assert repeated(workshop, park_id) is None


def test_the_data_that_was_used_counts_not_that_of_the_order(
    workshop: WorkShop, world: None, clock: ManualClock
) -> None:
    park_id = new_id()
    run_id = ordered(workshop, park_id)
    import_demo_companies(workshop, clock.now().date(), count=2500)
    assert carried_out(workshop, park_id, run_id).status == "succeeded"
    assert repeated(workshop, park_id) == run_id


def test_a_list_with_a_company_that_wants_no_contact_is_made_anew(workshop: WorkShop, world: None) -> None:
    park_id = new_id()
    first = carried_out(workshop, park_id, ordered(workshop, park_id))
    code = listed(workshop, park_id, first.id)[0]
    with workshop.work(system_actor("operator", on_behalf_of=new_id())) as work:
        lead_suppressions.suppress_company(work, uscc=code, asked_on=date(2026, 3, 1), reason="来电要求")
    again = carried_out(workshop, park_id, ordered(workshop, park_id))
    assert again.status == "succeeded"
    assert code not in listed(workshop, park_id, again.id)
    assert again.manifest_sha256 != first.manifest_sha256
    assert repeated(workshop, park_id) == first.id, "the thirty days are still the first one's"


def test_of_two_under_way_at_once_one_is_delivered(workshop: WorkShop, world: None) -> None:
    for _ in range(2):
        park_id = new_id()
        asked = [ordered(workshop, park_id), ordered(workshop, park_id)]
        together(*(partial(carried_out, workshop, park_id, run_id) for run_id in asked))
        with workshop.work(park_person(park_id)) as work:
            ended = [runs.read_run(work, run_id=run_id) for run_id in asked]
        assert sorted(run.status for run in ended) == ["failed", "succeeded"]
        (refused,) = (run for run in ended if run.status == "failed")
        assert refused.failure_code == "leads.delivered_already"
        assert hashes(workshop, park_id, refused.id) == {}
        assert repeated(workshop, park_id) in asked


def test_whose_worker_dies_is_delivered_again_by_the_next_one(
    workshop: WorkShop, world: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    park_id = new_id()
    first = carried_out(workshop, park_id, ordered(workshop, park_id))
    run_id = ordered(workshop, park_id)

    class Killed(BaseException):
        """What ends a worker between two statements."""

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(lead_repeats, "_list_again", die)
        with pytest.raises(Killed):
            execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    with workshop.work(park_person(park_id)) as work:
        assert runs.read_run(work, run_id=run_id).status == "running"
        assert artefacts.list_artefacts(work, source_id=run_id) == ()
    assert carried_out(workshop, park_id, run_id).manifest_sha256 == first.manifest_sha256
    with workshop.work(system_actor("check")) as work:
        count = text("SELECT count(*) FROM listed_leads WHERE run_id = :run")
        assert work.session.execute(count, {"run": run_id}).scalar_one() == 50
