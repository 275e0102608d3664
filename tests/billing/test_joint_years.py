"""A year's accounts: entitlements sum to the hours there are, and the year settles as the settle command does, to the fen."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from billing.rules.cost_sharing import settle
from billing.rules.joint_agreements import PartyRole, Share, Terms
from billing.rules.joint_years import Account, open_accounts, part_of, year_of_use, years_of
from billing.rules.money import allocate
from billing.usecases.alone import settle_document


def terms(minutes: int, **changed: int) -> Terms:
    """Terms of a year with ``minutes`` to share."""
    values = {
        "capital_fen": 10_000_000_000, "life_years": 10, "reserve_minutes": 300, "maintenance_minutes": 600,
        "variable_fen_per_hour": 60_000, "premium_bp": 2_000, "outsider_premium_bp": 5_000, "lending_notice_days": 14,
        "overdraw_minutes": 0, "carry_over_minutes": 0,
    } | changed  # fmt: skip
    return Terms("x", date(2026, 1, 1), date(2027, 1, 1), year_minutes=minutes + 900, **values)


def shares_of(weights: list[int]) -> list[Share]:
    """Parties whose shares are as their weights."""
    parts = allocate(10_000 - len(weights), weights)
    return [
        Share(UUID(int=place + 1), PartyRole.PARTICIPANT if place else PartyRole.LEAD, each + 1)
        for place, each in enumerate(parts)
    ]


WEIGHTS = st.lists(st.integers(1, 50), min_size=2, max_size=5)


@given(st.integers(1, 300_000), WEIGHTS, st.lists(st.integers(0, 100_000), min_size=5, max_size=5))
def test_entitlements_sum_to_the_minute_whatever_was_carried(minutes: int, weights: list[int], over: list[int]) -> None:
    agreed, parties = terms(minutes), shares_of(weights)
    part = part_of(agreed, 2026)
    assert part is not None
    carried = {each.park_id: more for each, more in zip(parties, over, strict=False)}
    opened = open_accounts(agreed, parties, part, carried)
    assert sum(each.entitled_minutes for each in opened) == minutes
    assert all(each.entitled_minutes >= each.carried_minutes >= 0 for each in opened)


@given(
    st.integers(1, 9),
    WEIGHTS,
    st.lists(st.integers(0, 1_000), min_size=6, max_size=6),
    st.integers(0, 10**11),
    st.integers(0, 10**6),
    st.integers(0, 20_000),
)
def test_a_year_settles_as_the_command_does(
    scale: int, weights: list[int], wishes: list[int], capital: int, variable: int, premium: int
) -> None:
    """Minutes are multiples of three so that the command's decimal hours are exact."""
    agreed = terms(
        30_000 * scale, capital_fen=capital + 1, variable_fen_per_hour=variable, premium_bp=premium,
        outsider_premium_bp=2 * premium,
    )  # fmt: skip
    parties = shares_of(weights)
    part = part_of(agreed, 2026)
    assert part is not None
    opened = open_accounts(agreed, parties, part)
    fits = min(1_000, 10_000 * scale * 1_000 // max(1, sum(wishes)))
    used = [3 * (wish * fits // 1_000) for wish in wishes]
    accounts = [Account(each, minutes, 0) for each, minutes in zip(opened, used[1:], strict=False)]
    mine = settle(year_of_use(agreed, parties, part, accounts, used[0]))
    names = [str(each.park_id) for each in parties]

    def hours(minutes: int) -> str:
        return f"{minutes * 5 // 3 // 100}.{minutes * 5 // 3 % 100:02}"

    pure = settle_document(
        {
            "capital_fen": capital + 1, "life_years": 10, "hours": hours(30_000 * scale + 900),
            "variable_fen_per_hour": variable, "premium_bp": premium, "outsider_premium_bp": 2 * premium,
            "shares_bp": {str(each.park_id): each.share_bp for each in parties}, "reserve_hours": "15",
            "use_hours": {name: hours(each.used_minutes) for name, each in zip(names, accounts, strict=True)},
            "outsider_hours": hours(used[0]),
        }
    )  # fmt: skip
    assert {name: each.net_fen for name, each in mine.parks.items()} == {
        name: each["net_fen"] for name, each in pure["parks"].items()
    }
    assert sum(each.net_fen for each in mine.parks.values()) + mine.outsiders_fen == mine.cost_fen == pure["cost_fen"]
    lent = sum(each.lent_hours for each in mine.parks.values())
    assert lent == sum(each.borrowed_hours for each in mine.parks.values()) + Fraction(used[0], 60)


def test_a_version_covers_its_days_of_each_year() -> None:
    agreed = terms(300_000)
    assert list(years_of(agreed)) == [2026]
    assert part_of(agreed, 2027) is None
