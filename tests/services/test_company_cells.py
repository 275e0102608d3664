"""What cells of a registry say, and that no natural person's data gets through them."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.gateways.company_files import FIELDS, CompanyFile, open_company_file
from services.rules.company_cells import (
    Capital,
    capital_in,
    has_inner_digit,
    name_in,
    outer_check_digit,
    region_of_parts,
)
from services.rules.demo_companies import demo_uscc
from services.rules.personal_data import free_text, without_persons
from services.rules.switchboards import masked, switchboard_in
from tenants.rules.uscc import check_uscc, inner_check_digit

TODAY = date(2026, 3, 2)
UNITS = {"": 1, "元": 1, "万": 10_000, "万元": 10_000, "亿元": 100_000_000, "百万元": 1_000_000, "千万元": 10_000_000}
MOBILE, IDENTITY, MAIL, PERSON = "13900000000", "11010119900101123X", "somebody@example.org", "某某某"


@given(
    st.decimals(0, 99_999, places=6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", "人民币", "CNY"]), st.booleans()
)  # fmt: skip
def test_capital_is_the_amount_in_its_unit(amount: Decimal, unit: str, currency: str, in_front: bool) -> None:
    text = f"{currency}{amount}{unit}" if in_front else f"{amount}{unit}{currency}"
    assert capital_in(text) == Capital(int(amount * UNITS[unit] * 100), "CNY")


@pytest.mark.parametrize(
    ("text", "fen", "currency"),
    [
        ("1,200.5万元人民币", 1_200_500_000, "CNY"),
        ("（人民币）500万元整", 500_000_000, "CNY"),
        ("1.2亿", 12_000_000_000, "CNY"),
        ("200万美元", None, "USD"),
        ("HKD 100万", None, "HKD"),
        ("5000.000000万人民币元", 5_000_000_000, "CNY"),
        ("３００万元", 300_000_000, "CNY"),
        ("-", None, ""),
        ("无", None, ""),
    ],
)
def test_capital_of_other_currencies_is_named_and_not_converted(text: str, fen: int | None, currency: str) -> None:
    assert capital_in(text) == Capital(fen, currency)


@pytest.mark.parametrize("text", ["若干", "100万美元人民币", "12万万元", "1.2.3万", "1,2万"])
def test_an_amount_that_cannot_be_read_is_no_amount(text: str) -> None:
    assert capital_in(text) is None


@given(st.text(max_size=20))
def test_no_text_breaks_the_reader_of_capital(text: str) -> None:
    with suppress(ValueError):
        found = capital_in(text)
        assert found is None or found.fen is None or found.fen >= 0


@given(st.integers(0, 999_999), st.sampled_from(["330100", "110000", "650100"]))
def test_check_digits_agree_with_the_library_and_with_each_other(number: int, region: str) -> None:
    code = demo_uscc(region, number)
    assert check_uscc(code).code == code
    assert outer_check_digit(code[:17]) == code[17]
    assert has_inner_digit(code)
    assert inner_check_digit(code[8:16]) == code[16]
    wrong = code[:16] + ("1" if code[16] != "1" else "2")
    assert not has_inner_digit(wrong + outer_check_digit(wrong))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("010-62345678", "010-62345678"),
        ("+86 (0571) 8765432-801", "0571-8765432-801"),
        ("13900000000；0571-87654321转8", "0571-87654321-8"),
        ("400-123-4567", "400-123-4567"),
        (MOBILE, ""),
        ("0" + MOBILE, ""),
        ("+8613900000000", ""),
        (PERSON, ""),
        ("62345678", ""),
        ("0086-21-61234567 ext.8", "021-61234567-8"),
        ("8657187654321", "0571-87654321"),
        ("电话：0571—87654321", "0571-87654321"),
        ("0571-87654321/0571-87654322", "0571-87654321"),
        ("4001234567转2", "400-123-4567"),
        ("800-1234-567", "800-123-4567"),
        ("95123", "95123"),
        ("951234", "951234"),
        ("95", ""),
        ("400-123-456", ""),
    ],
)
def test_landlines_are_kept_and_mobiles_are_not(text: str, kept: str) -> None:
    assert switchboard_in(text).number == kept


@pytest.mark.parametrize(
    ("text", "dropped"),
    [("", False), ("-", False), ("n/a", False), ("0571-87654321；-", False), ("0571-87654321;*", True), (MOBILE, True), ("62345678", True)],
)  # fmt: skip
def test_what_is_no_switchboard_is_told(text: str, dropped: bool) -> None:
    assert switchboard_in(text).dropped is dropped


@given(st.text("0123456789-+86转;/() ", max_size=30))
def test_no_text_gives_a_mobile_or_breaks_the_reader(text: str) -> None:
    found = switchboard_in(text).number
    digits = found.replace("-", "")
    assert not digits.startswith("1")
    assert not found or switchboard_in(found).number == found
    assert len(found) <= 24


@pytest.mark.parametrize(
    ("number", "shown"),
    [("0571-87654321-8", "0571-******21"), ("010-6234567", "010-*****67"), ("400-123-4567", "400-***-**67"), ("95123", "95***"), ("", "")],
)  # fmt: skip
def test_a_masked_number_cannot_be_dialled(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_names_and_divisions_in_columns_of_their_own() -> None:
    assert name_in(" 甲(杭州)  有限公司 ") == "甲（杭州） 有限公司"
    assert region_of_parts("浙江省", "杭州市", "西湖区") == "330106"
    assert region_of_parts("北京市", "市辖区", "朝阳区") == "110105"
    assert region_of_parts("浙江省", "杭州市", "乌有区") == "330100"
    with pytest.raises(ValueError, match="unknown_region"):
        region_of_parts("", "", "乌有区")


def registry(header: list[str], *rows: list[str], above: int = 0) -> CompanyFile:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["企业名单导出", ""]] * above + [header, *rows])
    return open_company_file(stream.getvalue().encode(), default_as_of=TODAY)


HEADER = ["公司名称", "统一社会信用代码", "法定代表人", "所属省份", "所属城市", "所属区县", "登记状态", "注册资本（万元）", "固定电话",
          "联系电话", "经营范围"]  # fmt: skip
CODE = demo_uscc("330106", 7)
GOOD = ["甲有限公司", CODE, PERSON, "浙江省", "杭州市", "西湖区", "存续", "1,200", "0571-87654321", MOBILE, "电池制造"]


def test_a_commercial_export_with_a_title_above_its_headings() -> None:
    file = registry(HEADER, GOOD, above=3)
    (found,) = file.rows()
    assert (found.region_code, found.capital_fen, found.switchboard) == ("330106", 1_200_000_000, "0571-87654321")
    assert file.dropped == ("法定代表人",), "a telephone may be a switchboard"
    assert dict(file.warned) == {"switchboard_dropped": 1}, "the mobile beside it"


def test_odd_rows_are_kept_with_a_warning() -> None:
    wrong = CODE[:16] + ("1" if CODE[16] != "1" else "2")
    odd = ["乙有限公司", wrong + outer_check_digit(wrong), *GOOD[2:7], "300万美元", MOBILE, *GOOD[9:]]
    file = registry(HEADER, GOOD, odd)
    assert [row.capital_fen for row in file.rows()] == [1_200_000_000, None]
    assert dict(file.warned) == {"inner_digit": 1, "capital_foreign": 1, "switchboard_dropped": 2}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([CODE, *GOOD], "slipped"),
        ([*GOOD, "further"], "slipped"),
        ([GOOD[0], "", CODE, *GOOD[3:]], "no_code"),
        (["甲有限公司", "", *GOOD[2:]], "no_code"),
        (["", *GOOD], "slipped"),
        ([GOOD[0], CODE, "浙江省", "杭州市", "西湖区", "存续", *GOOD[7:], ""], "unknown_status"),
    ],
)
def test_slipped_rows_are_set_aside(row: list[str], reason: str) -> None:
    file = registry(HEADER, row)
    assert list(file.rows()) == []
    assert dict(file.reasons) == {reason: 1}


@given(
    st.lists(st.sampled_from([*GOOD, "", PERSON, MOBILE, IDENTITY, MAIL, f"联系{PERSON}{MOBILE}"]), min_size=5, max_size=14)
)  # fmt: skip
@example(["甲有限公司", "甲有限公司", "甲有限公司", PERSON, "西湖区"])
def test_no_row_however_it_slipped_keeps_a_person(row: list[str]) -> None:
    for raw in registry(HEADER, row).stripped_rows():
        kept = " ".join(raw.values.values())
        assert not any(each in kept for each in (MOBILE, IDENTITY, MAIL)), raw
        if raw.slipped or raw.values["uscc"] != CODE:
            assert PERSON not in kept


@given(st.sampled_from(sorted(set(FIELDS) - {"name", "scope"})), st.sampled_from([PERSON, MOBILE, IDENTITY, MAIL]))
def test_a_column_takes_only_its_own_form(field: str, person: str) -> None:
    values = {"name": "甲有限公司", "uscc": CODE, field: person}
    assert person not in without_persons(values, slipped=False).values()


def test_free_text_loses_numbers_of_people_and_nothing_else() -> None:
    text = f"销售2024000001号设备；联系{MOBILE}或139-0000-0000，{MAIL}，{IDENTITY}；GB/T 19001-2016"
    assert free_text(text) == "销售2024000001号设备；联系*或*，*，*；GB/T 19001-2016"
