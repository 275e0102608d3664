"""Decisions as data: what they change, what they never change, and that they never cost anybody anything."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.formats.quotes import quote_command_json, quote_json, read_quote
from billing.rules.exemptions import Exemption, ExemptTerms, check_terms
from billing.rules.subsidies import quote
from billing.rules.terms import CapScope, OrderFacts, OrderLine, Used
from tenants.kernel.errors import Invalid
from tests.billing.test_quote_properties import amounts, funds, many, orders, useds

LIFTED = [scope for scope in CapScope if scope is not CapScope.FUND_YEAR]

terms = st.builds(
    ExemptTerms,
    st.none() | st.integers(1, 10_000),
    st.booleans(),
    st.frozensets(st.sampled_from(["park_size", "west"])),
    st.dictionaries(st.sampled_from(LIFTED), st.none() | amounts, max_size=3),
    st.none() | st.just(date(2026, 9, 1)),
).filter(lambda found: found != ExemptTerms())
exemptions = st.lists(
    st.builds(
        Exemption,
        st.sampled_from(["e1", "e2", "e3"]),
        st.just("豫财〔2026〕9号"),
        st.sampled_from("abcdef"),
        terms,
        amounts,
        amounts,
        st.sampled_from([None, None, "x", "y"]),
        st.sampled_from([None, datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)]),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
)


@settings(max_examples=200, deadline=None)
@given(many, orders, useds, funds, exemptions)
def test_a_decision_never_passes_the_price_its_limit_or_a_fund(found, order, used, available, granted):
    answer = quote(found, order, used, available, granted)
    given_under: dict[str, int] = {}
    for line in answer.lines:
        assert 0 <= line.payable_fen <= line.due_fen <= line.gross_fen
        for award in line.awards:
            assert 0 <= award.amount_fen <= award.claim_fen <= award.base_fen
            assert sum(award.by_funder.values()) == award.amount_fen
            assert ("EXEMPTION" in award.reasons) == (award.exemption is not None)
            if award.exemption is not None:
                assert award.exemption.programme == award.programme
                assert award.exemption.holds_at(order.moment)
                assert award.exemption.offering in {None, line.offering}
                sum_before = given_under.get(award.exemption.id, 0)
                given_under[award.exemption.id] = sum_before + award.amount_fen
    for each in granted:
        assert given_under.get(each.id, 0) <= each.left_fen
    for fund, amount in answer.fund_draws:
        assert amount <= available.get(fund, amount)


@settings(max_examples=100, deadline=None)
@given(many, orders, useds, funds, exemptions)
def test_a_line_alone_never_gets_less_under_a_decision(found, order, used, available, granted):
    alone = replace(order, lines=order.lines[:1])
    assert quote(found, alone, used, available, granted).subsidy_fen >= quote(found, alone, used, available).subsidy_fen


@settings(max_examples=60, deadline=None)
@given(many, orders, useds, funds, exemptions)
def test_a_quote_under_decisions_replays_to_the_same_fen(found, order, used, available, granted):
    first = quote(found, order, used, available, granted)
    command = read_quote(quote_command_json(found, order, used, available, granted))
    again = quote(command.policies, command.order, command.used, command.funds, command.exemptions)
    assert quote_json(again) == quote_json(first)
    assert quote(found, order, used, available, granted[::-1]) == first


@settings(max_examples=60, deadline=None)
@given(many, orders, useds, funds, exemptions, st.sampled_from(["related_party", "already_subsidised"]))
def test_standing_is_never_waived(found, order, used, available, granted, bar):
    barred = replace(order, facts={**order.facts, bar: True})
    assert quote(found, barred, used, available, granted).subsidy_fen == 0


DAY = "2026-05-01"


def document(programme: dict[str, Any], **decision: Any) -> dict[str, Any]:
    return {
        "policies": [
            {
                "programme": "tech", "version": 1, "mode": "instant", "base": "gross",
                "window": {"from": "2026-01-01", "to": "2027-01-01"}, "rates": [{"rate_bp": 5000}],
                "funders": [{"fund": "province", "share_bp": 10000}], "shortfall": "partial", **programme,
            }
        ],
        "order": {"date": DAY, "facts": {"park_size": "large"}, "lines": [
            {"offering": "twin", "gross_fen": 10_000, "vat_bp": 600}, {"offering": "leads", "gross_fen": 6_000, "vat_bp": 600},
        ]},
        "used": {}, "funds": {},
        "exemptions": [{"id": "x1", "document_no": "豫财〔2026〕9号", "programme": "tech", "limit_fen": 100_000, **decision}],
    }  # fmt: skip


def awarded(found: dict[str, Any]) -> list[tuple[int, list[str]]]:
    command = read_quote(found)
    answer = quote_json(quote(command.policies, command.order, command.used, command.funds, command.exemptions))
    return [(award["amount_fen"], award["reasons"]) for line in answer["lines"] for award in line["awards"]]


SMALL_ONLY = {"eligible": {"all": [{"fact": "park_size", "is": "eq", "value": "small"}]}}


@pytest.mark.parametrize(
    ("programme", "decision", "amounts_wanted"),
    [
        ({}, {"terms": {"rate_bp": 8000}}, [8_000, 4_800]),
        ({}, {"terms": {"rate_bp": 8000}, "offering": "leads"}, [5_000, 4_800]),
        ({}, {"terms": {"rate_bp": 3000}}, [5_000, 3_000]),
        ({"price_limit_fen": 8_000}, {"terms": {"waive_price_limit": True}}, [5_000, 3_000]),
        (SMALL_ONLY, {"terms": {"waived_facts": ["park_size"]}}, [5_000, 3_000]),
        (SMALL_ONLY, {"terms": {"waived_facts": ["region"]}}, [0, 0]),
        ({"caps": [{"scope": "order", "amount_fen": 1_000}]}, {"terms": {"ceilings": {"order": None}}}, [5_000, 3_000]),
        ({"caps": [{"scope": "scheme", "amount_fen": 1_000}]}, {"terms": {"ceilings": {"scheme": 6_000}}}, [5_000, 1_000]),
        ({"window": {"from": "2026-01-01", "to": "2026-03-01"}}, {"terms": {"window_to": "2026-05-02"}}, [5_000, 3_000]),
        ({"window": {"from": "2026-01-01", "to": "2026-03-01"}}, {"terms": {"window_to": DAY}}, [0, 0]),
        ({"window": {"from": "2026-06-01", "to": None}}, {"terms": {"window_to": "2026-09-01"}}, [0, 0]),
        ({}, {"terms": {"rate_bp": 8000}, "limit_fen": 9_000}, [8_000, 3_000]),
        ({}, {"terms": {"rate_bp": 8000}, "limit_fen": 11_500}, [8_000, 3_500]),
        ({}, {"terms": {"rate_bp": 8000}, "used_fen": 100_000}, [5_000, 3_000]),
        ({}, {"terms": {"rate_bp": 8000}, "expires_at": "2026-05-01T00:00:00+08:00"}, [5_000, 3_000]),
        ({}, {"terms": {"rate_bp": 8000}, "expires_at": "2026-05-01T00:00:01+08:00"}, [8_000, 4_800]),
        ({"shortfall": "all_or_nothing"}, {"terms": {"rate_bp": 8000}, "limit_fen": 9_000}, [8_000, 3_000]),
    ],
)  # fmt: skip
def test_each_term_changes_what_it_names(
    programme: dict[str, Any], decision: dict[str, Any], amounts_wanted: list[int]
) -> None:
    assert [amount for amount, _ in awarded(document(programme, **decision))] == amounts_wanted


def test_an_award_says_which_limit_cut_it() -> None:
    found = awarded(document({}, terms={"rate_bp": 8000}, limit_fen=11_500))
    assert found == [(8_000, ["EXEMPTION"]), (3_500, ["EXEMPTION", "CAP_EXEMPTION"])]


def test_of_two_ended_versions_the_latest_is_extended_and_only_once() -> None:
    command = document({"window": {"from": "2026-01-01", "to": "2026-02-01"}}, terms={"window_to": "2026-06-01"})
    newer = {**command["policies"][0], "version": 2, "rates": [{"rate_bp": 2000}]}
    assert [amount for amount, _ in awarded({**command, "policies": [newer, command["policies"][0]]})] == [
        0, 2_000, 0, 1_200,
    ]  # fmt: skip


def test_what_a_decision_may_not_change_is_refused_with_its_field() -> None:
    wrong = {"waived_facts": ["related_party", "control_group"], "ceilings": {"fund_year": None}}
    with pytest.raises(Invalid) as refused:
        read_quote(document({}, terms=wrong))
    assert [(error.field, error.code) for error in refused.value.errors] == [
        ("exemptions[0].terms.waived_facts", "exemption.standing"),
        ("exemptions[0].terms.ceilings.fund_year", "exemption.fund_money"),
    ]
    assert [error.code for error in check_terms(ExemptTerms())] == ["exemption.no_terms"]
    assert [error.code for error in check_terms(ExemptTerms(rate_bp=0))] == ["exemption.rate"]
    twice = document({}, terms={"rate_bp": 1})
    with pytest.raises(Invalid, match="1 处错误"):
        read_quote({**twice, "exemptions": twice["exemptions"] * 2})


def test_a_lifted_ceiling_still_counts() -> None:
    order = OrderFacts(date(2026, 5, 1), (OrderLine("twin", 10_000, 600),))
    command = read_quote(
        document({"caps": [{"scope": "scheme", "amount_fen": 1}]}, terms={"ceilings": {"scheme": None}})
    )
    answer = quote(command.policies, order, Used(), {}, command.exemptions)
    assert [(draw.amount_fen, draw.limit_fen) for draw in answer.cap_draws] == [(5_000, None)]
    moment = datetime(2026, 4, 30, 16, tzinfo=UTC) - timedelta(microseconds=1)
    assert command.exemptions[0].holds_at(moment)
