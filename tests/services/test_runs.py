"""Runs: begun, watched, ended exactly once, in a real database and a real child process."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import pytest

from services.gateways.sandbox import Limits
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import write_companies
from services.rules.runs import MOST_ATTEMPTS
from services.usecases import artefacts, company_imports, deliveries, execution, runs
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Invalid, NotFound, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.parks import week
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.services import World, build_world, import_demo_companies, order, park_person

LIMITS = Limits(wall_seconds=120)
BRIEF = {"region_code": "510104", "industries": ["39", "38"], "area_mu": 120}


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


@pytest.fixture
def park_id() -> UUID:
    return new_id()


def worker(park_id: UUID) -> Actor:
    return system_actor("worker", tenant_id=park_id)


def queued(workshop: WorkShop, park_id: UUID, slug: str, request: Mapping[str, object]) -> UUID:
    run_id = order(workshop, park_id, slug, request).run_id
    assert run_id is not None
    return run_id


def seen(workshop: WorkShop, park_id: UUID, run_id: UUID) -> runs.RunView:
    with workshop.work(park_person(park_id)) as work:
        return runs.read_run(work, run_id=run_id)


def test_a_small_twin_runs_in_a_child_and_delivers_its_files(
    workshop: WorkShop, world: World, park_id: UUID, outbox: RecordingOutbox
) -> None:
    run_id = queued(workshop, park_id, "twin", {"park": week()})
    assert seen(workshop, park_id, run_id).status == "queued"
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert (run.status, run.progress, run.attempts, run.failure_code) == ("succeeded", 100, 1, None)
    assert run.kpis
    assert [event.payload["run_id"] for event in outbox.named("run.succeeded")] == [str(run_id)]
    with workshop.work(park_person(park_id)) as work:
        files = {each.name: each for each in artefacts.list_artefacts(work, source_id=run_id)}
        manifest = artefacts.open_artefact(work, artefact_id=files["manifest.json"].id)
    assert {"manifest.json", "kpis.json", "series.parquet", "report.html"} <= set(files)
    assert hashlib.sha256(manifest.content).hexdigest() == run.manifest_sha256
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)  # the same job again
    assert len(outbox.named("run.succeeded")) == 1


def test_leads_run_from_the_imported_registry(
    workshop: WorkShop, world: World, park_id: UUID, clock: ManualClock
) -> None:
    import_demo_companies(workshop, clock.now().date())
    run_id = queued(workshop, park_id, "leads", BRIEF)
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert run.status == "succeeded", run.failure_detail
    assert run.kpis is not None
    assert run.kpis["leads"] == 50
    with workshop.work(park_person(park_id)) as work:
        names = {each.name for each in artefacts.list_artefacts(work, source_id=run_id)}
    assert names == {
        "manifest.json",
        "leads.json",
        "positioning.json",
        "leads.xlsx",
        "leads.csv",
        "plan.html",
        "report.json",
        "deck.pptx",
        "letters.docx",
        "plan.pdf",
    }


def test_leads_are_ranked_by_what_imported_expansions_teach(
    workshop: WorkShop, world: World, park_id: UUID, clock: ManualClock
) -> None:
    today = clock.now().date()
    registry, moves = io.StringIO(newline=""), io.StringIO(newline="")
    count = write_companies(registry, moves, as_of=today, count=3000, seed=1)
    for kind, content in ((ImportKind.COMPANIES, registry), (ImportKind.EXPANSIONS, moves)):
        with workshop.work(system_actor("test")) as work:
            company_imports.import_at_once(
                work, kind=kind, name="演示", licence="synthetic", as_of=today, content=content.getvalue().encode()
            )
    run_id = queued(workshop, park_id, "leads", BRIEF)
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert run.status == "succeeded", run.failure_detail
    assert run.kpis is not None
    assert 200 < run.kpis["expansions"] <= count
    assert run.kpis["refused_expansions"] == 0
    assert set(run.kpis["model"]["back_test"]) >= {run.kpis["model"]["method"]}


def test_an_empty_registry_fails_the_run_with_words_and_delivers_nothing(
    workshop: WorkShop, world: World, park_id: UUID, outbox: RecordingOutbox
) -> None:
    run_id = queued(workshop, park_id, "leads", BRIEF)
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert (run.status, run.failure_code) == ("failed", "leads.no_registry")
    assert "不计费" in str(run.failure_detail)
    assert outbox.named("run.failed")[0].payload == {"run_id": str(run_id), "code": "leads.no_registry"}


def test_a_run_whose_workers_die_is_begun_three_times_and_then_given_up(
    workshop: WorkShop, world: World, park_id: UUID, outbox: RecordingOutbox
) -> None:
    run_id = queued(workshop, park_id, "twin", {"demo": True})
    for attempt in (1, 2, 3):
        with workshop.work(worker(park_id)) as work:
            job = runs.begin_run(work, run_id=run_id)
        assert job is not None
        assert job.attempt == attempt
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert (run.status, run.failure_code, run.attempts) == ("failed", "run.gave_up", 3)
    assert len(outbox.named("run.failed")) == 1


def test_a_worker_killed_in_the_middle_leaves_a_run_that_the_next_one_finishes(
    workshop: WorkShop, world: World, park_id: UUID, database: Database, outbox: RecordingOutbox
) -> None:
    run_id = queued(workshop, park_id, "twin", {"park": week()})
    lone = subprocess.Popen(
        [sys.executable, "-m", "tests.support.lone_worker", database.url, str(park_id), str(run_id)], cwd=Path.cwd()
    )
    while seen(workshop, park_id, run_id).status == "queued":
        assert lone.poll() is None
        time.sleep(0.02)
    lone.kill()
    lone.wait()
    assert seen(workshop, park_id, run_id).status == "running"
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert (run.status, run.attempts) == ("succeeded", 2)
    assert len(outbox.named("run.succeeded")) == 1


def test_a_run_outlives_more_workers_that_are_told_to_go_than_may_die_on_it(
    workshop: WorkShop, world: World, park_id: UUID, outbox: RecordingOutbox
) -> None:
    run_id = queued(workshop, park_id, "twin", {"park": week()})
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(Unavailable) as left:
            execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS, stopping=lambda: True)
        assert left.value.code == "worker.stopping"
        run = seen(workshop, park_id, run_id)
        assert (run.status, run.attempts) == ("queued", 0)
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert (run.status, run.attempts) == ("succeeded", 1)
    assert outbox.named("run.failed") == []


def test_of_two_workers_with_a_result_one_finishes(workshop: WorkShop, world: World, park_id: UUID) -> None:
    run_id = queued(workshop, park_id, "twin", {"demo": True})
    with workshop.work(worker(park_id)) as work:
        runs.begin_run(work, run_id=run_id)
    content = b'{"a": 1}'
    answers: list[bool] = []
    gate = threading.Barrier(2)

    def finish() -> None:
        gate.wait()
        with workshop.work(worker(park_id)) as work:
            digest = hashlib.sha256(content).hexdigest()
            files = {"manifest.json": content}
            answers.append(runs.finish_run(work, run_id=run_id, files=files, kpis={}, manifest_sha256=digest))

    threads = [threading.Thread(target=finish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False, True]
    with workshop.work(worker(park_id)) as work:
        assert len(artefacts.list_artefacts(work, source_id=run_id)) == 1
        assert not runs.fail_run(work, run_id=run_id, code="late", detail="late")


def test_a_cancelled_run_is_noticed_and_its_child_is_stopped(
    workshop: WorkShop, world: World, park_id: UUID, outbox: RecordingOutbox
) -> None:
    run_id = queued(workshop, park_id, "twin", {"demo": True})
    thread = threading.Thread(
        target=execution.execute_run, args=(workshop, worker(park_id)), kwargs={"run_id": run_id, "limits": LIMITS}
    )
    thread.start()
    while seen(workshop, park_id, run_id).status == "queued":
        time.sleep(0.02)
    with workshop.work(park_person(park_id)) as work:
        deliveries.cancel_delivery(work, run_id=run_id)
    thread.join(20)
    assert not thread.is_alive()
    assert seen(workshop, park_id, run_id).status == "cancelled"
    assert outbox.named("run.failed") == outbox.named("run.succeeded") == []


def test_a_run_over_its_time_fails_with_words(workshop: WorkShop, world: World, park_id: UUID) -> None:
    run_id = queued(workshop, park_id, "twin", {"demo": True})
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=Limits(wall_seconds=0.3))
    assert seen(workshop, park_id, run_id).failure_code == "run.deadline"


def test_a_bad_twin_request_is_refused_by_field_before_anything_is_sold(
    workshop: WorkShop, world: World, park_id: UUID
) -> None:
    for request, field in (
        ({"park": week(period={"year": 1800})}, "request.park.period.year"),
        ({"park": week(load={"csv": "/etc/passwd"})}, "request.park.load.csv"),
        ({"artefact_id": str(new_id())}, "request.artefact_id"),
        ({"demo": True, "park": week()}, "request"),
        ({"surprise": 1}, "request.surprise"),
        ({}, "request"),
    ):
        with pytest.raises(Invalid) as refused:
            order(workshop, park_id, "twin", request)
        assert field in [error.field for error in refused.value.errors], request


def test_an_uploaded_load_is_run_on_the_demo_countys_tariff(workshop: WorkShop, world: World, park_id: UUID) -> None:
    lines = ["time,kw"] + [f"2025-07-{7 + hour // 24:02d}T{hour % 24:02d}:00,{100 + hour % 24}" for hour in range(48)]
    with workshop.work(park_person(park_id)) as work:
        view = artefacts.upload(work, name="load.csv", media_type="text/csv", content="\n".join(lines).encode())
    run_id = queued(workshop, park_id, "twin", {"artefact_id": str(view.id), "site": {"site": {"name": "我的园区"}}})
    execution.execute_run(workshop, worker(park_id), run_id=run_id, limits=LIMITS)
    run = seen(workshop, park_id, run_id)
    assert run.status == "succeeded", run.failure_detail


def test_another_parks_run_and_file_are_not_found(workshop: WorkShop, world: World, park_id: UUID) -> None:
    run_id = queued(workshop, park_id, "twin", {"demo": True})
    with workshop.work(park_person(park_id)) as work:
        view = artefacts.upload(work, name="a.csv", media_type="text/csv", content=b"a")
    stranger = park_person(new_id())
    with pytest.raises(NotFound), workshop.work(stranger) as work:
        runs.read_run(work, run_id=run_id)
    with pytest.raises(NotFound), workshop.work(stranger) as work:
        artefacts.open_artefact(work, artefact_id=view.id)
    with pytest.raises(Invalid):
        order(workshop, new_id(), "twin", {"artefact_id": str(view.id)})
