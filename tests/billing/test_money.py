"""Money: whole fen, split and rounded in one place."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.money import allocate, format_yuan, net_of_vat, round_half_up, share_down, vat_of_gross

fen = st.integers(0, 10**15)
weights = st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any)


@given(fen, weights)
def test_parts_sum_to_the_whole_and_differ_from_their_exact_share_by_less_than_a_fen(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


@given(fen, weights)
def test_a_negative_total_is_split_like_the_positive_one(total, weights):
    assert allocate(-total, weights) == tuple(-part for part in allocate(total, weights))


def test_of_equal_remainders_the_earlier_part_gets_the_fen():
    assert allocate(101, [1, 1]) == (51, 50)
    assert allocate(100, [1, 1, 1]) == (34, 33, 33)
    assert allocate(0, [0, 0]) == (0, 0)


@pytest.mark.parametrize("weights", [[0, 0], [-1, 2], []])
def test_weights_that_cannot_split_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        allocate(5, weights)


@pytest.mark.parametrize(
    ("yuan", "expected"),
    [
        ("0.005", 1),
        ("0.0049999999999999", 0),
        ("2.675", 268),
        ("-0.005", -1),
        ("123456789012345.675", 12345678901234568),
    ],
)
def test_half_a_fen_is_rounded_up(yuan, expected):
    assert round_half_up(Decimal(yuan)) == expected


def test_a_subsidy_share_is_rounded_down():
    assert share_down(999, 7000) == 699
    assert share_down(1_000_000, 6000) == 600_000


@given(fen, st.integers(0, 2000))
def test_vat_inside_a_price_is_exact_to_half_a_fen(gross, vat_bp):
    vat = vat_of_gross(gross, vat_bp)
    assert abs(vat * (10_000 + vat_bp) - gross * vat_bp) * 2 <= 10_000 + vat_bp
    assert net_of_vat(gross, vat_bp) + vat == gross


def test_money_is_printed_as_people_read_it():
    assert format_yuan(123456789) == "1,234,567.89"
    assert format_yuan(-5) == "-0.05"
