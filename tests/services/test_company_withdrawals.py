"""Withdrawn sources: the registry is as if they had never come, delivered lists stay and say so, and a crash loses nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from services.gateways.sandbox import Limits
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_companies, demo_switchboard, demo_uscc
from services.usecases import (
    artefacts,
    companies,
    company_imports,
    company_withdrawals,
    execution,
    lead_claims,
    lead_contacts,
)
from services.usecases.company_withdrawals import WithdrawnSource, withdraw_source, withdrawn_since
from services.usecases.invariants import INVARIANTS
from services.usecases.invariants_leads import LEADS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_lead_allocation import REQUEST, claim
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.services import build_world, import_demo_companies, order, park_person

OPERATOR = system_actor("operator", on_behalf_of=new_id())
WORKER = system_actor("worker")
EPOCH = date(2026, 1, 1)
ROWS = (
    "SELECT uscc, name, source_id::text, as_of FROM companies ORDER BY uscc",
    (
        "SELECT uscc, number, masked, source_id::text, as_of FROM company_contacts JOIN company_switchboards USING (uscc)"
        " ORDER BY uscc"
    ),
    "SELECT uscc, region_code, expanded_on, source_id::text FROM company_expansions ORDER BY uscc, region_code, expanded_on",
)
TABLES = ("companies", "superseded_companies", "company_contacts", "company_expansions", "repeated_expansions",
          "company_quarantine")  # fmt: skip


def bring(workshop: WorkShop, content: bytes, name: str = "名录", kind: ImportKind = ImportKind.COMPANIES) -> UUID:
    with workshop.work(WORKER) as work:
        source = company_imports.import_at_once(
            work, kind=kind, name=name, licence="一年", as_of=EPOCH, content=content
        )
    return source.id


def registry(*rows: tuple[int, date, str]) -> bytes:
    """Companies by number, as of a day, with a switchboard or none."""
    lines = ["企业名称,统一社会信用代码,行政区划代码,数据日期,总机"]
    lines += [
        f"第{number}号{day.day}有限公司,{demo_uscc('330100', number)},330100,{day},{phone}"
        for number, day, phone in rows
    ]
    return "\n".join([*lines, ""]).encode()


def moves(*rows: tuple[int, date]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["uscc", "name", "city", "date"])
    writer.writerows([demo_uscc("330100", number), "", "320100", day.isoformat()] for number, day in rows)
    return stream.getvalue().encode()


def withdraw(workshop: WorkShop, source_id: UUID, reason: str = "许可到期") -> None:
    with workshop.work(OPERATOR) as work:
        withdraw_source(work, source_id=source_id, reason=reason)


def carry_out(workshop: WorkShop, source_id: UUID) -> None:
    company_withdrawals.carry_out_withdrawal(workshop, WORKER, source_id=source_id)


def found(workshop: WorkShop) -> list[list[tuple[Any, ...]]]:
    with workshop.work(WORKER) as work:
        return [[tuple(row) for row in work.session.execute(text(query))] for query in ROWS]


def left(workshop: WorkShop, source_id: UUID) -> dict[str, int]:
    with workshop.work(WORKER) as work:
        return {
            name: work.session.execute(
                text(f"SELECT count(*) FROM {name} WHERE source_id = :source"), {"source": source_id}
            ).scalar_one()
            for name in TABLES
        }


def renamed(rows: list[list[tuple[Any, ...]]], names: dict[UUID, str]) -> list[list[tuple[Any, ...]]]:
    """Say sources by what they are called, as their ids are new each time."""
    known = {str(key): name for key, name in names.items()}
    return [[tuple(known.get(str(cell), cell) for cell in row) for row in part] for part in rows]


day = st.integers(0, 3).map(lambda days: EPOCH - timedelta(days=days))
told = st.dictionaries(st.integers(0, 4), st.tuples(day, st.sampled_from(["", "0571-87654321", "95123"])), min_size=1)
moved = st.sets(st.tuples(st.integers(0, 2), day), min_size=1, max_size=4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sources=st.lists(st.one_of(told, moved), min_size=1, max_size=5),
    gone=st.sets(st.integers(0, 4), min_size=1, max_size=2),
)
def test_the_registry_is_as_if_a_withdrawn_source_had_never_come(
    workshop: WorkShop, clock: ManualClock, database: Database, sources: list[Any], gone: set[int]
) -> None:
    def content(number: int, source: Any) -> tuple[bytes, ImportKind]:
        if isinstance(source, dict):
            rows = registry(*((code, *rest) for code, rest in source.items()))
            return rows + b"\n" * number, ImportKind.COMPANIES  # no two files are the same
        return moves(*sorted(source)) + b"\n" * number, ImportKind.EXPANSIONS

    def brought(chosen: list[int]) -> dict[int, UUID]:
        made = {}
        for number in chosen:
            clock.advance(timedelta(minutes=1))
            rows, kind = content(number, sources[number])
            made[number] = bring(workshop, rows, f"来源{number}", kind)
        return made

    everything = list(range(len(sources)))
    empty(database)
    made = brought([each for each in everything if each not in gone])
    expected = renamed(found(workshop), {key: f"来源{number}" for number, key in made.items()})
    empty(database)
    made = brought(everything)
    for number in sorted(gone & set(everything)):
        withdraw(workshop, made[number])
        carry_out(workshop, made[number])
        assert set(left(workshop, made[number]).values()) == {0}
    assert renamed(found(workshop), {key: f"来源{number}" for number, key in made.items()}) == expected


def empty(database: Database) -> None:
    with database.owner().begin() as connection:
        connection.execute(text("TRUNCATE company_sources, companies, company_expansions CASCADE"))


def test_a_withdrawn_file_may_come_again_and_nothing_is_withdrawn_twice(workshop: WorkShop) -> None:
    content = registry((1, EPOCH, "95123"), (2, EPOCH, ""))
    source = bring(workshop, content + "第3号,1,330100,,\n".encode())
    assert left(workshop, source) == dict.fromkeys(TABLES, 0) | {
        "companies": 2, "company_contacts": 1, "company_quarantine": 1,
    }  # fmt: skip
    with pytest.raises(Conflict, match=r"companies\.known_file"):
        bring(workshop, content + "第3号,1,330100,,\n".encode())
    for reason in (" ", "长" * 501):
        with pytest.raises(Invalid, match=r"companies\.reason"):
            withdraw(workshop, source, reason)
    withdraw(workshop, source)
    for _ in range(2):
        with pytest.raises(Conflict, match=r"companies\.not_done"):
            withdraw(workshop, source)
        carry_out(workshop, source)
    with workshop.work(OPERATOR) as work:
        report = company_imports.read_import(work, source_id=source)
    assert report.source.status == "withdrawn"
    gone = report.withdrawal
    assert gone is not None
    assert (gone.reason, gone.rows_total, gone.rows_done, gone.rows_kept) == ("许可到期", 3, 3, 0)
    assert gone.withdrawn_by == OPERATOR.user_id
    assert gone.finished_at is not None
    bring(workshop, content + "第3号,1,330100,,\n".encode())
    with pytest.raises(NotFound), workshop.work(OPERATOR) as work:
        withdraw_source(work, source_id=new_id(), reason="许可到期")


def test_an_import_under_way_is_cancelled_and_not_withdrawn(workshop: WorkShop, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(registry((1, EPOCH, "")))
    with workshop.work(OPERATOR) as work:
        source = company_imports.start_import(
            work, kind=ImportKind.COMPANIES, name="名录", licence="自有", as_of=EPOCH, file_name="", path=path
        ).id
    with pytest.raises(Conflict, match=r"companies\.not_done"):
        withdraw(workshop, source)


def test_new_lists_are_without_it_from_the_moment_of_the_withdrawal(workshop: WorkShop, tmp_path: Path) -> None:
    bring(workshop, registry((1, EPOCH, "")))
    other = bring(workshop, registry((2, EPOCH, "")))
    told_of = bring(workshop, moves((1, EPOCH)), kind=ImportKind.EXPANSIONS)

    def indexed() -> tuple[str, int, bool]:
        with workshop.work(system_actor("worker", tenant_id=new_id())) as work:
            folder = companies.index_registry(work, tmp_path)
        names = (folder / "names.bin").read_bytes().decode()
        return folder.name, names.count("有限公司"), (folder / companies.EVENTS).exists()

    first, count, events = indexed()
    assert (count, events) == (2, True)
    withdraw(workshop, other)
    second, count, events = indexed()
    assert (count, events) == (1, True)
    withdraw(workshop, told_of)
    third, count, events = indexed()
    assert (count, events) == (1, False)
    assert len({first, second, third}) == 3
    assert left(workshop, other)["companies"] == 1, "and no row of it has left yet"


def test_a_crash_between_any_two_statements_loses_nothing(
    workshop: WorkShop, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company_withdrawals, "ROWS_AT_ONCE", 2)
    older = bring(workshop, registry(*((number, EPOCH - timedelta(days=1), "95123") for number in range(3))))
    source = bring(workshop, registry(*((number, EPOCH, "0571-87654321") for number in range(5))))
    withdraw(workshop, source)

    def state() -> Any:
        return found(workshop), left(workshop, source), left(workshop, older)

    def step() -> None:
        with workshop.work(WORKER) as work:
            company_withdrawals._take_batch(work, source)

    for _ in range(3):
        assert crash_everywhere(engine, step, state) > 5
    carry_out(workshop, source)
    names, numbers, _ = found(workshop)
    assert {row[2] for row in names} == {str(older)}
    assert len(names) == len(numbers) == 3
    assert {row[1] for row in numbers} == {"95123"}
    with workshop.work(OPERATOR) as work:
        gone = company_withdrawals.withdrawal_of(work, source_id=source)
    assert gone is not None
    assert (gone.rows_done, gone.rows_kept) == (5, 3)


def test_a_worker_told_to_go_leaves_the_rest_to_the_next(workshop: WorkShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company_withdrawals, "ROWS_AT_ONCE", 2)
    source = bring(workshop, registry(*((number, EPOCH, "") for number in range(5))))
    withdraw(workshop, source)
    with pytest.raises(Unavailable, match=r"worker\.stopping"):
        company_withdrawals.carry_out_withdrawal(
            workshop, WORKER, source_id=source, stopping=lambda: left(workshop, source)["companies"] < 4
        )
    assert left(workshop, source)["companies"] == 3
    carry_out(workshop, source)
    assert left(workshop, source)["companies"] == 0


def test_what_merges_between_the_batches_is_kept_whole(workshop: WorkShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company_withdrawals, "ROWS_AT_ONCE", 2)
    source = bring(workshop, registry(*((number, EPOCH, "95123") for number in range(6))))
    withdraw(workshop, source)
    with workshop.work(WORKER) as work:
        company_withdrawals._take_batch(work, source)
    older = bring(workshop, registry(*((number, EPOCH - timedelta(days=1), "95124") for number in range(4))))
    newer = bring(workshop, registry(*((number, EPOCH + timedelta(days=1), "") for number in range(4, 6))))
    carry_out(workshop, source)
    names, numbers, _ = found(workshop)
    assert [row[2] for row in names] == [str(older)] * 4 + [str(newer)] * 2
    assert [row[1] for row in numbers] == ["95124"] * 4
    assert set(left(workshop, source).values()) == {0}


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> Iterator[UUID]:
    build_world(workshop)
    yield import_demo_companies(workshop, clock.now().date()).id
    assert broken(workshop, (*INVARIANTS, *LEADS)) == {}


def test_a_delivered_list_keeps_its_evidence_and_says_what_was_withdrawn(
    workshop: WorkShop, clock: ManualClock, world: UUID
) -> None:
    park_id = new_id()
    person = park_person(park_id)
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None
    worker = system_actor("worker", tenant_id=park_id)
    execution.execute_run(workshop, worker, run_id=run_id, limits=Limits(wall_seconds=120))

    def seen() -> tuple[tuple[lead_claims.LeadView, ...], tuple[WithdrawnSource, ...], dict[str, bytes]]:
        with workshop.work(person) as work:
            files = {
                each.name: artefacts.open_artefact(work, artefact_id=each.id).content
                for each in artefacts.list_artefacts(work, source_id=run_id)
            }
            return lead_claims.list_leads(work, run_id=run_id), withdrawn_since(work, run_id=run_id), files

    leads, gone, files = seen()
    assert (len(leads), gone, {each.withdrawn for each in leads}) == (50, (), {None})
    with_number = next(each for each in leads if each.contact)
    claim(workshop, park_id, with_number.uscc)
    clock.advance(timedelta(hours=1))
    withdraw(workshop, world, "许可已于三月到期")
    with pytest.raises(NotFound, match=r"leads\.no_contact"), workshop.work(person) as work:
        lead_contacts.show_contact(work, uscc=with_number.uscc)
    carry_out(workshop, world)
    note = WithdrawnSource("演示名录", "许可已于三月到期", clock.now())
    again, gone, kept = seen()
    assert gone == (note,)
    assert {each.withdrawn for each in again} == {note}
    assert [(each.uscc, each.name) for each in again] == [(each.uscc, each.name) for each in leads], "names stay"
    assert kept == files
    assert {each.contact for each in again} == {None}
    clock.advance(timedelta(hours=1))
    import_demo_companies(workshop, clock.now().date())
    with workshop.work(park_person(new_id())) as work:
        assert withdrawn_since(work, run_id=run_id) == ()
        assert work.session.execute(text("SELECT count(*) FROM withdrawn_companies")).scalar_one() == 0


def test_a_list_from_before_or_after_a_source_says_nothing_of_it(
    workshop: WorkShop, clock: ManualClock, world: UUID
) -> None:
    del world
    park_id = new_id()

    def listed() -> UUID:
        clock.advance(timedelta(minutes=1))
        run_id = order(workshop, park_id, "leads", REQUEST | {"count": 20}).run_id
        assert run_id is not None
        worker = system_actor("worker", tenant_id=park_id)
        execution.execute_run(workshop, worker, run_id=run_id, limits=Limits(wall_seconds=120))
        clock.advance(timedelta(minutes=1))
        return run_id

    before = listed()
    rows = demo_companies(as_of=clock.now().date(), count=3000) + b"\r\n"
    source = bring(workshop, rows, "换代名录")
    clock.advance(timedelta(minutes=1))
    between = listed()
    withdraw(workshop, source)
    carry_out(workshop, source)
    after = listed()
    with workshop.work(park_person(park_id)) as work:
        told_of = [[each.name for each in withdrawn_since(work, run_id=run)] for run in (before, between, after)]
    assert told_of == [[], ["换代名录"], []]


def test_nobody_forgets_rows_of_a_source_that_counts_and_parks_see_no_kept_numbers(
    workshop: WorkShop, engine: Engine
) -> None:
    del engine
    source = bring(workshop, registry((1, EPOCH, demo_switchboard(1))))
    for call in ("forget_company_rows(:source, ARRAY['x'])", "forget_other_rows(:source, 5)"):
        with pytest.raises(DBAPIError, match="is not withdrawn"), workshop.work(WORKER) as work:
            work.session.execute(text(f"SELECT {call}"), {"source": source})
    for table in ("superseded_companies", "repeated_expansions"):
        with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(park_person(new_id())) as work:
            work.session.execute(text(f"SELECT count(*) FROM {table}"))
    with pytest.raises(NotAllowed), workshop.work(park_person(new_id())) as work:
        withdraw_source(work, source_id=source, reason="许可到期")
    with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(WORKER) as work:
        work.session.execute(text("DELETE FROM companies"))
