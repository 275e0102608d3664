"""Workbooks that are bombs: each is refused with the limit it breaks, in bounded memory, and nothing of it is kept."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import text

from services.gateways import workbooks
from services.gateways.company_files import open_company_path
from services.gateways.workbooks import LIMITS, workbook_rows
from services.rules.company_imports import ImportKind
from services.usecases import company_imports
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Problem, TooLarge
from tenants.kernel.work import WorkShop

MIB = 1 << 20
SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
TYPES = "[Content_Types].xml"
TEXTS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
HEADER = ["企业名称", "统一社会信用代码", "行政区划代码"]


def workbook(path: Path, *rows: Sequence[object], change: Mapping[str, bytes] | None = None) -> Path:
    """Write a workbook, some of whose members are changed, or added."""
    book = Workbook()
    for row in rows or (HEADER,):
        book.worksheets[0].append(list(row))
    made = io.BytesIO()
    book.save(made)
    changed = dict(change or {})
    if STRINGS in changed:
        changed = {TYPES: _with_strings(made)} | changed
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, changed.pop(name, source.read(name)))
        for name, content in changed.items():
            target.writestr(name, content)
    return path


def _with_strings(made: io.BytesIO) -> bytes:
    """Return the list of the package's parts with one of shared texts, which the library writes into the cells instead."""
    with zipfile.ZipFile(made) as package:
        parts = package.read(TYPES)
    return parts.replace(b"</Types>", f'<Override PartName="/{STRINGS}" ContentType="{TEXTS}"/></Types>'.encode())


def sheet(rows: str) -> bytes:
    return f'<?xml version="1.0"?><worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def refused(path: Path, **limits: int) -> Problem:
    with pytest.raises(Problem) as problem:
        list(workbook_rows(path, replace(LIMITS, **limits)))
    return problem.value


def test_cells_are_read_as_text_and_a_row_ends_with_its_last(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x", HEADER, ["甲\n乙", 3.0, date(2026, 3, 1)], [None, 0.5, None], [True, "半"])
    rows = list(workbook_rows(path))
    assert rows[:3] == [HEADER, ["甲\n乙", "3", "2026-03-01"], ["", "0.5"]]
    assert rows[3] == ["True", "半"]


def test_what_unpacks_to_too_much_is_refused_with_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = workbook(tmp_path / "bomb", change={STRINGS: bytes(300 * MIB)})
    assert bomb.stat().st_size < MIB
    problem = refused(bomb)
    assert (problem.code, isinstance(problem, TooLarge)) == ("workbook.too_large", True)
    assert "256 MiB" in str(problem.message)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("zeros", bytes(200 * MIB))
    nested = workbook(tmp_path / "nested", change={"xl/embeddings/more.zip": inner.getvalue()})
    assert list(workbook_rows(nested)) == [HEADER], "what is packed inside is not unpacked"
    nested = workbook(tmp_path / "twice", change={"xl/embeddings/more.zip": bytes(4 * MIB)})
    assert refused(nested).code == "workbook.too_large", "whatever a member is, it may be packed so tightly and no more"
    monkeypatch.setattr(workbooks, "MOST_BYTES", MIB)
    noise = random.Random(1).randbytes(MIB)
    assert refused(workbook(tmp_path / "loose", change={"xl/media/image.png": noise})).code == "workbook.too_large"


def test_a_directory_that_lies_gains_nothing(tmp_path: Path) -> None:
    """The sheet states a hundredth of its size: reading ends there, and the sum does not fit."""
    whole = sheet("".join(f'<row r="{at}"><c r="A{at}"><v>{at}</v></c></row>' for at in range(1, 60_000)))
    path = workbook(tmp_path / "x", change={SHEET: whole})
    content = path.read_bytes()
    for size in (len(whole) // 100, 10):
        path.write_bytes(content.replace(struct.pack("<L", len(whole)), struct.pack("<L", size)))
        assert refused(path).code == "workbook.broken"


def test_texts_that_fill_the_memory_end_the_child_and_nothing_else(tmp_path: Path) -> None:
    strings = "".join([f"<si><t>{number * 7919 % 99991}</t></si>" for number in range(700_000)])
    path = workbook(
        tmp_path / "x", change={STRINGS: f'<?xml version="1.0"?><sst xmlns="{MAIN}">{strings}</sst>'.encode()}
    )
    assert list(workbook_rows(workbook(tmp_path / "usual"), replace(LIMITS, memory_mb=300))) == [HEADER]
    problem = refused(path, memory_mb=300)
    assert problem.code == "workbook.too_much"
    assert "300 MiB" in str(problem.message)


def test_time_has_an_end_too(tmp_path: Path) -> None:
    many = "".join(
        f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>{at % 7919}</t></is></c></row>' for at in range(1, 200_000)
    )
    assert refused(workbook(tmp_path / "x", change={SHEET: sheet(many)}), cpu_seconds=2).code == "workbook.too_much"


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "member", [SHEET, STRINGS, "xl/workbook.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"]
)
@pytest.mark.parametrize("declared", [LAUGHS, FILE])
def test_no_entity_is_ever_looked_at(tmp_path: Path, member: str, declared: bytes) -> None:
    content = b'<?xml version="1.0"?>' + declared + b"<x>&b;</x>"
    assert refused(workbook(tmp_path / "x", change={member: content})).code == "workbook.broken"


@pytest.mark.parametrize(
    "content",
    [
        ('<?xml version="1.0" encoding="UTF-16"?>' + LAUGHS.decode() + "<x/>").encode("utf-16"),
        LAUGHS.decode().encode("utf-16-le"),
        b'<?xml version="1.0"?><!--' + b"x y z " * ((MIB - 30) // 6) + b"--><!DOCTYPE x [<!ENTITY a 'a'>]><x/>",
    ],
)
def test_nor_where_it_hides(tmp_path: Path, content: bytes) -> None:
    dice = random.Random(3)
    content = content.replace(b"x y z", bytes(dice.choices(b"abcdefgh", k=5)))
    assert refused(workbook(tmp_path / "x", change={STRINGS: content})).code in {
        "workbook.broken",
        "workbook.too_large",
    }


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (
            '<row r="1"><c r="A1"><v>1</v></c></row><row r="99999999999"><c r="A99999999999"><v>1</v></c></row>',
            "workbook.too_many_rows",
        ),
        ('<row r="-1"><c r="!"><v>1</v></c></row>', "workbook.broken"),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="ZZZZZZ1"><v>2</v></c></row>', "workbook.broken"),
    ],
)
def test_rows_that_are_not_there_are_not_made(tmp_path: Path, rows: str, code: str) -> None:
    problem = refused(workbook(tmp_path / "x", change={SHEET: sheet(rows)}))
    assert problem.code == code
    assert code != "workbook.too_many_rows" or "1048576" in str(problem.message)


def test_a_cell_far_out_makes_no_wide_row(tmp_path: Path) -> None:
    for last in ("XFD", "ZZZ"):
        far = sheet(f'<row r="1"><c r="A1"><v>1</v></c><c r="{last}1"><v>2</v></c></row>')
        assert list(workbook_rows(workbook(tmp_path / last, change={SHEET: far}))) == [["1"]]


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + bytes(500), b"PK\x05\x06" + bytes(18)])
def test_what_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert refused(path).code == "workbook.broken"


def test_every_door_of_workbooks_refuses_them_and_keeps_nothing(workshop: WorkShop, tmp_path: Path) -> None:
    bomb = workbook(tmp_path / "bomb", change={STRINGS: bytes(300 * MIB)})
    for kind in ImportKind:
        with pytest.raises(TooLarge, match=r"workbook\.too_large"), workshop.work(system_actor("operator")) as work:
            company_imports.start_import(
                work, kind=kind, name="名录", licence="自有", as_of=work.now.date(), file_name="x.xlsx", path=bomb
            )
    with workshop.work(system_actor("operator")) as work:
        assert work.session.execute(text("SELECT count(*) FROM company_sources")).scalar_one() == 0
    with pytest.raises(TooLarge, match=r"workbook\.too_large"):
        list(open_company_path(bomb, default_as_of=date(2026, 3, 1)).rows())
