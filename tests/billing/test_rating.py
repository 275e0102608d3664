"""Charge models by known answers, worked out by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usecases.alone import rate_document
from tenants.kernel.errors import Invalid

METER = {"slug": "hours", "event_type": "use", "aggregation": "sum", "value_property": "$.hours"}
PERIOD = {"from": "2026-05-01", "to": "2026-06-01", "timezone": "Asia/Shanghai"}


def event(value, number=0, **changes):
    plain = {
        "specversion": "1.0", "id": f"e{number}", "source": "lab", "type": "use", "subject": "park-1",
        "time": "2026-05-10T08:00:00+08:00", "data": {"hours": value},
    }  # fmt: skip
    return {**plain, **changes}


def rated(charge, *values, meter=METER, **more):
    events = [event(value, number) for number, value in enumerate(values)]
    return rate_document({"meter": meter, "charge": charge, "events": events, "period": PERIOD, **more})


def fen(charge, *values):
    return rated(charge, *values)["amount_fen"]


PER_UNIT = {"model": "per_unit", "unit_price": "10"}
PACKAGE = {"model": "package", "package_size": "10", "package_price": "100", "free_units": "5"}
TIERS = [
    {"up_to": "5", "unit_price": "10", "flat_fee": "100"},
    {"up_to": "10", "unit_price": "8", "flat_fee": "50"},
    {"up_to": None, "unit_price": "5", "flat_fee": "20"},
]
BLOCKS = [
    {"block": "100", "max_blocks": 10, "block_price": "1"},
    {"block": "50", "max_blocks": 4, "block_price": "0.4"},
    {"block": "1000", "max_blocks": None, "block_price": "5"},
]


@pytest.mark.parametrize(("units", "yuan"), [("0", 0), ("1", 10), ("2.5", 25), ("0.0005", "0.01"), ("0.00049", 0)])
def test_per_unit(units, yuan):
    assert fen(PER_UNIT, units) == Decimal(yuan) * 100


@pytest.mark.parametrize(
    ("units", "yuan"), [("0", 0), ("5", 0), ("5.01", 100), ("15", 100), ("15.1", 200), ("26", 300)]
)
def test_package(units, yuan):
    assert fen(PACKAGE, units) == yuan * 100


@pytest.mark.parametrize(
    ("units", "yuan"), [("0", 0), ("0.5", 105), ("5", 150), ("5.1", "200.8"), ("10", 240), ("12", 270)]
)
def test_graduated(units, yuan):
    assert fen({"model": "graduated", "tiers": TIERS}, units) == Decimal(yuan) * 100


@pytest.mark.parametrize(("units", "yuan"), [("0", 0), ("5", 150), ("5.5", 94), ("10", 130), ("11", 75)])
def test_volume(units, yuan):
    assert fen({"model": "volume", "tiers": TIERS}, units) == yuan * 100


@pytest.mark.parametrize(
    ("units", "yuan"),
    [("0", 0), ("1", 1), ("100", 1), ("101", 2), ("1000", 10), ("1001", "10.4"), ("1200", "11.6"), ("1201", "16.6")],
)
def test_graduated_package(units, yuan):
    assert fen({"model": "graduated_package", "tiers": BLOCKS}, units) == Decimal(yuan) * 100


@pytest.mark.parametrize(("units", "yuan"), [("0", 0), ("1000", 10), ("1001", "8.4"), ("1200", "9.6"), ("1201", 10)])
def test_volume_package(units, yuan):
    assert fen({"model": "volume_package", "tiers": BLOCKS}, units) == Decimal(yuan) * 100


@pytest.mark.parametrize(
    ("terms", "values", "yuan"),
    [
        ({"rate_percent": "1.3", "fixed_fee": "2"}, [50, 100, 250, 400], "18.4"),
        ({"rate_percent": "1.3", "fixed_fee": "2", "free_events": 3}, [50, 100, 250, 400], "7.2"),
        ({"rate_percent": "1.3", "fixed_fee": "2", "free_amount": "250"}, [50, 100, 250, 400], "11.15"),
        (
            {"rate_percent": "1.3", "fixed_fee": "2", "free_events": 3, "free_amount": "250"},
            [50, 100, 250, 400],
            "11.15",
        ),
        (
            {"rate_percent": "1.3", "fixed_fee": "2", "free_events": 1, "free_amount": "250"},
            [50, 100, 250, 400],
            "15.75",
        ),
        ({"rate_percent": "2.99", "event_min": "1.75", "event_max": "12"}, [10, 80, 10000], "16.142"),
        ({"rate_percent": "2.99", "event_min": "1.75", "event_max": "12", "fixed_fee": "2"}, [10, 80, 10000], "18.691"),
        ({"rate_percent": "2.99", "event_min": "1.75", "event_max": "12", "free_events": 2}, [10, 80, 10000], "12"),
        (
            {"rate_percent": "2.99", "event_min": "1.75", "event_max": "12", "free_amount": "30"},
            [10, 80, 10000],
            "13.794",
        ),
        ({"rate_percent": "1", "fixed_fee": "5", "free_events": 3, "free_amount": "15"}, [15, 100], "6"),
        ({"rate_percent": "1", "fixed_fee": "5"}, [], "0"),
    ],
)
def test_percentage(terms, values, yuan):
    expected = int((Decimal(yuan) * 100).quantize(Decimal(1), "ROUND_HALF_UP"))
    assert fen({"model": "percentage", **terms}, *values) == expected


@pytest.mark.parametrize(("amount", "yuan"), [("0", 0), ("100", 5), ("100.01", "8.0003"), ("300", 14)])
def test_graduated_percentage(amount, yuan):
    tiers = [
        {"up_to": "100", "rate_percent": "5", "flat_fee": "0"},
        {"up_to": None, "rate_percent": "3", "flat_fee": "3"},
    ]
    assert fen({"model": "graduated_percentage", "tiers": tiers}, amount) == int(Decimal(yuan) * 100)


def test_included_units_minimum_and_maximum():
    assert fen({**PER_UNIT, "included_units": "3"}, 5) == 2000
    assert fen({**PER_UNIT, "included_units": "7"}, 5) == 0
    assert fen({**PER_UNIT, "minimum": "80"}, 5) == 8000
    assert fen({**PER_UNIT, "minimum": "80"}) == 0
    assert fen({**PER_UNIT, "maximum": "30"}, 5) == 3000


def test_what_the_period_had_before_moves_the_tier_and_is_taken_off():
    graduated = {"model": "graduated", "tiers": TIERS}
    assert fen({**graduated, "already_units": "4"}, 2) == fen(graduated, 6) - fen(graduated, 4)
    assert fen({**PER_UNIT, "already_units": "17", "already_billed": "90"}, 3) == 20000 - 9000
    assert fen({**PER_UNIT, "already_units": "17", "already_billed": "500"}, 3) == 0


prices = st.decimals(0, 1000, places=4)
quantities = st.decimals(0, 10_000, places=3)


@given(quantities, quantities, prices, prices)
def test_more_use_never_costs_less_in_graduated_tiers_and_splitting_a_period_costs_the_same(one, two, low, high):
    tiers = [{"up_to": "50", "unit_price": str(high)}, {"up_to": None, "unit_price": str(low), "flat_fee": "7"}]
    charge = {"model": "graduated", "tiers": tiers}
    first, both = fen(charge, str(one)), fen(charge, str(one), str(two))
    assert both >= first
    then = fen({**charge, "already_units": str(one), "already_billed": str(Decimal(first) / 100)}, str(two))
    assert two == 0 or abs(first + then - both) <= 1


@pytest.mark.parametrize(
    ("charge", "field"),
    [
        ({"model": "per_unit", "unit_price": 1.5}, "charge.unit_price"),
        ({"model": "per_unit", "unit_price": "NaN"}, "charge.unit_price"),
        ({"model": "per_unit", "unit_price": "1e400"}, "charge.unit_price"),
        ({"model": "per_unit", "unit_price": "-1"}, "charge.unit_price"),
        ({"model": "per_unit"}, "charge.unit_price"),
        ({"model": "guess"}, "charge"),
        ({}, "charge"),
        ({"model": "graduated", "tiers": TIERS[:2]}, "charge"),
        ({"model": "graduated", "tiers": [TIERS[1], TIERS[0], TIERS[2]]}, "charge"),
        ({"model": "package", "package_size": "0", "package_price": "1"}, "charge.package_size"),
        ({**PER_UNIT, "minimum": "2", "maximum": "1"}, "charge"),
    ],
)
def test_a_charge_that_has_no_price_for_something_is_refused(charge, field):
    with pytest.raises(Invalid) as refusal:
        rated(charge, 1)
    assert field in [error.field for error in refusal.value.errors]
