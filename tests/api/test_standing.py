"""Who gets no subsidy: relatives, the dishonesty list, a contract that was subsidised; and rolling aid. Through HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from billing.rules.known_facts import KNOWN_FACTS
from marketplace.usecases.invariants import ALL
from tenants.kernel.clock import ManualClock
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.parks import credit_code
from tests.support.province import YUAN, Province
from tests.support.web import Caller

TWIN = {"offering": "digital-twin-run", "request": {"demo": True}}
FLAGS = ("related_party", "already_subsidised", "credit_blocked", "provider_credit_blocked")
LAB = credit_code(902)
"""The provider of every offering of the province."""
HEAD = "统一社会信用代码,名称,来源,文号,起始日,截止日"


def quote(park: Caller, **fields: Any) -> dict[str, Any]:
    answer = park.post("/quotes", {"lines": [TWIN], **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def outcome(found: dict[str, Any]) -> tuple[int, list[str]]:
    award = found["lines"][0]["awards"][0]
    return award["amount_fen"] // YUAN, award["reasons"]


def group(province: Province, name: str = "某集团") -> str:
    answer = province.operator.post("/control-groups", {"name": name, "note": "工商登记"})
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def join(province: Province, group_id: str, *codes: str) -> None:
    for code in codes:
        answer = province.officer.post(f"/control-groups/{group_id}/members", {"uscc": code, "note": "章程第 3 条"})
        assert answer.status_code == 200, answer.text


def block(province: Province, code: str, **fields: str) -> str:
    entry = {
        "uscc": code, "name": "某单位", "source": "某人民法院", "document_no": "（2026）执 12 号",
        "valid_from": "2026-03-01", **fields,
    }  # fmt: skip
    answer = province.officer.post("/credit-blocks", entry)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def test_relatives_get_no_subsidy_from_the_day_they_are_known(province: Province) -> None:
    province.fund()
    park = province.park()
    before = quote(park)
    assert outcome(before) == (6_000, ["SMALL_LEADING"])
    group_id = group(province)
    join(province, group_id, credit_code(1), LAB)
    changed = park.post("/orders", {"quote_id": before["id"]})
    assert (changed.status_code, changed.get_json()["code"]) == (409, "quote.subsidy_changed")
    assert outcome(quote(park)) == (0, ["RELATED_PARTY"])
    members = province.approver.get(f"/control-groups/{group_id}").get_json()["members"]
    assert {member["uscc"] for member in members} == {credit_code(1), LAB}

    left = province.operator.post("/control-groups/leaving", {"uscc": credit_code(1), "note": "股权已转让"})
    assert left.get_json()["control_group"] is None
    again = quote(park)
    assert outcome(again) == (6_000, ["SMALL_LEADING"])
    assert park.post("/orders", {"quote_id": again["id"]}).status_code == 201


def test_groups_are_kept_by_those_who_may_and_leave_a_trail(province: Province, database: Database) -> None:
    park = province.park()
    assert park.post("/control-groups", {"name": "x"}).status_code == 403
    assert province.finance.post("/control-groups", {"name": "x"}).status_code == 403
    assert park.get("/control-groups").status_code == 403
    group_id = group(province)
    assert province.officer.post("/control-groups", {"name": "某集团"}).get_json()["code"] == "control_group.name_taken"
    nobody = province.officer.post(f"/control-groups/{group_id}/members", {"uscc": credit_code(77), "note": "x"})
    assert (nobody.status_code, nobody.get_json()["code"]) == (404, "organisation.not_found")
    groundless = province.officer.post(f"/control-groups/{group_id}/members", {"uscc": LAB, "note": " "})
    assert groundless.get_json()["errors"][0]["field"] == "note"
    join(province, group_id, credit_code(1), credit_code(1))
    assert province.officer.get("/control-groups?limit=1").get_json()["items"][0]["members"][0]["kind"] == "park"
    with database.owner().connect() as connection:
        trail = connection.execute(
            text("SELECT detail FROM audit_entries WHERE action = 'control_group.assign'")
        ).scalars()
        assert [(each["before"], each["after"], each["note"]) for each in trail] == [(None, group_id, "章程第 3 条")]


@pytest.mark.parametrize("whose", [credit_code(1), LAB], ids=["park", "provider"])
def test_the_dishonesty_list_bars_subsidies_while_it_counts(province: Province, clock: ManualClock, whose: str) -> None:
    province.fund()
    park = province.park()
    shown = quote(park)
    entry = block(province, whose)
    block(province, whose, document_no="已到期", valid_until="2026-03-02")
    block(province, whose, document_no="尚未开始", valid_from="2026-03-03")
    assert park.post("/orders", {"quote_id": shown["id"]}).get_json()["code"] == "quote.subsidy_changed"
    assert outcome(quote(park)) == (0, ["CREDIT_BLOCKED"])
    listed = province.finance.get(f"/credit-blocks?search={whose}&active=true").get_json()["items"]
    assert [each["id"] for each in listed] == [entry]
    assert park.get("/credit-blocks").status_code == 403

    lifted = province.operator.post(f"/credit-blocks/{entry}/lifting", {"reason": "信用修复决定 3 号"})
    assert lifted.get_json()["counts"] is False
    assert province.operator.post(f"/credit-blocks/{entry}/lifting", {"reason": "x"}).status_code == 409
    assert outcome(quote(park)) == (6_000, ["SMALL_LEADING"])


def test_a_list_is_imported_in_whole_or_not_at_all(province: Province) -> None:
    def send(*lines: str, encoding: str = "utf-8") -> Any:
        content = "\r\n".join((HEAD, *lines)).encode(encoding)
        return province.officer.post("/credit-blocks/import", data={"file": (BytesIO(content), "list.csv")})

    good = f"{credit_code(1)},甲,法院,1 号,2026-01-01,"
    torn = send(good, "12,,法院,2 号,2026-02-30,2026-01-01", f"{credit_code(2)},乙,法院,3 号,2026-02-01,2026-02-01")
    assert torn.status_code == 422
    assert {error["field"] for error in torn.get_json()["errors"]} == {
        "lines[3].uscc", "lines[3].name", "lines[3].valid_from", "lines[4].valid_until",
    }  # fmt: skip
    assert province.officer.get("/credit-blocks").get_json()["items"] == []
    assert send(good, f"{credit_code(2)},乙,法院,3 号,2026/02/01,2027-02-01", "").get_json() == {
        "entered": 2,
        "known": 0,
    }
    assert send(good, f"{credit_code(3)},丙,法院,4 号,2026-01-01,", encoding="gb18030").get_json() == {
        "entered": 1,
        "known": 1,
    }
    for wrong in (b"", b"a,b\n1,2\n", HEAD.encode(), b"\x00\x01"):
        answer = province.officer.post("/credit-blocks/import", data={"file": (BytesIO(wrong or b" "), "list.csv")})
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "file")


def test_one_contract_is_subsidised_once_in_the_province_and_again_after_cancelling(
    province: Province, database: Database
) -> None:
    province.fund()
    first, second = province.park(1), province.park(2)
    shown = quote(first, contract_no="HT-2026-001")
    assert (shown["contract_no"], outcome(shown)) == ("HT-2026-001", (6_000, ["SMALL_LEADING"]))
    late = quote(second, contract_no="ht 2026（001）")
    order = first.post("/orders", {"quote_id": shown["id"]}).get_json()
    assert order["contract_no"] == "HT-2026-001"
    refused = second.post("/orders", {"quote_id": late["id"]})
    assert refused.get_json()["code"] == "quote.subsidy_changed"
    assert outcome(quote(second, contract_no="HT2026001")) == (0, ["ALREADY_SUBSIDISED"])
    assert outcome(quote(first, contract_no="HT2026001")) == (0, ["ALREADY_SUBSIDISED"])
    unpaid = second.post("/orders", {"quote_id": quote(second, contract_no="HT2026001")["id"]})
    assert (unpaid.status_code, unpaid.get_json()["subsidy_fen"]) == (201, 0), "without subsidy it may be rented"
    assert outcome(quote(second, contract_no="HT-2026-002")) == (6_000, ["SMALL_LEADING"])

    assert first.post(f"/orders/{order['id']}/cancel").status_code == 200
    again = second.post("/orders", {"quote_id": quote(second, contract_no="HT-2026-001")["id"]})
    assert (again.status_code, again.get_json()["subsidy_fen"]) == (201, 6_000 * YUAN)
    bad = first.post("/quotes", {"lines": [TWIN], "contract_no": "（）"})
    assert (bad.status_code, bad.get_json()["errors"][0]["field"]) == (422, "contract_no")
    assert broken(province.workshop, ALL) == {}


def test_of_many_orders_on_one_contract_at_once_one_is_subsidised(province: Province) -> None:
    province.fund()
    parks = [province.park(number) for number in range(1, 5)]
    quotes = [quote(park, contract_no="HT-1") for park in parks]
    start = Barrier(len(parks))

    def order(park: Caller, found: dict[str, Any]) -> Any:
        start.wait()
        answer = park.post("/orders", {"quote_id": found["id"]})
        return answer.get_json().get("code", answer.status_code)

    with ThreadPoolExecutor(len(parks)) as pool:
        results = list(pool.map(order, parks, quotes))
    assert results.count(None) + results.count(201) == 1
    assert set(results) - {201, None} <= {"contract.already_subsidised", "quote.subsidy_changed"}
    assert broken(province.workshop, ALL) == {}


def test_rolling_aid_is_shown_to_the_park_and_to_staff(province: Province) -> None:
    province.fund(rolling={"register": "small-aid", "years": 3, "amount_fen": 10_000 * YUAN})
    first, second = province.park(1), province.park(2)
    group_id = group(province)
    assert first.post("/orders", {"quote_id": quote(first)["id"]}).status_code == 201
    join(province, group_id, credit_code(1), credit_code(2))
    assert outcome(quote(second)) == (4_000, ["SMALL_LEADING", "CAP_ROLLING"])
    assert second.post("/orders", {"quote_id": quote(second)["id"]}).status_code == 201

    (own,) = second.get("/aid-registers").get_json()["items"]
    assert (own["register"], own["controller_id"], own["years"], own["used_fen"]) == (
        "small-aid", group_id, 3, 10_000 * YUAN,
    )  # fmt: skip
    assert own["ceilings"][0]["left_fen"] == 0
    assert own["oldest_at"] == "2026-03-02T01:00:00Z"
    assert own["falls_out_at"] == "2029-03-02T01:00:00Z"
    where = f"/aid-registers/grants?register=small-aid&controller_id={group_id}"
    assert [each["amount_fen"] for each in second.get(where).get_json()["items"]] == [4_000 * YUAN]
    staff = province.finance.get("/aid-registers?register=small-aid").get_json()["items"]
    assert {(each["controller_name"], each["used_fen"]) for each in staff} == {
        ("某集团", 10_000 * YUAN), ("第 1 园区", 0),
    }  # fmt: skip
    assert len(province.finance.get(where).get_json()["items"]) == 2
    assert province.operator.get("/aid-registers").status_code == 403
    assert broken(province.workshop, ALL) == {}


def test_orders_state_every_fact_that_a_condition_may_ask_for(province: Province, database: Database) -> None:
    """And each as one that a condition can meet."""
    conditions = [
        {"fact": "park_size", "is": "eq", "value": "small"},
        {"fact": "region", "is": "eq", "value": "510104"},
        {"fact": "region_class", "is": "in", "value": ["western", "central"]},
        {"fact": "tier", "is": "eq", "value": "leading"},
        {"fact": "verification", "is": "eq", "value": "verified"},
        *({"fact": name, "is": "eq", "value": False} for name in FLAGS),
    ]
    province.fund(eligible={"all": conditions})
    park = province.park()
    join(province, group(province, "园区方"), credit_code(1))
    join(province, group(province, "机构方"), LAB)
    assert outcome(quote(park)) == (6_000, ["SMALL_LEADING"])
    with database.owner().connect() as connection:
        facts, lines = connection.execute(text("SELECT facts -> 'facts', lines FROM quotes")).one()
    stated = {**facts, **lines[0]["facts"], "offering": "x", "gross_fen": 1}
    assert {name for name, known in KNOWN_FACTS.items() if not known.takes(stated[name])} == set()


def test_nothing_is_given_for_orders_before_a_version_counts_or_after_its_window(
    province: Province, clock: ManualClock
) -> None:
    """A version that is approved in its window counts from its approval; what was quoted before it, got nothing."""
    park = province.park()
    province.fund()
    clock.instant = datetime(2027, 12, 31, 15, 59, tzinfo=UTC)
    last = quote(park)
    assert outcome(last) == (6_000, ["SMALL_LEADING"]), "the last minute of its last day in Shanghai"
    clock.instant = datetime(2027, 12, 31, 16, 0, tzinfo=UTC)
    assert park.post("/orders", {"quote_id": last["id"]}).get_json()["code"] == "quote.subsidy_changed"
    assert quote(park)["subsidy_fen"] == 0
