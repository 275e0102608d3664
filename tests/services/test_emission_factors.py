"""Emission factors: the built-in file against printed figures, and files that cannot be right."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.gateways.emission_factors import COLUMNS, built_in, read_factors
from services.rules.carbon.factors import AVERAGE, FOSSIL, HEAT, RESIDUAL, Base
from tenants.kernel.errors import Invalid

HEADER = ",".join(COLUMNS)
GOOD = "e-1,electricity.average,CN,0.5,kgCO2/kWh,2024,,,,a source"


@pytest.mark.parametrize(
    ("year", "average", "residual", "fossil"),
    [(2021, "0.5568", "0.5942", "0.8426"), (2022, "0.5366", "0.5856", "0.8325"), (2023, "0.5306", "0.6096", "0.8273")],
)
def test_grid_factors_are_those_of_the_announcements(year: int, average: str, residual: str, fossil: str) -> None:
    """The ministry's three figures a year, in kg a kWh; with more of the market green, the rest is dirtier."""
    table = built_in()
    assert table.grid(year).kg == Decimal(average)
    assert table.grid(year, RESIDUAL).kg == Decimal(residual) > Decimal(average)
    assert table.grid(year, FOSSIL).kg == Decimal(fossil)
    assert table.grid(year).year == year


def test_a_year_without_a_factor_takes_the_newest_before_it_and_a_province_its_own() -> None:
    """2025 takes 2023's; a province that an edition lacks takes the nation's; before the first year there is none."""
    table = built_in()
    assert table.grid(2025).year == 2023
    assert table.grid(2022, AVERAGE, "41").kg == Decimal("0.6058")
    assert table.grid(2023, AVERAGE, "41").region == "CN"
    with pytest.raises(Invalid, match=r"factor\.no_year"):
        table.grid(2019)


def test_fuels_follow_the_formula_of_the_standard() -> None:
    """Natural gas: 389.31 GJ x 15.3 tC/TJ x 99 % x 44/12 = 21.622 t per 10,000 Nm3, that is 2.1622 kg a Nm3."""
    table = built_in()
    gas = table.find("fuels-2015", "fuel.natural_gas")
    assert gas.base is Base.NORMAL_CUBIC_METRE
    assert gas.kg.quantize(Decimal("0.0001")) == Decimal("2.1622")
    diesel = table.find("fuels-2015", "fuel.diesel")
    assert diesel.kg.quantize(Decimal("0.1")) == Decimal("3145.1")
    assert table.find("heat-2015", HEAT).kg == Decimal(110)
    assert table.find("gwp-ar5", "gas.r-410a").kg == Decimal("1923500.0")
    assert all(factor.source and factor.kg > 0 for factor in table)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (GOOD.replace("0.5", "x"), "file[2].value"),
        (GOOD.replace("0.5", "-1"), "file[2].value"),
        (GOOD.replace("0.5", "NaN"), "file[2].value"),
        (GOOD.replace("kgCO2/kWh", "lb/kWh"), "file[2].unit"),
        (GOOD.replace("2024", "20240"), "file[2].year"),
        (GOOD.replace("a source", ""), "file[2].source"),
        (GOOD + "\n" + GOOD, "file[3].item"),
        ("e-1,fuel.x,CN,,tCO2/t,2024,40,,98,s", "file[2].carbon_tc_per_tj"),
        ("", "file[2].edition"),
    ],
)
def test_a_faulty_file_is_refused_with_its_row_and_column(line: str, where: str) -> None:
    """Every fault names where it is, so that it can be mended in the sheet it came from."""
    with pytest.raises(Invalid) as refused:
        read_factors(f"{HEADER}\n{line}\n".encode())
    assert where in [error.field for error in refused.value.errors]


def test_files_that_are_no_factors_are_refused() -> None:
    """Another encoding, other columns."""
    for content in ("版本".encode("gbk"), b"a,b\n1,2\n", b""):
        with pytest.raises(Invalid, match=r"factors\.invalid"):
            read_factors(content)
