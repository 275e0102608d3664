"""Emission factors as a file: ``emission_factors.csv`` beside this module, and files in its form that operators import.

One row per edition, item and region, each with the year it is for and its source. A fuel's row gives its properties
(net calorific value, carbon per heat, oxidised share), from which the factor follows; every other row gives the factor.

Sources were looked up as public transcriptions of the announcements: the three national figures and the seven areas of
2021 to 2023, the provinces of 2021 and 2022 (those of 2023 could not be verified and are left out), the default
properties of the guide for other industries, stoichiometric ratios of pure carbonates, and AR5's warming potentials.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from services.rules.carbon.factors import KILOGRAMS, UNITS, Factor, FactorTable, FuelProperties
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

COLUMNS = (
    "edition",
    "item",
    "region",
    "value",
    "unit",
    "year",
    "ncv_gj",
    "carbon_tc_per_tj",
    "oxidation_percent",
    "source",
)
FUEL_COLUMNS = ("ncv_gj", "carbon_tc_per_tj", "oxidation_percent")
_PATH = Path(__file__).with_name("emission_factors.csv")
MOST_ROWS = 5000
MOST_ERRORS = 50
_HIGHEST = Decimal(10) ** 6


@cache
def built_in() -> FactorTable:
    """Return the factors that come with the platform."""
    return FactorTable(read_factors(_PATH.read_bytes()))


@cache
def built_in_sha256() -> str:
    """Return the hash of the file of the factors that come with the platform."""
    return hashlib.sha256(_PATH.read_bytes()).hexdigest()


def read_factors(content: bytes) -> tuple[Factor, ...]:
    """Read a file of factors; Invalid ``factors.invalid`` names every faulty row (1 is the header) and its column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refusal([FieldError("file", "factors.encoding", msg("文件须为 UTF-8 编码的 CSV。"))]) from None
    rows = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        wrong = msg("缺少列：{columns}。", columns="、".join(missing))
        raise _refusal([FieldError("file[1]", "factors.columns", wrong)])
    reader = _Reader()
    try:
        for number, row in enumerate(rows, start=2):
            reader.row(number, row)
    except csv.Error as problem:
        raise _refusal([FieldError("file", "factors.csv", msg("不是有效的 CSV：{why}", why=problem))]) from None
    if not reader.factors and not reader.errors:
        reader.fault(2, "edition", msg("文件没有数据行。"))
    if reader.errors:
        raise _refusal(reader.errors)
    return tuple(reader.factors.values())


class _Reader:
    def __init__(self) -> None:
        self.factors: dict[tuple[str, str, str], Factor] = {}
        self.errors: list[FieldError] = []

    def fault(self, number: int, column: str, message: Message) -> None:
        self.errors.append(FieldError(f"file[{number}].{column}", "factors.row", message))
        if len(self.errors) >= MOST_ERRORS:
            raise _refusal(self.errors)

    def row(self, number: int, row: Mapping[str, str | None]) -> None:
        if number > MOST_ROWS + 1:
            self.fault(number, "edition", msg("最多 {most} 行。请拆分。", most=MOST_ROWS))
            raise _refusal(self.errors)
        before = len(self.errors)
        for column in ("edition", "item", "region", "source"):
            text = (row[column] or "").strip()
            if not text or len(text) > (500 if column == "source" else 64):
                self.fault(number, column, msg("不能为空，也不能过长。"))
        unit = UNITS.get((row["unit"] or "").strip())
        if unit is None:
            self.fault(number, "unit", msg("单位须为 {units} 之一。", units="、".join(UNITS)))
        year = self._number(number, row, "year", Decimal(1990), Decimal(2100))
        fuel = self._fuel(number, row)
        value = None if fuel else self._number(number, row, "value", Decimal(0), _HIGHEST)
        if len(self.errors) > before or unit is None or year is None:
            return
        shown = fuel.tonnes if fuel else value
        factor = Factor(
            edition=_text(row, "edition"),
            item=_text(row, "item"),
            region=_text(row, "region"),
            kg=((shown or Decimal(0)) * unit[0]).quantize(KILOGRAMS),
            base=unit[1],
            year=int(year),
            source=_text(row, "source"),
            fuel=fuel,
        )
        key = (factor.edition, factor.item, factor.region)
        if key in self.factors:
            self.fault(number, "item", msg("同一版本、类型和地区出现两次。"))
        self.factors[key] = factor

    def _fuel(self, number: int, row: Mapping[str, str | None]) -> FuelProperties | None:
        given = [column for column in FUEL_COLUMNS if _text(row, column)]
        if not given:
            return None
        heat = self._number(number, row, "ncv_gj", Decimal(0), _HIGHEST)
        carbon = self._number(number, row, "carbon_tc_per_tj", Decimal(0), Decimal(1000))
        oxidised = self._number(number, row, "oxidation_percent", Decimal(0), Decimal(100))
        if heat is None or carbon is None or oxidised is None:
            return None
        return FuelProperties(heat, carbon, oxidised)

    def _number(
        self, number: int, row: Mapping[str, str | None], column: str, least: Decimal, most: Decimal
    ) -> Decimal | None:
        try:
            value = Decimal(_text(row, column))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or not least <= value <= most:
            self.fault(number, column, msg("须为 {least} 至 {most} 的数字。", least=least, most=most))
            return None
        return value


def _text(row: Mapping[str, str | None], column: str) -> str:
    return (row[column] or "").strip()


def _refusal(errors: list[FieldError]) -> Invalid:
    return Invalid(
        "factors.invalid",
        msg("因子文件有 {count} 处错误，请按所列行修改后重新上传。", count=len(errors)),
        errors=errors,
    )
