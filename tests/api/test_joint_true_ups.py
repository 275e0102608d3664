"""Closing a year of a joint facility: by two, once, on invoices and in the books, undone by a reversal, seen by the parties."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.usecases.invariants import ALL as INVARIANTS
from tests.api.test_joint_agreements import in_force, three, written
from tests.api.test_joint_hours import use
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.province import Province
from tests.support.web import Caller

LAST = {"valid_from": "2025-01-01", "valid_to": "2027-01-01"}


def used_year(
    province: Province, hours: tuple[int, ...] = (3_000, 1_000, 900), outside: int = 0
) -> tuple[list[Caller], list[str], str]:
    """Three parks, their ids and the path of an agreement of 2025 and 2026 whose first year was used."""
    parks, ids = three(province)
    path = f"/joint-agreements/{in_force(province, parks, written(province, ids, **LAST))['id']}"
    for park, each in zip(ids, hours, strict=True):
        assert parks[0].post(f"{path}/uses", use(park, each, "2025-06-01")).status_code == 201
    if outside:
        other = use(None, outside, "2025-06-02", user_name="外地企业")
        assert parks[0].post(f"{path}/uses", other).status_code == 201
    return parks, ids, path


def proposed(province: Province, path: str) -> dict[str, Any]:
    """The true-up of 2025, proposed by the officer."""
    answer = province.officer.post(f"{path}/true-ups", {"year": 2025})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def approved(province: Province, made: dict[str, Any]) -> dict[str, Any]:
    """A true-up that the approver approved."""
    answer = province.approver.post(f"/joint-true-ups/{made['id']}/approval")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_year_is_closed_by_two_and_stands_on_invoices_and_in_wallets(province: Province) -> None:
    parks, ids, path = used_year(province, (3_000, 1_000, 900), outside=100)
    made = proposed(province, path)
    shares = {each["park_id"]: each for each in made["shares"]}
    assert sum(each["net_fen"] for each in made["shares"]) + made["outsiders_fen"] == made["cost_fen"]
    assert made["cost_fen"] == 1_000_000_000 + 5_000 * 60_000
    again = province.officer.post(f"{path}/true-ups", {"year": 2025})
    assert (again.status_code, again.get_json()["code"]) == (409, "joint.proposed")
    for refused in (parks[0], province.officer, province.finance):
        assert refused.post(f"/joint-true-ups/{made['id']}/approval").status_code == 403
    done = approved(province, made)
    assert (done["status"], parks[1].get(f"{path}/hours?year=2025").get_json()["is_closed"]) == ("approved", True)
    twice = province.approver2.post(f"/joint-true-ups/{made['id']}/approval")
    assert (twice.status_code, twice.get_json()["code"]) == (409, "joint.decided")
    assert shares[ids[0]]["amount_fen"] == 2_000 * 60_000 + 1_000 * 312_000
    wallet = parks[1].get(f"/parks/{ids[1]}/wallet").get_json()
    assert wallet["available_fen"] == -shares[ids[1]]["amount_fen"] > 0
    late = parks[0].post(f"{path}/uses", use(ids[1], 1, "2025-07-01"))
    assert (late.status_code, late.get_json()["code"]) == (409, "joint.closed")
    lend = parks[1].post(f"{path}/releases", {"year": 2025, "minutes": 60})
    assert (lend.status_code, lend.get_json()["code"]) == (409, "joint.closed")
    assert broken(province.workshop, INVARIANTS) == {}


def test_the_line_stands_on_the_next_invoice_and_is_traced(province: Province) -> None:
    parks, ids, path = used_year(province)
    share = next(each for each in approved(province, proposed(province, path))["shares"] if each["park_id"] == ids[0])
    period = province.workshop.clock.now().strftime("%Y-%m")
    issued = province.finance.post("/invoices", {"park_id": ids[0], "period": period})
    assert issued.status_code in {200, 201}, issued.text
    (invoice,) = parks[0].get("/invoices").get_json()["items"]
    lines = parks[0].get(f"/invoices/{invoice['id']}").get_json()["lines"]
    assert [(each["title"], each["payable_fen"]) for each in lines] == [
        ("共建 2025 年度结算：检测中心", share["amount_fen"])
    ]
    for viewer, line in ((parks[0], 1), (parks[2], None)):
        seen = viewer.get(f"{path}/true-ups").get_json()["items"][0]["shares"]
        assert next(each["invoice_line"] for each in seen if each["park_id"] == ids[0]) == line, "invoices are private"
    trace = parks[0].get(f"/invoices/{invoice['id']}/lines/1/trace")
    assert (trace.status_code, '"model":"joint"' in trace.text.replace(" ", "")) == (200, True), trace.text
    assert broken(province.workshop, INVARIANTS) == {}


def test_what_is_left_is_carried_over_up_to_the_cap(province: Province) -> None:
    _parks, ids, path = used_year(province, (1_000, 1_450, 1_500))
    approved(province, proposed(province, path))
    year = province.officer.get(f"{path}/hours?year=2026").get_json()
    carried = {each["park_id"]: each["carried_minutes"] for each in year["parks"]}
    assert carried == {ids[0]: 6_000, ids[1]: 3_000, ids[2]: 0}
    assert sum(each["entitled_minutes"] for each in year["parks"]) == 300_000
    assert broken(province.workshop, INVARIANTS) == {}


def test_a_reversal_undoes_it_and_the_year_is_closed_anew(province: Province) -> None:
    parks, ids, path = used_year(province)
    done = approved(province, proposed(province, path))
    back = province.officer.post(f"/joint-true-ups/{done['id']}/reversal", {"reason": "漏记 10 小时"})
    assert back.status_code == 201, back.text
    approved(province, back.get_json())
    assert province.officer.get(f"/joint-true-ups/{done['id']}").get_json()["status"] == "reversed"
    twice = province.officer.post(f"/joint-true-ups/{done['id']}/reversal", {"reason": "再冲回"})
    assert (twice.status_code, twice.get_json()["code"]) == (409, "joint.not_reversible")
    assert parks[0].post(f"{path}/uses", use(ids[1], 10, "2025-07-01")).status_code == 201
    anew = approved(province, proposed(province, path))
    items = parks[0].get(f"{path}/true-ups?year=2025").get_json()["items"]
    assert len(items) == 3
    whole = {park: sum(s["net_fen"] for one in items for s in one["shares"] if s["park_id"] == park) for park in ids}
    assert whole == {each["park_id"]: each["net_fen"] for each in anew["shares"]}
    assert broken(province.workshop, INVARIANTS) == {}


def test_of_two_approvers_at_once_one_closes_the_year(province: Province) -> None:
    _parks, _ids, path = used_year(province)
    made = proposed(province, path)
    callers = [province.caller(login) for login in ("approver", "approver2") * 3]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda each: each.post(f"/joint-true-ups/{made['id']}/approval"), callers))
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409, 409, 409]
    assert broken(province.workshop, INVARIANTS) == {}


def test_uses_and_the_close_wait_for_each_other(province: Province) -> None:
    """Whichever comes first: a use that counts is trued up, or it is refused, or the proposal does not hold any more."""
    parks, ids, path = used_year(province)
    made = proposed(province, path)
    lead, approver = province.caller("admin1"), province.caller("approver")
    with ThreadPoolExecutor(2) as threads:
        closing = threads.submit(approver.post, f"/joint-true-ups/{made['id']}/approval")
        using = threads.submit(lead.post, f"{path}/uses", use(ids[1], 1, "2025-08-01"))
    codes = (closing.result().status_code, using.result().status_code)
    assert codes in {(200, 409), (409, 201)}
    if codes == (409, 201):
        assert closing.result().get_json()["code"] == "joint.changed"
    assert parks[0].get(f"{path}/hours?year=2025").get_json()["is_closed"] is (codes[0] == 200)
    assert broken(province.workshop, INVARIANTS) == {}


def test_a_running_year_and_strangers_are_refused(province: Province) -> None:
    parks, _ids, path = used_year(province)
    stranger = province.park(4)
    running = province.officer.post(f"{path}/true-ups", {"year": 2026})
    assert (running.status_code, running.get_json()["code"]) == (409, "joint.year_runs")
    assert province.officer.post(f"{path}/true-ups", {"year": 2031}).status_code == 422
    assert parks[0].post(f"{path}/true-ups", {"year": 2025}).status_code == 403
    made = proposed(province, path)
    for address in (f"/joint-true-ups/{made['id']}", f"{path}/true-ups", f"{path}/year-end"):
        assert stranger.get(address).status_code == 404
        assert parks[2].get(address).status_code == 200
    gone = province.approver.post(f"/joint-true-ups/{made['id']}/refusal").get_json()
    assert gone["status"] == "refused"
    assert province.approver.post(f"/joint-true-ups/{made['id']}/approval").status_code == 409


def test_the_year_end_says_what_else_it_would_have_cost_and_what_was_saved(province: Province) -> None:
    parks, _ids, path = used_year(province)
    end = parks[1].get(f"{path}/year-end?year=2025").get_json()
    assert (end["is_over"], end["projects"]) == (True, 1)
    assert set(end["methods"]) == {"shares", "use", "serial", "shapley"}
    for method in end["methods"]:
        whole = sum(each["alternatives_fen"][method] for each in end["parks"])
        assert whole == end["net_fen"] == end["hours"]["cost_fen"] - end["hours"]["outsiders_fen"]
    assert end["saved_fen"] == end["alone_fen"] - end["net_fen"] > 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE joint_true_up_shares SET due_fen = due_fen + 1", "joint_true_up_shares"),
        ("UPDATE joint_true_ups SET cost_fen = cost_fen + 1", "reverse it"),
        ("DELETE FROM joint_true_ups", "reverse it"),
        ("UPDATE joint_true_ups SET status = 'approved', decided_by = proposed_by, decided_at = now()", "four_eyes"),
    ],
)
def test_the_database_keeps_a_true_up_as_proposed(
    province: Province, database: Database, change: str, why: str
) -> None:
    _parks, _ids, path = used_year(province)
    proposed(province, path)
    owner = database.owner()
    with pytest.raises(DBAPIError, match=why), owner.begin() as connection:
        connection.execute(text(change))
    owner.dispose()
