"""What is left of an order: both payers' parts are its price, whatever went back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketplace.rules.orders import LineStatus
from marketplace.rules.settled import Payers, total, went_back

FEN = st.integers(0, 10**12)
AMOUNTS = st.builds(lambda fund, park: Payers(fund + park, fund, park), FEN, FEN)


@given(AMOUNTS, st.lists(AMOUNTS, max_size=4), st.sampled_from(LineStatus))
def test_the_parts_are_the_whole_of_what_is_ordered_back_and_left(
    left: Payers, parts: list[Payers], status: LineStatus
) -> None:  # fmt: skip
    ordered = left + total(parts)
    back = went_back(status, ordered, parts)
    for each in (ordered, back, ordered - back):
        assert each.gross_fen == each.subsidy_fen + each.payable_fen
    assert ordered - back == (Payers() if status in {"cancelled", "failed"} else left)
