"""The rolling ceiling: what counts at a moment, and what a quote makes of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.formats.policy import policy_json
from billing.formats.quotes import quote_command_json, quote_json, read_quote
from billing.rules.policies import Frame, check_version
from billing.rules.rolling import Granted, falls_out, rolled, rolling_start
from billing.rules.subsidies import quote
from tenants.kernel.errors import Invalid

CHINA = "Asia/Shanghai"
ZONES = (CHINA, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Casablanca")
INSTANT = timedelta(microseconds=1)
moments = st.datetimes(datetime(2019, 12, 1), datetime(2034, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
years = st.integers(1, 10)
zones = st.sampled_from(ZONES)


def at(text: str) -> datetime:
    """A moment in Shanghai."""
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


@given(granted=moments, moment=moments, span=years, zone=zones)
def test_a_grant_counts_until_it_falls_out_and_never_again(
    granted: datetime, moment: datetime, span: int, zone: str
) -> None:
    counts = granted > rolling_start(moment, span, zone)
    assert counts == (moment < falls_out(granted, span, zone))
    end = falls_out(granted, span, zone)
    assert granted > rolling_start(end - INSTANT, span, zone)
    assert granted <= rolling_start(end, span, zone)


@given(first=moments, second=moments, span=years, zone=zones)
def test_the_window_only_moves_on(first: datetime, second: datetime, span: int, zone: str) -> None:
    earlier, later = sorted((first, second))
    assert rolling_start(earlier, span, zone) <= rolling_start(later, span, zone)
    assert falls_out(earlier, span, zone) <= falls_out(later, span, zone)
    assert rolling_start(earlier, span, zone) < earlier < falls_out(earlier, span, zone)


@pytest.mark.parametrize(
    ("granted", "span", "out"),
    [
        ("2026-03-02 09:00:00", 3, "2029-03-02 09:00:00"),
        ("2024-02-28 12:00:00", 3, "2027-02-28 12:00:00"),
        ("2024-02-29 12:00:00", 3, "2027-03-01 00:00:00"),
        ("2024-02-29 12:00:00", 4, "2028-02-29 12:00:00"),
        ("2025-02-28 23:00:00", 3, "2028-02-28 23:00:00"),
        ("2025-03-01 00:00:00", 3, "2028-03-01 00:00:00"),
    ],
)
def test_leap_days(granted: str, span: int, out: str) -> None:
    assert falls_out(at(granted), span, CHINA) == at(out)


def test_what_fell_out_on_28_february_stays_out_on_the_29th() -> None:
    granted = at("2025-02-28 12:00:00")
    assert rolling_start(at("2028-02-28 12:00:00"), 3, CHINA) == granted
    assert rolling_start(at("2028-02-29 00:00:01"), 3, CHINA) >= granted


def test_the_day_is_that_of_the_policys_zone() -> None:
    moment = datetime(2028, 2, 28, 17, tzinfo=UTC)  # already 29 February in Shanghai
    assert rolling_start(moment, 1, CHINA) == at("2027-02-28 23:59:59.999999")
    assert rolling_start(moment, 1, "UTC") == datetime(2027, 2, 28, 17, tzinfo=UTC)


@given(st.lists(st.builds(Granted, moments, st.integers(0, 10**9)), max_size=20), moments, years, zones)
def test_what_counts_is_the_sum_of_what_has_not_fallen_out(
    grants: list[Granted], moment: datetime, span: int, zone: str
) -> None:
    expected = sum(each.amount_fen for each in grants if moment < falls_out(each.at, span, zone))
    assert rolled(grants, moment, span, zone) == expected


def programme(name: str = "a", amount_fen: int = 1_000_000, **changes: Any) -> dict[str, Any]:
    """Give 60 % under a rolling ceiling of the register ``aid``."""
    return {
        "programme": name, "version": 1, "mode": "instant", "base": "gross", "window": {"from": "2026-01-01"},
        "rates": [{"rate_bp": 6000}], "funders": [{"fund": "province", "share_bp": 10000}], "shortfall": "partial",
        "rolling": {"register": "aid", "years": 3, "amount_fen": amount_fen}, **changes,
    }  # fmt: skip


def ask(*policies: dict[str, Any], used: dict[str, Any] | None = None, lines: int = 1) -> dict[str, Any]:
    command = read_quote(
        {
            "policies": list(policies),
            "order": {
                "date": "2026-05-01",
                "facts": {},
                "lines": [{"offering": "twin", "gross_fen": 1_000_000, "vat_bp": 600, "facts": {}}] * lines,
            },
            "used": used or {},
        }
    )
    priced = quote(command.policies, command.order, command.used, command.funds)
    replay = quote_command_json(command.policies, command.order, command.used, command.funds)
    assert read_quote(replay) == command, "what is stored replays the quote"
    return quote_json(priced)


def awards(answer: dict[str, Any]) -> list[tuple[int, list[str]]]:
    return [(award["amount_fen"], award["reasons"]) for line in answer["lines"] for award in line["awards"]]


def test_a_quote_counts_what_was_granted_before_and_on_earlier_lines() -> None:
    assert awards(ask(programme())) == [(600_000, [])]
    assert awards(ask(programme(), lines=2)) == [(600_000, []), (400_000, ["CAP_ROLLING"])]
    assert awards(ask(programme(), used={"rolling": {"aid": 900_000}})) == [(100_000, ["CAP_ROLLING"])]
    assert awards(ask(programme(), used={"rolling": {"aid": 2_000_000}})) == [(0, ["CAP_ROLLING"])]
    assert awards(ask(programme(), used={"rolling": {"other": 2_000_000}})) == [(600_000, [])]
    strict = programme(shortfall="all_or_nothing")
    assert awards(ask(strict, used={"rolling": {"aid": 400_001}})) == [(0, ["CAP_ROLLING", "ALL_OR_NOTHING"])]


def test_programmes_share_a_register() -> None:
    both = ask(programme("a", 700_000), programme("b", 800_000, rates=[{"rate_bp": 3000}]))
    assert awards(both) == [(600_000, []), (200_000, ["CAP_ROLLING"])]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 2_000_000)), min_size=1, max_size=4),
    st.integers(0, 1_500_000),
    st.integers(1, 3),
)
def test_no_award_passes_its_rolling_ceiling(terms: list[tuple[int, int]], before: int, lines: int) -> None:
    policies = [
        programme(name, limit, rates=[{"rate_bp": rate}]) for name, (rate, limit) in zip("abcd", terms, strict=False)
    ]
    answer = ask(*policies, used={"rolling": {"aid": before}}, lines=lines)
    limits = {each["programme"]: each["rolling"]["amount_fen"] for each in policies}
    running = before
    for award in (award for line in answer["lines"] for award in line["awards"]):
        running += award["amount_fen"]
        assert award["amount_fen"] == 0 or running <= limits[award["programme"]]


def test_the_document_comes_back_as_it_was_written() -> None:
    (read,) = read_quote(
        {"policies": [programme()], "order": {"date": "2026-05-01", "facts": {}, "lines": [
            {"offering": "x", "gross_fen": 1, "vat_bp": 0, "facts": {}}]}}
    ).policies  # fmt: skip
    assert policy_json(read)["rolling"] == {"register": "aid", "years": 3, "amount_fen": 1_000_000}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (programme(rolling={"register": "aid", "years": 0, "amount_fen": 1}), "policies[0].rolling.years"),
        (programme(rolling={"register": "aid", "years": 3}), "policies[0].rolling.amount_fen"),
        (programme(rolling={"register": "", "years": 3, "amount_fen": 1}), "policies[0].rolling.register"),
        (programme("rolling"), "policies[0].programme"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(document: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        ask(document)
    assert [error.field for error in raised.value.errors] == [field]


def test_scopes_are_named_where_they_are_wrong() -> None:
    with pytest.raises(Invalid) as raised:
        ask(programme(), used={"year": 1, "a": {"rolling": 1}, "rolling": {"aid": 1}})
    assert [error.field for error in raised.value.errors] == ["used.year", "used.a.rolling"]


def test_a_version_below_what_is_granted_or_with_other_years_is_refused() -> None:
    (read,) = read_quote(
        {"policies": [programme()], "order": {"date": "2026-05-01", "facts": {}, "lines": [
            {"offering": "x", "gross_fen": 1, "vat_bp": 0, "facts": {}}]}}
    ).policies  # fmt: skip
    assert check_version(read, Frame(rolled=1_000_000, register_years=3, not_before=date(2026, 1, 1))) == []
    errors = check_version(read, Frame(rolled=1_000_001, register_years=2))
    assert [(error.field, error.code) for error in errors] == [
        ("rolling.amount_fen", "policy.cap_below_granted"),
        ("rolling.years", "policy.register_years"),
    ]
