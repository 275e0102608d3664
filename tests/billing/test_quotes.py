"""The quote command by example: one rule of real schemes per test."""

from copy import deepcopy
from typing import Any

import pytest

from billing.formats.quotes import quote_command_json, read_quote
from billing.usecases.alone import quote_document
from tenants.kernel.errors import Invalid

POLICY = {
    "programme": "small-park-tech", "version": 1, "mode": "instant", "currency": "CNY", "base": "gross",
    "window": {"from": "2026-01-01", "to": "2027-01-01"}, "timezone": "Asia/Shanghai", "year_starts": "01-01",
    "rates": [{"rate_bp": 6000}], "funders": [{"fund": "province", "share_bp": 10000}],
    "shortfall": "partial", "payee": "provider",
}  # fmt: skip


def policy(**changes):
    return {**deepcopy(POLICY), **changes}


def ask(*policies, gross=1_000_000, facts=None, used=None, funds=None, date="2026-05-01", vat=600):
    lines = [
        {"offering": f"o{i}", "gross_fen": price, "vat_bp": vat, "facts": {}}
        for i, price in enumerate(gross if isinstance(gross, list) else [gross])
    ]
    return quote_document(
        {
            "policies": list(policies),
            "order": {"date": date, "facts": facts or {}, "lines": lines},
            "used": used or {},
            "funds": funds or {},
        }
    )


def award(answer, programme="small-park-tech", line=0):
    return next(a for a in answer["lines"][line]["awards"] if a["programme"] == programme)


def outcome(answer, **where):
    got = award(answer, **where)
    return got["amount_fen"], got["reasons"]


def test_the_story_of_ten_thousand_yuan():
    answer = ask(policy())
    assert (answer["gross_fen"], answer["subsidy_fen"], answer["payable_fen"]) == (1_000_000, 600_000, 400_000)
    assert award(answer)["rate_bp"] == 6000
    assert award(answer)["by_funder"] == {"province": 600_000}


def test_the_first_rate_whose_conditions_all_hold_applies_and_says_why():
    rates = [
        {"when": [{"fact": "region", "is": "in", "value": ["51", "52"]}], "rate_bp": 7000, "reason": "WESTERN_COUNTY"},
        {"rate_bp": 5000},
    ]
    assert outcome(ask(policy(rates=rates), facts={"region": "51"})) == (700_000, ["WESTERN_COUNTY"])
    assert outcome(ask(policy(rates=rates), facts={"region": "31"})) == (500_000, [])
    assert outcome(ask(policy(rates=rates))) == (500_000, ["UNKNOWN_FACT"])


def test_no_rate_that_applies_means_not_eligible():
    rates = [{"when": [{"fact": "n", "is": "gt", "value": 3}], "rate_bp": 7000}]
    assert outcome(ask(policy(rates=rates), facts={"n": 3})) == (0, ["NOT_ELIGIBLE"])
    assert outcome(ask(policy(rates=rates), facts={"n": "4"})) == (0, ["NOT_ELIGIBLE", "UNKNOWN_FACT"])
    assert outcome(ask(policy(rates=rates), facts={"n": True})) == (0, ["NOT_ELIGIBLE", "UNKNOWN_FACT"])


def test_eligibility_is_a_tree():
    small = {"fact": "park_size", "is": "eq", "value": "small"}
    tree = {
        "all": [small, {"any": [{"fact": "west", "is": "eq", "value": True}, {"fact": "n", "is": "lte", "value": 2}]}]
    }
    assert outcome(ask(policy(eligible=tree), facts={"park_size": "small", "west": False, "n": 1.5})) == (600_000, [])
    assert outcome(ask(policy(eligible=tree), facts={"park_size": "small", "west": 1, "n": 3})) == (0, ["NOT_ELIGIBLE"])
    unknown = ask(policy(eligible=tree), facts={"park_size": "small"})
    assert outcome(unknown) == (0, ["NOT_ELIGIBLE", "UNKNOWN_FACT"])
    assert award(unknown)["unknown_facts"] == ["n", "west"]


@pytest.mark.parametrize(
    ("date", "counts"),
    [
        ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False), ("2025-12-31", False),
        ("2025-12-31T16:00:00Z", True), ("2025-12-31T15:59:59Z", False), ("2026-12-31T16:00:00+00:00", False),
    ],
)  # fmt: skip
def test_a_window_is_half_open_in_the_policys_own_zone(date, counts):
    assert outcome(ask(policy(), date=date)) == ((600_000, []) if counts else (0, ["OUT_OF_WINDOW"]))


def test_of_two_versions_in_their_window_the_higher_one_counts():
    answer = ask(policy(version=1), policy(version=2, rates=[{"rate_bp": 3000}]))
    assert [(a["version"], a["amount_fen"], a["reasons"]) for a in answer["lines"][0]["awards"]] == [
        (1, 0, ["EXCLUDED_BY"]), (2, 300_000, []),
    ]  # fmt: skip


def test_the_base_may_be_the_price_without_vat():
    assert award(ask(policy(base="net_of_vat")))["base_fen"] == 943_396
    assert outcome(ask(policy(base="net_of_vat"))) == (566_037, [])


def test_a_price_above_the_limit_gets_nothing_at_all():
    assert outcome(ask(policy(price_limit_fen=1_000_000))) == (600_000, [])
    assert outcome(ask(policy(price_limit_fen=999_999))) == (0, ["PRICE_ABOVE_LIMIT"])


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ("order", "CAP_ORDER"), ("entity_year", "CAP_ENTITY_YEAR"), ("controller_year", "CAP_CONTROLLER_YEAR"),
        ("provider_pool", "POOL_PARTIAL"), ("fund_year", "FUND_PARTIAL"), ("scheme", "CAP_SCHEME"),
    ],
)  # fmt: skip
def test_each_ceiling_counts_what_was_taken_before_and_on_earlier_lines(scope, reason):
    capped = policy(caps=[{"scope": scope, "amount_fen": 1_000_000}])
    for used in ({scope: 100_000}, {"small-park-tech": {scope: 100_000}, scope: 999_999}):
        answer = ask(capped, gross=[1_000_000, 1_000_000], used=used)
        assert outcome(answer) == (600_000, [])
        assert outcome(answer, line=1) == (300_000, [reason])
    assert outcome(ask(capped, used={"someone-else": {scope: 1_000_000}})) == (600_000, [])


def test_an_exhausted_year_of_the_fund_says_so():
    capped = policy(caps=[{"scope": "fund_year", "amount_fen": 100}])
    assert outcome(ask(capped, used={"fund_year": 100})) == (0, ["FUND_EXHAUSTED"])


def test_a_ceiling_with_a_condition_binds_only_where_it_holds():
    capped = policy(caps=[{"scope": "order", "amount_fen": 5, "when": [{"fact": "new", "is": "eq", "value": True}]}])
    assert outcome(ask(capped, facts={"new": True})) == (5, ["CAP_ORDER"])
    assert outcome(ask(capped, facts={"new": False})) == (600_000, [])
    assert outcome(ask(capped)) == (600_000, ["UNKNOWN_FACT"])


def test_all_or_nothing_gives_nothing_when_anything_runs_short():
    strict = policy(shortfall="all_or_nothing", caps=[{"scope": "entity_year", "amount_fen": 700_000}])
    assert outcome(ask(strict)) == (600_000, [])
    assert outcome(ask(strict, used={"entity_year": 100_001})) == (0, ["CAP_ENTITY_YEAR", "ALL_OR_NOTHING"])
    assert outcome(ask(strict, funds={"province": 599_999})) == (0, ["FUND_PARTIAL", "ALL_OR_NOTHING"])


def test_a_fund_with_almost_enough_pays_its_last_fen():
    assert outcome(ask(policy(), funds={"province": 599_999})) == (599_999, ["FUND_PARTIAL"])
    assert outcome(ask(policy(), funds={"province": 0})) == (0, ["FUND_EXHAUSTED"])
    answer = ask(policy(), gross=[1_000_000, 1_000_000], funds={"province": 700_000})
    assert outcome(answer, line=1) == (100_000, ["FUND_PARTIAL"])


def test_funders_split_every_award_and_a_short_one_shrinks_it_for_all():
    shared = policy(funders=[{"fund": "province", "share_bp": 5000}, {"fund": "city", "share_bp": 5000}])
    assert award(ask(shared, gross=1667))["by_funder"] == {"province": 500, "city": 500}
    assert award(ask(shared, gross=1669))["by_funder"] == {"province": 501, "city": 500}
    short = award(ask(shared, funds={"province": 100_000}))
    assert (short["by_funder"], short["reasons"]) == ({"province": 100_000, "city": 100_000}, ["FUND_PARTIAL"])


def rivals(mode, **other):
    group = {"group": "tech", "mode": mode}
    return (
        policy(programme="a", rates=[{"rate_bp": 3000}], stacking=group),
        policy(programme="b", stacking={**group, **other}),
    )


def test_sum_adds_up_to_the_combined_ceiling():
    assert ask(*rivals("SUM"))["subsidy_fen"] == 900_000
    held = ask(*rivals("SUM", combined_cap_bp=7000))
    assert held["subsidy_fen"] == 700_000
    assert outcome(held, programme="a") == (233_333, ["CAP_COMBINED"])
    assert outcome(held, programme="b") == (466_667, ["CAP_COMBINED"])


def test_a_combined_ceiling_in_fen_counts_over_the_order():
    answer = ask(*rivals("SUM", combined_cap_fen=1_000_000), gross=[1_000_000, 1_000_000])
    assert [line["subsidy_fen"] for line in answer["lines"]] == [900_000, 100_000]


def test_max_keeps_the_best_of_what_is_really_left():
    assert outcome(ask(*rivals("MAX")), programme="a") == (0, ["NOT_BEST"])
    answer = ask(
        *(
            p | {"caps": caps}
            for p, caps in zip(rivals("MAX"), ([], [{"scope": "order", "amount_fen": 9}]), strict=True)
        )
    )
    assert outcome(answer, programme="a") == (300_000, [])
    assert outcome(answer, programme="b") == (0, ["CAP_ORDER", "NOT_BEST"])


def test_an_exclusive_programme_excludes_the_others_of_its_group():
    alone, other = rivals("SUM")
    alone["stacking"]["mode"] = "EXCLUSIVE"
    assert outcome(ask(alone, other), programme="b") == (0, ["EXCLUDED_BY"])
    assert ask(alone, other)["subsidy_fen"] == 300_000
    alone["eligible"] = {"all": [{"fact": "x", "is": "eq", "value": 1}]}
    assert outcome(ask(alone, other, facts={"x": 2}), programme="b") == (600_000, [])


def test_programmes_without_a_group_add_up_to_the_price_at_most():
    answer = ask(policy(programme="a"), policy(programme="b"))
    assert (answer["subsidy_fen"], answer["payable_fen"]) == (1_000_000, 0)
    assert outcome(answer, programme="a") == (500_000, ["CAP_COMBINED"])


def test_a_related_party_and_a_subsidised_contract_get_nothing():
    assert outcome(ask(policy(), facts={"related_party": True})) == (0, ["RELATED_PARTY"])
    same = {"control_group": "g1", "provider_control_group": "g1"}
    assert outcome(ask(policy(), facts=same)) == (0, ["RELATED_PARTY"])
    assert outcome(ask(policy(), facts={"already_subsidised": True})) == (0, ["ALREADY_SUBSIDISED"])


def test_a_reimbursed_award_is_paid_later():
    answer = ask(policy(mode="reimburse"))
    assert (answer["subsidy_fen"], answer["payable_fen"], answer["due_fen"]) == (600_000, 400_000, 1_000_000)


def test_a_stored_quote_replays_to_the_same_fen():
    tree = {"any": [{"fact": "n", "is": "gte", "value": 0.25}, {"all": []}]}
    stacked = policy(eligible=tree, caps=[{"scope": "order", "amount_fen": 7}], stacking={"group": "g", "mode": "MAX"})
    document = {
        "policies": [stacked],
        "order": {"date": "2026-05-01T08:00:00+08:00", "facts": {"n": 0.5, "tags": ["a", "b"]},
                  "lines": [{"offering": "x", "gross_fen": 100, "vat_bp": 0, "facts": {"m": 1}}]},
        "used": {"order": 1, "small-park-tech": {"scheme": 5}}, "funds": {"province": 3, "elsewhere": 4},
    }  # fmt: skip
    command = read_quote(document)
    stored = quote_command_json(command.policies, command.order, command.used, command.funds)
    assert read_quote(stored).policies == command.policies
    assert quote_document(stored) == quote_document(document)


def put(document, path, value):
    *parents, last = path
    for part in parents:
        document = document[part]
    document[last] = value


GOOD = {
    "policies": [POLICY],
    "order": {
        "date": "2026-05-01",
        "facts": {},
        "lines": [{"offering": "x", "gross_fen": 1, "vat_bp": 0, "facts": {}}],
    },
}
LINE = ("order", "lines", 0)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ((*LINE, "gross_fen"), -1, "order.lines[0].gross_fen"),
        ((*LINE, "gross_fen"), 10**40, "order.lines[0].gross_fen"),
        ((*LINE, "gross_fen"), True, "order.lines[0].gross_fen"),
        ((*LINE, "gross_fen"), 1.5, "order.lines[0].gross_fen"),
        ((*LINE, "gross_fen"), "1", "order.lines[0].gross_fen"),
        (("order", "date"), "2026-02-30", "order.date"),
        (("order", "date"), "2026-05-01T00:00:00", "order.date"),
        (("order", "lines"), [], "order.lines"),
        (("order", "facts"), {"a": float("nan")}, "order.facts.a"),
        (("order", "facts"), {"a": {"b": 1}}, "order.facts"),
        (("policies", 0, "rates", 0, "rate_bp"), 10_001, "policies[0].rates[0].rate_bp"),
        (("policies", 0, "funders", 0, "share_bp"), 9_999, "policies[0].funders"),
        (("policies", 0, "window", "to"), "2026-01-01", "policies[0].window.to"),
        (("policies", 0, "year_starts"), "02-29", "policies[0].year_starts"),
        (("policies", 0, "timezone"), "Moon/Base", "policies[0].timezone"),
        (("policies", 0, "eligible"), {"all": [{"fact": "x", "is": "in", "value": 1}]}, "policies[0].eligible.all[0]"),
        (("policies", 0, "suprise"), 1, "policies[0].suprise"),
        (("policies",), [POLICY, POLICY], "policies[1]"),
        (("used",), {"somewhere": 1}, "used.somewhere"),
        (("used",), {"p": {"order": -1}}, "used.p.order"),
        (("funds",), {"f": None}, "funds.f"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_the_path_of_the_fault(path, value, field):
    document = deepcopy(GOOD)
    put(document, path, value)
    with pytest.raises(Invalid) as refusal:
        quote_document(document)
    assert field in [error.field for error in refusal.value.errors]
    assert all(str(error.message) for error in refusal.value.errors)


@pytest.mark.parametrize("document", [None, [], 3, "x", {}, {"policies": 1, "order": []}])
def test_anything_else_is_refused_too(document):
    with pytest.raises(Invalid):
        quote_document(document)


def test_deep_nesting_is_refused_without_recursion():
    deep: list[Any] = [1]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Invalid) as refusal:
        quote_document({"policies": deep})
    assert refusal.value.code == "document.too_deep"
