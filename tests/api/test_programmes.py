"""Programmes through the API: what is refused and where, who may decide, and what a version changes."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.demo import world
from tests.support.province import LEADS, Province, in_hours
from tests.support.web import Caller

BOUNDS = {"small": {"min_bp": 5000, "max_bp": 7000}, "large": {"min_bp": 3000, "max_bp": 3000}}
SMALL = {"fact": "park_size", "is": "eq", "value": "small"}


def version(**changes: Any) -> dict[str, Any]:
    return {
        "mode": "instant",
        "base": "gross",
        "window": {"from": "2026-03-02", "to": "2027-01-01"},
        "rates": [{"rate_bp": 6000, "when": [SMALL]}],
        "funders": [{"fund": world.FUND_SLUG, "share_bp": 10000}],
        "shortfall": "partial",
        **changes,
    }


def found(officer: Caller, slug: str = "tech", bounds: dict[str, Any] | None = None) -> str:
    body = {"slug": slug, "name": "技术补贴", "name_en": "Technology", "bounds": BOUNDS if bounds is None else bounds}
    answer = officer.post("/programmes", body)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def write(officer: Caller, programme: str, **changes: Any) -> Any:
    return officer.post(f"/programmes/{programme}/versions", {"policy": version(**changes)})


def approve(province: Province, programme: str, number: int) -> None:
    for caller, step in ((province.officer, "submission"), (province.approver, "approval")):
        answer = caller.post(f"/programmes/{programme}/versions/{number}/{step}")
        assert answer.status_code == 200, answer.text


ONE = [{"fact": "park_size", "is": "eq", "value": "tiny"}]
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"rates": [{"rate_bp": 8000, "when": [SMALL]}]}, "rates[0].rate_bp", "policy.rate_outside_bounds"),
    ({"funders": [{"fund": world.FUND_SLUG, "share_bp": 9999}]}, "funders", "policy.shares_do_not_sum"),
    ({"funders": [{"fund": "nowhere", "share_bp": 10000}]}, "funders[0].fund", "policy.unknown_fund"),
    ({"window": {"from": "2026-03-01", "to": None}}, "window.from", "policy.backdated"),
    ({"window": {"from": "2026-04-01", "to": "2026-04-01"}}, "window.to", "policy.window_order"),
    ({"eligible": {"all": [{"fact": "moon", "is": "eq", "value": "full"}]}}, "eligible", "policy.unknown_fact"),
    ({"rates": [{"rate_bp": 6000, "when": [SMALL, *ONE]}]}, "rates[0].when[1].value", "policy.unknown_value"),
    ({"eligible": {"any": [{"fact": "region", "is": "in", "value": ["411224", "410000"]}]}}, "eligible.any[0].value",
     "policy.unknown_value"),
    ({"eligible": {"all": [{"fact": "tier", "is": "gte", "value": "basic"}]}}, "eligible.all[0].is", "policy.no_order"),
    ({"eligible": {"all": [{"fact": "gross_fen", "is": "lte", "value": "much"}]}}, "eligible.all[0].value",
     "policy.unknown_value"),
    ({"eligible": {"all": [{"fact": "related_party", "is": "eq", "value": 1}]}}, "eligible.all[0].value",
     "policy.unknown_value"),
    ({"caps": [{"scope": "order", "amount_fen": 0}]}, "caps[0].amount_fen", "policy.cap_not_positive"),
    ({"caps": [{"scope": "month", "amount_fen": 1}]}, "caps[0].scope", "field.choice"),
    ({"year_starts": "02-29"}, "year_starts", "policy.year_starts"),
    ({"version": 7}, "version", "policy.version_gap"),
    ({"colour": "red"}, "colour", "field.unknown"),
    ({"mode": "later"}, "mode", "field.choice"),
]  # fmt: skip


def test_each_fault_is_refused_at_its_field_with_a_remedy(province: Province) -> None:
    province.fund()
    officer = province.officer
    programme = found(officer)
    for changes, field, code in REFUSED:
        answer = write(officer, programme, **changes)
        assert answer.status_code == 422, (changes, answer.text)
        said = {(error["field"], error["code"]): error["detail"] for error in answer.get_json()["errors"]}
        assert (field, code) in said, (changes, said)
        assert "请" in said[field, code]
    answer = officer.post("/programmes", {"slug": "x", "name": "x", "name_en": "x", "bounds": {"small": {
        "min_bp": 7000, "max_bp": 5000}}})  # fmt: skip
    assert answer.get_json()["errors"][0]["field"] == "bounds.small.max_bp"


def test_a_ceiling_is_not_set_below_what_was_granted(province: Province) -> None:
    province.fund()
    officer, park = province.officer, province.park()
    programme = found(officer)
    cap = {"scope": "entity_year", "amount_fen": 50_000_000}
    assert write(officer, programme, caps=[cap]).status_code == 201
    approve(province, programme, 1)
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    assert park.post("/orders", {"quote_id": quote["id"]}).status_code == 201
    low = write(officer, programme, caps=[cap | {"amount_fen": 100}])
    assert [(each["field"], each["code"]) for each in low.get_json()["errors"]] == [
        ("caps[0].amount_fen", "policy.cap_below_granted")
    ]


def test_exclusive_rivals_meet_at_the_second_ones_approval_at_the_latest(province: Province) -> None:
    province.fund()
    officer, approver = province.officer, province.approver
    exclusive = {"stacking": {"group": "tech", "mode": "EXCLUSIVE"}}
    one, other = found(officer, "one"), found(officer, "other")
    for programme in (one, other):
        assert write(officer, programme, **exclusive).status_code == 201
    assert officer.post(f"/programmes/{one}/versions/1/submission").status_code == 200
    late = officer.post(f"/programmes/{other}/versions/1/submission")
    assert (late.status_code, late.get_json()["errors"][0]["code"]) == (422, "policy.exclusive_overlap")
    assert officer.post(f"/programmes/{one}/versions/1/withdrawal").status_code == 200
    assert officer.post(f"/programmes/{other}/versions/1/submission").status_code == 200
    assert approver.post(f"/programmes/{other}/versions/1/approval").status_code == 200


def test_a_version_is_rejected_with_a_reason_and_the_next_one_starts_from_it(province: Province) -> None:
    province.fund()
    officer, approver = province.officer, province.approver
    programme = found(officer)
    assert write(officer, programme).status_code == 201
    path = f"/programmes/{programme}/versions/1"
    assert officer.post(f"{path}/submission").status_code == 200
    assert officer.post(f"{path}/rejection", {"reason": "不同意"}).status_code == 403
    empty = approver.post(f"{path}/rejection", {"reason": " "})
    assert (empty.status_code, empty.get_json()["errors"][0]["field"]) == (422, "reason")
    refused = approver.post(f"{path}/rejection", {"reason": "比例缺少依据"}).get_json()
    assert (refused["status"], refused["rejection"]) == ("rejected", "比例缺少依据")
    assert approver.post(f"{path}/approval").status_code == 409
    assert officer.post(f"{path}/submission").status_code == 409
    second = write(officer, programme, rates=[{"rate_bp": 5500, "when": [SMALL]}]).get_json()
    assert (second["version"], second["status"]) == (2, "draft")


def test_a_version_is_compared_with_the_one_that_counts(province: Province) -> None:
    province.fund()
    officer = province.officer
    programme = found(officer)
    write(officer, programme)
    path = f"/programmes/{programme}/versions"
    assert officer.get(f"{path}/1/diff").get_json()["against"] is None
    approve(province, programme, 1)
    cap = {"scope": "entity_year", "amount_fen": 50_000_000}
    write(officer, programme, rates=[{"rate_bp": 7000, "when": [SMALL]}], caps=[cap])
    answer = officer.get(f"{path}/2/diff").get_json()
    assert answer["against"] == 1
    assert [(each["path"], each["topic"]) for each in answer["differences"]] == [
        ("rates[0].rate_bp", "rate"),
        ("caps[0]", "cap_added"),
    ]
    assert answer["differences"][0]["zh"] == "园区规模为小型园区的补贴比例由 60% 提高到 70%"
    assert answer["differences"][0]["en"] == "The rate (Park size is Small park) rises from 60% to 70%"
    back = officer.get(f"{path}/1/diff?against=2").get_json()["differences"]
    assert {each["topic"] for each in back} == {"rate", "cap_removed"}
    assert officer.get(f"{path}/2/diff?against=9").status_code == 404
    assert province.park().get(f"{path}/2/diff").status_code == 404  # a draft is nobody else's business
    counts = officer.get("/programmes/in-force?at=2026-12-31T23:59:59%2B08:00").get_json()["items"]
    assert {(each["programme"], each["version"]) for each in counts} == {("tech", 1), (world.PROGRAMME, 1)}
    assert officer.get("/programmes/in-force?at=2026-03-01T00:00:00Z").get_json()["items"] == []


@pytest.mark.parametrize("step", ["submission", "approval", "withdrawal", "diff"])
def test_there_is_no_version_that_nobody_wrote(province: Province, step: str) -> None:
    programme = found(province.officer)
    path = f"/programmes/{programme}/versions/3/{step}"
    caller = province.approver if step == "approval" else province.officer
    answer = caller.get(path) if step == "diff" else caller.post(path)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "policy.not_found")


def test_a_draft_is_tried_on_past_orders_before_anybody_approves_it(province: Province) -> None:
    province.fund()
    officer, park = province.officer, province.park()
    start = in_hours(province.workshop, -1)
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    assert park.post("/orders", {"quote_id": quote["id"]}).status_code == 201
    programme = officer.get("/programmes").get_json()["items"][0]["id"]
    window = {"from": "2030-01-01", "to": "2031-01-01"}
    document = world.policy() | {"version": 2, "window": window, "rates": [{"rate_bp": 5000, "when": [SMALL]}]}
    draft = officer.post(f"/programmes/{programme}/versions", {"policy": document})
    assert draft.status_code == 201, draft.text
    path = f"/programmes/{programme}/versions/2"
    period = {"from": start, "to": in_hours(province.workshop, 1)}
    answer = province.approver.post(f"{path}/simulate", period)
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    result = found["result"]
    given = quote["subsidy_fen"]
    assert (found["status"], result["orders"], result["parks"]) == ("done", 1, 1)
    assert (result["before_fen"], result["after_fen"]) == (given, quote["gross_fen"] // 2)
    assert result["by_park"][0]["change_fen"] == quote["gross_fen"] // 2 - given < 0
    assert result["losing"] == 1
    assert officer.get(f"/simulations/{found['id']}").get_json() == found
    assert officer.get(f"{path}/simulations").get_json()["items"] == [found]
    table = officer.get(f"/simulations/{found['id']}/parks.csv")
    header, row = table.data.decode("utf-8-sig").splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["change_fen"] == str(result["change_fen"])
    refused = officer.post(f"{path}/simulate", period | {"to": start})
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "to")
    assert park.post(f"{path}/simulate", period).status_code == 403
    assert park.get(f"/simulations/{found['id']}").status_code == 403
    assert officer.post(f"/programmes/{programme}/versions/9/simulate", period).status_code == 404
