"""The registry in the database: imported by code, brought up to date, never set back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from services.gateways.lead_index import open_index
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_companies
from services.usecases import companies, company_imports
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.services import import_demo_companies, park_person


def test_an_import_takes_every_good_row_and_the_engine_gets_the_active_ones(
    workshop: WorkShop, clock: ManualClock, tmp_path: Path
) -> None:
    today = clock.now().date()
    report = import_demo_companies(workshop, today, 300)
    assert (report.rows_accepted, report.rows_refused) == (300, 0)
    with workshop.work(system_actor("worker", tenant_id=new_id())) as work:
        registry = open_index(companies.index_registry(work, tmp_path / "cache")).registry
    handed = [registry.company(row) for row in range(len(registry))]
    assert 200 < len(handed) < 300
    assert all(row.active and row.as_of == today for row in handed)


def test_the_index_is_built_once_for_what_was_imported_and_anew_for_what_is(
    workshop: WorkShop, clock: ManualClock, tmp_path: Path
) -> None:
    cache, today = tmp_path / "cache", clock.now().date()

    def index() -> Path:
        with workshop.work(system_actor("worker", tenant_id=new_id())) as work:
            return companies.index_registry(work, cache)

    folders = []
    for days in (20, 10, 0):
        import_demo_companies(workshop, today - timedelta(days=days), 50)
        folders.append(index())
        assert index() == folders[-1], "the same imports, the same folder"
    assert len(set(folders)) == 3
    assert sorted(cache.iterdir()) == sorted(folders[1:]), "the two newest stay, and nothing half done"
    (folders[-1] / "meta.json").unlink()
    (folders[-1] / "codes.npy").unlink()
    assert len(open_index(index()).registry) > 0, "what was not finished is built again"


def test_a_cache_that_is_somebody_elses_is_not_used(
    workshop: WorkShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr("os.getuid", lambda: -5)
    with (
        pytest.raises(Unavailable, match=r"companies\.cache"),
        workshop.work(system_actor("worker", tenant_id=new_id())) as work,
    ):
        companies.index_registry(work, tmp_path / "cache")


def test_newer_rows_replace_and_older_ones_do_not(workshop: WorkShop, clock: ManualClock) -> None:
    today = clock.now().date()
    for as_of in (today, today - timedelta(days=30)):
        import_demo_companies(workshop, as_of, 50)
    with workshop.work(system_actor("test")) as work:
        counted = work.session.execute(text("SELECT count(*), min(as_of) FROM companies")).one()
    assert tuple(counted) == (50, today)


def test_the_same_file_is_imported_once(workshop: WorkShop, clock: ManualClock) -> None:
    import_demo_companies(workshop, clock.now().date(), 20)
    with pytest.raises(Conflict, match=r"companies\.known_file"):
        import_demo_companies(workshop, clock.now().date(), 20)


def test_a_row_that_comes_twice_in_one_file_counts_once(workshop: WorkShop, clock: ManualClock) -> None:
    today = clock.now().date()
    content = demo_companies(as_of=today, count=10)
    lines = content.splitlines(keepends=True)
    with workshop.work(system_actor("test")) as work:
        report = company_imports.import_at_once(
            work,
            kind=ImportKind.COMPANIES,
            name="演示",
            licence="synthetic",
            as_of=today,
            content=content + b"".join(lines[1:5]),
        )
        assert report.rows_accepted == 14
        assert work.session.execute(text("SELECT count(*) FROM companies")).scalar_one() == 10


def test_an_import_without_source_or_with_a_date_to_come_is_refused(workshop: WorkShop, clock: ManualClock) -> None:
    tomorrow = clock.now().date() + timedelta(days=1)
    with pytest.raises(Invalid) as refused, workshop.work(system_actor("test")) as work:
        company_imports.import_at_once(
            work, kind=ImportKind.COMPANIES, name="", licence="", as_of=tomorrow, content=b"x"
        )
    assert {error.field for error in refused.value.errors} == {"name", "licence", "as_of"}


def test_a_park_may_not_import(workshop: WorkShop, clock: ManualClock) -> None:
    with pytest.raises(NotAllowed), workshop.work(park_person(new_id())) as work:
        company_imports.import_at_once(
            work, kind=ImportKind.COMPANIES, name="a", licence="b", as_of=clock.now().date(), content=b"x"
        )
