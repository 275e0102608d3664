"""Paying a joint facility's centre: no more than is owed, each transfer once, undone by a row of its own, read by the parties."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.store.books import balances
from marketplace.usecases.invariants import ALL as INVARIANTS
from tenants.kernel.context import system_actor
from tests.api.test_joint_agreements import three, written
from tests.api.test_joint_true_ups import approved, proposed, used_year
from tests.support.invariants import broken
from tests.support.province import Province
from tests.support.web import Caller

TRANSFER = {"amount_fen": 100_000_000, "reference": "豫财共建付 1 号", "paid_on": "2026-03-02"}


def closed(province: Province) -> tuple[list[Caller], str, int]:
    """The parties of a centre whose year was closed, the path of their agreement, and what the centre is owed."""
    parks, _ids, path = used_year(province)
    done = approved(province, proposed(province, path))
    return parks, path, sum(each["amount_fen"] for each in done["shares"])


def centre(caller: Caller, path: str) -> dict[str, Any]:
    answer = caller.get(f"{path}/centre")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_finance_pays_what_is_owed_and_the_parties_read_it(province: Province) -> None:
    parks, path, settled = closed(province)
    stranger = province.park(4)
    assert settled == 4_900 * 60_000, "the variable cost of what was used: the rest went to who lent"
    before = centre(parks[1], path)
    assert (before["settled_fen"], before["owed_fen"], before["payee_name"]) == (settled, settled, "第 1 园区")
    address = f"{path}/centre-payments"
    for refused in (*parks, province.officer, province.approver, province.operator):
        assert refused.post(address, TRANSFER).status_code == 403
    for changed, field in (
        ({"amount_fen": settled + 1}, "amount_fen"),
        ({"amount_fen": 0}, "amount_fen"),
        ({"paid_on": "2026-03-09"}, "paid_on"),
        ({"reference": " "}, "reference"),
    ):
        wrong = province.finance.post(address, TRANSFER | changed)
        assert (wrong.status_code, wrong.get_json()["errors"][0]["field"]) == (422, field), wrong.text
    paid = province.finance.post(address, TRANSFER)
    assert paid.status_code == 201, paid.text
    again = province.finance.post(address, TRANSFER)
    assert again.get_json()["paid_fen"] == paid.get_json()["paid_fen"] == TRANSFER["amount_fen"], "a repeat"
    other = province.finance.post(address, TRANSFER | {"amount_fen": 1})
    assert (other.status_code, other.get_json()["code"]) == (409, "joint.reference_used")
    seen = centre(parks[2], path)
    assert (seen["owed_fen"], len(seen["payments"])) == (settled - 100_000_000, 1)
    assert stranger.get(f"{path}/centre").status_code == 404
    with province.workshop.work(system_actor("test")) as work:
        books = [row for row in balances(work.session, None) if row[0].startswith("joint:centre:")]
    ((_code, _kind, debits, credited),) = books
    assert credited - debits == settled - 100_000_000, "what is left on its account is what the centre is owed"
    assert broken(province.workshop, INVARIANTS) == {}


def test_a_transfer_is_taken_back_once_and_owed_again(province: Province) -> None:
    _parks, path, settled = closed(province)
    province.finance.post(f"{path}/centre-payments", TRANSFER)
    (payment,) = centre(province.finance, path)["payments"]
    address = f"/joint-centre-payments/{payment['id']}/reversal"
    assert province.officer.post(address, {"reason": "x"}).status_code == 403
    back = province.finance.post(address, {"reason": "付错账户"})
    assert back.status_code == 200, back.text
    assert (back.get_json()["owed_fen"], back.get_json()["paid_fen"]) == (settled, 0)
    twice = province.finance.post(address, {"reason": "再冲"})
    assert (twice.status_code, twice.get_json()["code"]) == (409, "joint.payment_reversed")
    taken = next(each for each in back.get_json()["payments"] if each["reverses_id"])
    again = province.finance.post(f"/joint-centre-payments/{taken['id']}/reversal", {"reason": "x"})
    assert again.status_code == 409
    assert broken(province.workshop, INVARIANTS) == {}


def test_of_eight_transfers_at_once_no_more_is_paid_than_is_owed(province: Province) -> None:
    _parks, path, settled = closed(province)
    callers = [province.caller("finance") for _ in range(8)]
    part = settled // 3 + 1
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda at: callers[at].post(
                    f"{path}/centre-payments", TRANSFER | {"amount_fen": part, "reference": f"第 {at} 号"}
                ),
                range(8),
            )
        )
    assert sorted(each.status_code for each in answers) == [201, 201] + [422] * 6
    assert centre(province.finance, path)["owed_fen"] == settled - 2 * part
    assert broken(province.workshop, INVARIANTS) == {}


def test_a_transfer_that_was_recorded_wrongly_is_recorded_anew_under_its_own_reference(province: Province) -> None:
    _parks, path, _settled = closed(province)
    paths = f"{path}/centre-payments"
    wrong = province.finance.post(paths, TRANSFER | {"amount_fen": 1}).get_json()["payments"][0]
    again = province.finance.post(paths, TRANSFER)
    assert (again.status_code, again.get_json()["code"]) == (409, "joint.reference_used")
    for _ in range(2):
        undone = province.finance.post(f"/joint-centre-payments/{wrong['id']}/reversal", {"reason": "金额有误"})
        assert undone.status_code == 200, undone.text
        right = province.finance.post(paths, TRANSFER)
        assert right.status_code == 201, right.text
        assert province.finance.post(paths, TRANSFER).get_json() == right.get_json(), "a repeat changes nothing"
        wrong = next(each for each in right.get_json()["payments"] if each["amount_fen"] == TRANSFER["amount_fen"])
        assert right.get_json()["paid_fen"] == TRANSFER["amount_fen"]
    assert broken(province.workshop, INVARIANTS) == {}


def test_a_version_that_is_not_in_force_has_no_centre_to_pay(province: Province) -> None:
    _parks, ids = three(province)
    path = f"/joint-agreements/{written(province, ids)['id']}"
    early = province.finance.post(f"{path}/centre-payments", TRANSFER)
    assert (early.status_code, early.get_json()["code"]) == (409, "joint.not_in_force")


@pytest.mark.parametrize(
    "change", ["UPDATE joint_centre_payments SET amount_fen = amount_fen + 1", "DELETE FROM joint_centre_payments"]
)
def test_nobody_may_change_a_transfer(province: Province, change: str) -> None:
    _parks, path, _settled = closed(province)
    province.finance.post(f"{path}/centre-payments", TRANSFER)
    with pytest.raises(DBAPIError, match="permission denied"), province.workshop.work(system_actor("test")) as work:
        work.session.execute(text(change))
