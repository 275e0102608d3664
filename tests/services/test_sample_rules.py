"""Rules of submitted samples: due dates, labels, result files."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.formats.result_files import check_result
from services.gateways.workdays import is_workday
from services.rules.code128 import MODULUS, QUIET, START_B, WIDTHS, bars
from services.rules.samples import BatchStatus, due_at, is_late
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Invalid


def test_a_report_is_due_at_the_end_of_a_working_day_across_holidays() -> None:
    received = datetime(2026, 9, 28, 16, tzinfo=CHINA)
    due = due_at(received, is_workday, 7)
    day = date(2026, 9, 28)
    worked = [each for each in range(1, 30) if is_workday(date.fromordinal(day.toordinal() + each))][:7]
    assert due == datetime.combine(date.fromordinal(day.toordinal() + worked[-1] + 1), datetime.min.time(), CHINA)
    assert not is_late(BatchStatus.TESTING, due, None, received)
    assert is_late(BatchStatus.TESTING, due, None, due)
    assert not is_late(BatchStatus.FAILED, due, due, due)
    assert is_late(BatchStatus.REPORTED, due, due, received)


def test_each_symbol_of_code_128_is_eleven_modules_wide_and_unlike_any_other() -> None:
    assert len(WIDTHS) == len(set(WIDTHS)) == 106
    assert all(sum(map(int, each)) == 11 for each in WIDTHS)
    assert all(sum(map(int, each[::2])) % 2 == 0 for each in WIDTHS), "bars are an even number of modules"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_a_label_reads_back_as_it_was_written(text: str) -> None:
    drawn, whole = bars(text)
    dark = [False] * whole
    for left, width in drawn:
        dark[left : left + width] = [True] * width
    inside = dark[QUIET : whole - QUIET - 13]
    symbols = []
    for start in range(0, len(inside), 11):
        part, runs, last = inside[start : start + 11], "", 0
        for place in range(1, 12):
            if place == 11 or part[place] != part[place - 1]:
                runs, last = runs + str(place - last), place
        symbols.append(WIDTHS.index(runs))
    first, *values, check = symbols
    assert first == START_B
    assert "".join(chr(value + 32) for value in values) == text
    assert check == (START_B + sum(place * value for place, value in enumerate(values, 1))) % MODULUS


@pytest.mark.parametrize("text", ["", "样品", "a\n"])
def test_what_code_b_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        bars(text)


def workbook(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.PDF", b"%PDF-1.7\n...\n%%EOF\n"),
        ("a.xlsx", workbook("[Content_Types].xml", "xl/workbook.xml")),
        ("a.csv", "样品,铅\nA,0.1\n".encode()),
        ("a.csv", "样品,铅\nA,0.1\n".encode("gb18030")),
    ],
)
def test_result_files_of_the_three_kinds_are_taken(name: str, content: bytes) -> None:
    assert "/" in check_result(name, content)


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("a.exe", b"MZ", "result.kind", "PDF、XLSX 或 CSV"),
        ("a.pdf", b"hello", "result.malformed", "不是 PDF"),
        ("a.pdf", b"%PDF-1.7 cut", "result.malformed", "不完整"),
        ("a.xlsx", b"PK no", "result.malformed", "无法打开"),
        ("a.xlsx", workbook("word/document.xml"), "result.malformed", "没有工作簿"),
        ("a.csv", b"a,b\n\0", "result.malformed", "二进制"),
        ("a.csv", b"only", "result.malformed", "两列"),
        ("a.csv", b'a,b\n"x,y\n', "result.malformed", "引号"),
        ("a.csv", b"\xff\xff\xff", "result.malformed", "编码"),
    ],
)
def test_malformed_result_files_are_refused_with_the_reason(name: str, content: bytes, code: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_result(name, content)
    assert refused.value.code == code
    assert said in str(refused.value.message)
