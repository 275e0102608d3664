"""Imports part by part: nothing counts before the end, nothing is taken twice, nothing personal is kept."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine, text

from services.gateways import import_parts
from services.gateways.company_files import open_company_file
from services.gateways.expansion_files import read_expansion_file
from services.rules.company_imports import MOST_ATTEMPTS, REASONS, WARNINGS, ImportKind, ImportStatus
from services.rules.demo_companies import demo_companies, demo_uscc, write_companies
from services.usecases import companies, company_imports
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.crashes import crash_everywhere
from tests.support.services import park_person

OPERATOR = system_actor("operator")
HEADER = "企业名称,统一社会信用代码,行政区划代码,行业代码,成立日期,注册资本,经营状态,经营范围,法定代表人,联系电话"
PERSON, MOBILE = "王小明", "13800001234"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_parts.pack_parts, "__defaults__", (10,))


def row(number: int, **other: str) -> str:
    """A line that is good unless told otherwise."""
    cells = {
        "name": f"第{number}食品有限公司", "uscc": demo_uscc("411200", number), "region": "411200", "industry": "1491",
        "founded": "2010-01-01", "capital": "100万元", "status": "存续", "scope": f"食品加工，联系{PERSON}{MOBILE}",
        "person": PERSON, "phone": MOBILE,
    }  # fmt: skip
    return ",".join((cells | other).values())


def start(
    workshop: WorkShop, tmp_path: Path, content: bytes, kind: ImportKind = ImportKind.COMPANIES, days: int = 0
) -> UUID:
    path = tmp_path / "file"
    path.write_bytes(content)
    with workshop.work(OPERATOR) as work:
        as_of = work.now.date() - timedelta(days=days)
        return company_imports.start_import(
            work, kind=kind, name="名录", licence="自有", as_of=as_of, file_name="名录.csv", path=path
        ).id


def lines(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def report(workshop: WorkShop, source_id: UUID) -> company_imports.ImportReport:
    with workshop.work(OPERATOR) as work:
        return company_imports.read_import(work, source_id=source_id)


def counted(workshop: WorkShop, table: str) -> int:
    with workshop.work(OPERATOR) as work:
        return int(work.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_file_counts_all_at_once_and_leaves_nothing_behind(workshop: WorkShop, tmp_path: Path) -> None:
    bad = [row(51, uscc="12345"), row(52, region="火星"), row(53, capital="-5万元"), row(54, status="不明")]
    source = start(workshop, tmp_path, lines(*(row(number) for number in range(25)), *bad))
    queued = report(workshop, source).source
    assert (queued.status, queued.rows_total, queued.rows_done, queued.dropped_columns) == (
        ImportStatus.QUEUED, 29, 0, ("法定代表人",),
    )  # fmt: skip
    seen: list[tuple[int, int]] = []

    def looked() -> bool:
        seen.append((report(workshop, source).source.percent, counted(workshop, "companies")))
        return False

    company_imports.carry_out_import(workshop, OPERATOR, source_id=source, stopping=looked)
    assert seen == [(0, 0), (34, 0), (68, 0), (100, 0)], "progress is seen, and nothing counts before the end"
    done = report(workshop, source)
    assert (done.source.status, done.source.rows_accepted, done.source.rows_refused) == ("done", 25, 4)
    assert done.source.reasons == {"bad_uscc": 1, "unknown_region": 1, "bad_capital": 1, "unknown_status": 1}
    assert [(each.row, each.reason) for each in done.refused] == [
        (27, "bad_uscc"), (28, "unknown_region"), (29, "bad_capital"), (30, "unknown_status"),
    ]  # fmt: skip
    assert counted(workshop, "companies") == 25
    assert [counted(workshop, f"{name}") for name in ("company_import_parts", "incoming_companies")] == [0, 0]
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    assert report(workshop, source) == done, "told twice, done once"


def test_it_finds_what_the_reader_finds(workshop: WorkShop, tmp_path: Path) -> None:
    """Stripped of persons and packed, rows are taken and refused for the same reasons as straight from the file."""
    odd = [
        row(60, capital="100万美元"), row(61, capital="若干"), row(62, uscc=""), row(63, name="A"), row(64, founded="2999-01-01"),
        row(65, industry="9999"), f"{PERSON},{row(66)}", row(67, founded="昨天"), row(68, scope="半\udc80".encode("utf-8", "replace").decode()),
    ]  # fmt: skip
    content = lines(*odd, *(row(number) for number in range(30)))
    source = start(workshop, tmp_path, content)
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    straight = open_company_file(content, default_as_of=date(2026, 3, 2))
    told = {each.uscc: each for each in straight.rows()}
    found = report(workshop, source).source
    assert (found.reasons, found.warned) == (dict(straight.reasons), dict(straight.warned))
    with workshop.work(OPERATOR) as work:
        kept = work.session.execute(text("SELECT uscc, name, scope, capital_fen, founded_on FROM companies")).all()
    assert {each.uscc: tuple(each)[1:] for each in kept} == {
        code: (each.name, each.scope, each.capital_fen, each.founded_on) for code, each in told.items()
    }
    assert set(found.reasons) <= set(REASONS)
    assert set(found.warned) <= set(WARNINGS)


def test_no_person_is_kept_anywhere_between_the_door_and_the_end(workshop: WorkShop, tmp_path: Path) -> None:
    spoilt = f"{PERSON},{row(71)}", row(72, uscc=PERSON), row(73, region=PERSON), row(74, capital=MOBILE)
    source = start(workshop, tmp_path, lines(row(70), *spoilt))
    with workshop.work(OPERATOR) as work:
        parts = work.session.execute(text("SELECT content FROM company_import_parts")).scalars().all()
    packed = str([list(import_parts.unpack_part(each)) for each in parts])
    assert "第70食品有限公司" in packed
    assert MOBILE not in packed
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    with workshop.work(OPERATOR) as work:
        kept = list(company_imports.refused_rows(work, source_id=source))
    assert [each.row for each in kept] == [3, 4, 5], "a mobile for a capital is dropped, and the capital unknown"
    assert MOBILE not in str(kept)
    assert all(PERSON not in str(each) for each in kept[:2] if each.reason == "slipped")
    assert PERSON not in {cell for each in kept for cell in each.cells.values()}


def test_what_crashes_between_any_two_statements_is_done_by_the_next_attempt(
    workshop: WorkShop, tmp_path: Path, engine: Engine
) -> None:
    source = start(workshop, tmp_path, lines(*(row(number) for number in range(12))))

    def state() -> tuple[int, ...]:
        return tuple(counted(workshop, name) for name in ("incoming_companies", "companies", "company_quarantine"))

    with workshop.work(OPERATOR) as work:
        company_imports._begin(work, source)

    def step() -> None:
        with workshop.work(OPERATOR) as work:
            company_imports._take_part(work, source)

    assert crash_everywhere(engine, step, state) > 5
    assert state() == (10, 0, 0)
    step()
    step()

    def merge() -> None:
        with workshop.work(OPERATOR) as work:
            company_imports._merge(work, source)

    assert crash_everywhere(engine, merge, state) > 5
    assert state() == (0, 12, 0)


def test_a_cancelled_import_has_left_nothing_and_its_file_may_come_again(workshop: WorkShop, tmp_path: Path) -> None:
    content = lines(*(row(number) for number in range(30)), row(40, uscc="1"))
    source = start(workshop, tmp_path, content)

    def cancelled() -> bool:
        if report(workshop, source).source.rows_done == 20:
            with workshop.work(OPERATOR) as work:
                company_imports.cancel_import(work, source_id=source)
        return False

    company_imports.carry_out_import(workshop, OPERATOR, source_id=source, stopping=cancelled)
    found = report(workshop, source).source
    assert (found.status, found.rows_done) == ("cancelled", 20)
    left = ("companies", "incoming_companies", "company_import_parts")
    assert [counted(workshop, each) for each in left] == [0, 0, 0]
    with pytest.raises(Conflict, match=r"companies\.import_ended"), workshop.work(OPERATOR) as work:
        company_imports.cancel_import(work, source_id=source)
    again = start(workshop, tmp_path, content)
    company_imports.carry_out_import(workshop, OPERATOR, source_id=again)
    assert report(workshop, again).source.rows_accepted == 30


def test_a_worker_told_to_go_leaves_the_rest_to_the_next(workshop: WorkShop, tmp_path: Path) -> None:
    source = start(workshop, tmp_path, lines(*(row(number) for number in range(30))))
    with pytest.raises(Unavailable, match=r"worker\.stopping"):
        company_imports.carry_out_import(
            workshop, OPERATOR, source_id=source, stopping=lambda: report(workshop, source).source.rows_done == 10
        )
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    assert report(workshop, source).source.status == "done"


def test_an_import_that_takes_worker_after_worker_with_it_is_given_up(workshop: WorkShop, tmp_path: Path) -> None:
    source = start(workshop, tmp_path, lines(row(1)))
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Unavailable):
            company_imports.carry_out_import(workshop, OPERATOR, source_id=source, stopping=lambda: True)
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    found = report(workshop, source).source
    assert (found.status, found.failure_code) == ("failed", "companies.gave_up")
    assert counted(workshop, "company_import_parts") == 0


def test_repeated_older_and_namesakes_are_warned_of(workshop: WorkShop, tmp_path: Path) -> None:
    first = start(workshop, tmp_path, lines(row(1), row(2)))
    company_imports.carry_out_import(workshop, OPERATOR, source_id=first)
    twin = row(3, name="第1食品有限公司")
    second = start(workshop, tmp_path, lines(row(1), row(4), row(4), twin), days=30)
    company_imports.carry_out_import(workshop, OPERATOR, source_id=second)
    found = report(workshop, second)
    assert found.source.warned == {"repeated": 1, "older": 1, "switchboard_dropped": 4}
    assert found.source.namesakes == 1
    assert [(each.name, each.region_code, each.codes) for each in found.namesakes] == [
        ("第1食品有限公司", "411200", tuple(sorted((demo_uscc("411200", 1), demo_uscc("411200", 3))))),
    ]
    with workshop.work(OPERATOR) as work:
        listed = company_imports.list_imports(work, kind=ImportKind.COMPANIES, limit=1)
    assert len(listed.items) == 1
    assert listed.next_cursor


def test_the_order_of_equally_new_rows_of_a_code_changes_nothing(
    workshop: WorkShop, tmp_path: Path, database: object
) -> None:
    del database
    rows = [row(1, scope=f"经营{number}") for number in range(25)]
    kept = []
    for content in (lines(*rows), lines(*reversed(rows))):
        source = start(workshop, tmp_path, content)
        company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
        with workshop.work(OPERATOR) as work:
            kept.append(work.session.execute(text("SELECT scope FROM companies")).scalar_one())
    assert kept[0] == kept[1]


def test_expansions_come_in_once_each_and_reach_the_engine(
    workshop: WorkShop, clock: ManualClock, tmp_path: Path
) -> None:
    today = clock.now().date()
    registry, moves = io.StringIO(newline=""), io.StringIO(newline="")
    count = write_companies(registry, moves, as_of=today, count=200, seed=3)
    rows = list(csv.reader(io.StringIO(moves.getvalue())))
    named = [
        ["", "某某集团有限公司", "320100", "2024-05-01"],
        ["", "", "320100", "2024-05-01"],
        ["1", PERSON, "x", "y"],
    ]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([*rows, rows[1], *named])
    content = stream.getvalue().encode("gb18030")
    source = start(workshop, tmp_path, content, ImportKind.EXPANSIONS)
    folders = [tmp_path / "cache"]
    with workshop.work(system_actor("worker", tenant_id=new_id())) as work:
        before = companies.index_registry(work, folders[0])
    assert not (before / companies.EVENTS).exists()
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    found = report(workshop, source)
    assert found.source.reasons == {"no_company": 1, "bad_date": 1}
    assert found.source.warned["repeated"] >= 1
    assert PERSON not in str(found.refused)
    with workshop.work(system_actor("worker", tenant_id=new_id())) as work:
        after = companies.index_registry(work, folders[0])
    assert after != before, "what was made without the expansions is not of this registry"
    path = tmp_path / "straight.csv"
    path.write_bytes(content)
    assert read_expansion_file(after / companies.EVENTS).expansions == read_expansion_file(path).expansions
    assert counted(workshop, "company_expansions") == len(read_expansion_file(path).expansions) <= count + 1


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "companies.no_header"), (HEADER.encode(), "companies.empty"), (b"\xff\xfe\x00", "companies.unreadable")],
)
def test_what_is_no_registry_is_refused_at_the_door(
    workshop: WorkShop, tmp_path: Path, content: bytes, code: str
) -> None:
    with pytest.raises(Invalid, match=code.replace(".", r"\.")):
        start(workshop, tmp_path, content)
    assert counted(workshop, "company_sources") == 0


def test_a_workbook_is_imported_whatever_its_file_is_called(workshop: WorkShop, tmp_path: Path) -> None:
    book = Workbook()
    for line in (HEADER, row(1), row(2, uscc="1")):
        book.worksheets[0].append(line.split(","))
    target = io.BytesIO()
    book.save(target)
    source = start(workshop, tmp_path, target.getvalue())
    company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
    found = report(workshop, source).source
    assert (found.rows_accepted, found.reasons) == (1, {"bad_uscc": 1})


def test_a_known_file_is_refused_while_it_is_imported_and_after(workshop: WorkShop, tmp_path: Path) -> None:
    start(workshop, tmp_path, lines(row(1)))
    with pytest.raises(Conflict, match=r"companies\.known_file"):
        start(workshop, tmp_path, lines(row(1)))


def test_only_who_may_import_sees_imports(workshop: WorkShop, tmp_path: Path) -> None:
    source = start(workshop, tmp_path, lines(row(1)))
    for act in (
        lambda work: company_imports.read_import(work, source_id=source),
        company_imports.list_imports,
        lambda work: company_imports.cancel_import(work, source_id=source),
        lambda work: company_imports.refused_rows(work, source_id=source),
    ):
        with pytest.raises(NotAllowed), workshop.work(park_person(new_id())) as work:
            act(work)
    with pytest.raises(NotFound), workshop.work(OPERATOR) as work:
        company_imports.read_import(work, source_id=new_id())


def test_a_large_file_is_read_and_imported_in_little_memory(
    workshop: WorkShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_parts.pack_parts, "__defaults__", (1_000,))
    content = demo_companies(as_of=date(2026, 3, 1), count=12_000)
    path = tmp_path / "large.csv"
    path.write_bytes(content)
    peaks = []
    for share in (4, 1):
        part = tmp_path / f"{share}.csv"
        part.write_bytes(b"\n".join(content.split(b"\n")[: 12_000 // share]) + b"\n")
        tracemalloc.start()
        with workshop.work(OPERATOR) as work:
            source = company_imports.start_import(
                work,
                kind=ImportKind.COMPANIES,
                name="大",
                licence="自有",
                as_of=date(2026, 3, 1),
                file_name="",
                path=part,
            ).id
        company_imports.carry_out_import(workshop, OPERATOR, source_id=source)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + (4 << 20), peaks


def kept(workshop: WorkShop, code: str) -> tuple[Any, ...]:
    query = "SELECT name, scope, capital_fen, status, as_of FROM companies WHERE uscc = :code"
    with workshop.work(OPERATOR) as work:
        return tuple(work.session.execute(text(query), {"code": code}).one())


def test_a_row_without_a_code_is_the_one_company_of_its_name_and_region(workshop: WorkShop, tmp_path: Path) -> None:
    """It may be known already or stand in the same file; what the row does not say stays, and a name of two is nobody's."""
    twins = row(3, name="同名食品有限公司"), row(4, name="同名食品有限公司")
    first = start(workshop, tmp_path, lines(row(1), row(2), *twins))
    company_imports.carry_out_import(workshop, OPERATOR, source_id=first)
    before = kept(workshop, demo_uscc("411200", 1))
    later = start(
        workshop,
        tmp_path,
        lines(
            row(1, uscc="", status="注销", capital=""),
            row(5),
            row(5, uscc="-", capital="700万元"),
            row(2, uscc="", region="410300"),
            row(3, uscc="", name="同名食品有限公司"),
            row(9, uscc=""),
            row(2, uscc="12345"),
        ),
        days=0,
    )
    company_imports.carry_out_import(workshop, OPERATOR, source_id=later)
    found = report(workshop, later)
    assert (found.source.rows_accepted, found.source.rows_refused) == (3, 4)
    assert found.source.reasons == {"no_code": 3, "bad_uscc": 1}
    assert (found.source.warned["by_name"], found.source.warned["repeated"]) == (2, 1)
    assert found.source.rows_merged == 2
    assert [each.row for each in found.refused] == [5, 6, 7, 8], "the others can still be mended"
    after = kept(workshop, demo_uscc("411200", 1))
    assert after[:3] == before[:3], "what it does not say stays"
    assert after[3] == "inactive"
    assert counted(workshop, "companies") == 5
    assert counted(workshop, "incoming_companies") == 0


def test_an_older_row_without_a_code_changes_nothing(workshop: WorkShop, tmp_path: Path) -> None:
    first = start(workshop, tmp_path, lines(row(1)))
    company_imports.carry_out_import(workshop, OPERATOR, source_id=first)
    older = start(workshop, tmp_path, lines(row(1, uscc="", status="注销")), days=30)
    company_imports.carry_out_import(workshop, OPERATOR, source_id=older)
    found = report(workshop, older).source
    assert (found.rows_merged, found.warned["older"], found.warned["by_name"]) == (0, 1, 1)
    assert kept(workshop, demo_uscc("411200", 1))[3] == "active"
