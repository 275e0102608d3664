"""Joint facilities: the worked example, sums that are always the cost, and fair alternatives."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.cost_sharing import Agreement, serial, settle, shapley
from billing.usecases.alone import settle_document
from marketplace.cli import main
from tenants.kernel.errors import Invalid

EXAMPLE: dict[str, Any] = {
    "capital_fen": 10_000_000_000,
    "life_years": 10,
    "hours": 5_000,
    "variable_fen_per_hour": 60_000,
    "shares_bp": {"A": 4_000, "B": 3_000, "C": 3_000},
    "use_hours": {"A": 3_000, "B": 1_000, "C": 1_000},
    "premium_bp": 0,
    "outsider_premium_bp": 5_000,
    "outsider_hours": 0,
}


def test_without_a_premium_everybody_pays_the_full_cost_of_an_hour_whatever_it_contributed() -> None:
    found = settle_document(EXAMPLE)
    use = EXAMPLE["use_hours"]
    assert {name: park["net_fen"] / use[name] for name, park in found["parks"].items()} == dict.fromkeys("ABC", 260_000)
    assert found["prices_fen_per_hour"] == {"inside": 60_000, "above": 260_000, "outsider": 390_000}


def test_a_premium_is_paid_by_who_uses_more_to_those_whose_hours_were_lent() -> None:
    found = settle_document(EXAMPLE | {"premium_bp": 2_000})
    parks = found["parks"]
    assert {name: park["net_fen"] for name, park in parks.items()} == {
        "A": 832_000_000,
        "B": 234_000_000,
        "C": 234_000_000,
    }
    assert (parks["A"]["borrowed_hours"], parks["B"]["lent_hours"], parks["C"]["lent_hours"]) == (1_000, 500, 500)
    assert parks["A"]["due_fen"] == 2_000 * 60_000 + 1_000 * 312_000
    assert sum(park["net_fen"] for park in parks.values()) == found["cost_fen"] == 1_300_000_000
    alternatives = found["alternatives"]
    assert set(alternatives) == {"shares", "use", "serial", "shapley"}
    assert all(sum(nets.values()) == 1_300_000_000 for nets in alternatives.values())
    assert alternatives["use"] == {"A": 780_000_000, "B": 260_000_000, "C": 260_000_000}
    # Size is cheap: who needs most gains most from sharing, so small users bear more than by use alone.
    assert alternatives["shapley"]["B"] > alternatives["use"]["B"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"shares_bp": {"A": 4_000, "B": 5_999}}, "shares_bp"),
        ({"use_hours": {"D": 1}}, "use_hours.D"),
        ({"outsider_hours": 1}, "use_hours"),
        ({"reserve_hours": 5_001}, "reserve_hours"),
        ({"life_years": 0}, "life_years"),
        ({"hours": 0}, "hours"),
        ({"capital_fen": 1.5}, "capital_fen"),
        ({"use_hours": {"A": "many"}}, "use_hours.A"),
        ({"use_hours": {"A": -1}}, "use_hours.A"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_agreement_that_cannot_be_is_refused_at_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        settle_document(EXAMPLE | change)
    assert field in {error.field for error in refused.value.errors}


def test_the_console_settles_and_refuses() -> None:
    told = CliRunner().invoke(main, ["settle", "--input", "-"], input=json.dumps(EXAMPLE), catch_exceptions=False)
    assert (told.exit_code, json.loads(told.stdout)) == (0, settle_document(EXAMPLE))
    refused = CliRunner().invoke(main, ["settle", "--input", "-"], input="{}", catch_exceptions=False)
    assert refused.exit_code == 2
    assert {error["field"] for error in json.loads(refused.stderr)["errors"]} >= {"capital_fen", "shares_bp"}


@st.composite
def agreements(draw: st.DrawFn) -> Agreement:
    """Agreements whose use fits in the hours there are."""
    count = draw(st.integers(1, 6))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=count - 1, max_size=count - 1)))
    shares = [end - start for start, end in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    hours = draw(st.fractions(1, 9_000, max_denominator=10))
    reserve = draw(st.fractions(0, hours, max_denominator=10))
    parts = draw(st.lists(st.integers(0, 100), min_size=count + 2, max_size=count + 2))
    whole = sum(parts) or 1
    used = [(hours - reserve) * part / whole for part in parts]
    return Agreement(
        capital_fen=draw(st.integers(0, 10**13)),
        life_years=draw(st.integers(1, 50)),
        hours=hours,
        variable_fen_per_hour=draw(st.fractions(0, 10**6, max_denominator=100)),
        shares_bp={f"p{index}": share for index, share in enumerate(shares)},
        use_hours={f"p{index}": used[index] for index in range(count)},
        premium_bp=draw(st.integers(0, 20_000)),
        outsider_premium_bp=draw(st.integers(0, 20_000)),
        outsider_hours=used[count],
        reserve_hours=reserve,
    )


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.lists(st.integers(1, 100), min_size=3, max_size=3))
def test_at_no_premium_an_hour_of_a_full_centre_costs_the_same_whatever_was_contributed(
    first: int, second: int, parts: list[int]
) -> None:
    shares = sorted((0, first, second, 10_000))
    hours = [Fraction(5_000 * part, sum(parts)) for part in parts]
    found = settle(
        Agreement(
            capital_fen=10_000_000_000,
            life_years=10,
            hours=Fraction(5_000),
            variable_fen_per_hour=Fraction(60_000),
            shares_bp={name: shares[i + 1] - shares[i] for i, name in enumerate("ABC")},
            use_hours=dict(zip("ABC", hours, strict=True)),
        )
    )
    for name, used in zip("ABC", hours, strict=True):
        assert abs(found.parks[name].net_fen - 260_000 * used) <= 4, "but for the rounding of four amounts"


@given(agreements())
def test_the_sum_is_always_the_cost_and_lent_is_borrowed(agreement: Agreement) -> None:
    found = settle(agreement)
    assert sum(park.net_fen for park in found.parks.values()) + found.outsiders_fen == found.cost_fen
    lent = sum(park.lent_hours for park in found.parks.values())
    assert lent == sum(park.borrowed_hours for park in found.parks.values()) + agreement.outsider_hours
    for name, park in found.parks.items():
        assert min(park.capital_fen, park.due_fen, park.received_fen) >= 0
        assert min(park.lent_hours, park.borrowed_hours) >= 0
        assert park.lent_hours + agreement.use_hours[name] <= max(park.entitlement_hours, agreement.use_hours[name])
    for nets in found.alternatives.values():
        assert sum(nets.values()) == found.cost_fen - found.outsiders_fen


def quadratic(hours: Fraction) -> Decimal:
    """A cost that rises ever faster."""
    return Decimal(hours.numerator) ** 2 / Decimal(hours.denominator) ** 2


def test_serial_and_shapley_agree_with_their_textbook_examples() -> None:
    demands = [Fraction(1), Fraction(2), Fraction(3)]
    # C(q) = q²: s = 3, 5, 6, so 9/3 = 3, then 3 + (25 − 9)/2 = 11, then 11 + (36 − 25) = 22.
    assert serial(demands, quadratic) == [3, 11, 22]
    # Each adds q_i² + 2·q_i·(those before); on average half of the others come before: q_i·Σq.
    assert [round(value, 20) for value in shapley(demands, quadratic)] == [6, 12, 18]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_equals_are_treated_alike_and_who_needs_nothing_pays_nothing(demands: list[int]) -> None:
    hours = [Fraction(each) for each in demands]
    for shares in (serial(hours, quadratic), shapley(hours, quadratic)):
        assert abs(sum(shares) - quadratic(sum(hours, Fraction(0)))) < Decimal("1e-20")
        by_demand = dict(zip(demands, shares, strict=True))
        assert all(abs(by_demand[each] - share) < Decimal("1e-20") for each, share in zip(demands, shares, strict=True))
        assert all(share == 0 for each, share in zip(demands, shares, strict=True) if each == 0)
