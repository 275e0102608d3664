"""A park's credit through HTTP: granted by finance, warned about, read by nobody else."""

from __future__ import annotations

from tests.support.province import LEADS, Province
from tests.support.sales import sold_inspection

GRANT = {"amount_fen": 50_000, "reason": "开园优惠", "expires_at": "2026-06-01T00:00:00+08:00"}


def test_credit_is_granted_once_and_seen_by_its_park_alone(province: Province) -> None:
    one, other = province.park(1), province.park(2)
    mine = one.get("/me").get_json()["park"]["id"]
    address = f"/parks/{mine}/wallet"
    assert one.post(f"{address}/credits", GRANT).status_code == 403
    assert province.operator.post(f"{address}/credits", GRANT).status_code == 403
    given = province.finance.post(f"{address}/credits", GRANT, key="gift")
    assert given.status_code == 201, given.text
    assert province.finance.post(f"{address}/credits", GRANT, key="gift").get_json() == given.get_json()
    wallet = one.get(address).get_json()
    assert (wallet["available_fen"], [each["kind"] for each in wallet["credits"]]) == (50_000, ["granted"])
    assert other.get(address).status_code == 404
    past = province.finance.post(f"{address}/credits", GRANT | {"expires_at": "2026-01-01T00:00:00+08:00"})
    assert (past.status_code, past.get_json()["errors"][0]["field"]) == (422, "expires_at")
    assert province.finance.post(f"{address}/credits", GRANT | {"priority": 101}).status_code == 422


def test_a_park_sets_its_own_line_of_warning(province: Province) -> None:
    park = province.park(1)
    assert park.post("/wallet/alert", {"below_fen": 10_000}, key="line").get_json()["alert_below_fen"] == 10_000
    assert park.get("/alerts").get_json()["items"] == []
    assert province.finance.post("/wallet/alert", {"below_fen": 1}).status_code == 403
    nothing = "01991bb6-0000-7000-8000-000000000000"
    assert park.post(f"/alerts/{nothing}/acknowledgement").status_code == 404


def test_money_from_the_bank_is_held_for_what_runs_then_spent_or_given_back(province: Province) -> None:
    province.fund()
    park = province.park(1)
    me = park.get("/me").get_json()["park"]
    address = f"/parks/{me['id']}/wallet"

    def wallet() -> tuple[int, int]:
        found = park.get(address).get_json()
        return found["available_fen"], found["held_fen"]

    receipt = f"交易日期,交易流水号,贷方金额,对方户名,摘要\n2026-03-01,B1,6000.00,园区,{me['payment_reference']}\n"
    for _ in range(2):
        taken = province.finance.post("/bank-statements?name=m.csv", data=receipt.encode(), content_type="text/csv")
        assert (taken.status_code, wallet()) == (201, (600_000, 0)), taken.text
    assert park.post("/wallet/alert", {"below_fen": 590_000}).status_code == 200
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    price = quote["payable_fen"]
    order = park.post("/orders", {"quote_id": quote["id"], "payment_method": "wallet"}).get_json()
    assert wallet() == (600_000 - price, price), "held while it runs"
    (told,) = park.get("/alerts").get_json()["items"]
    assert (told["kind"], told["detail"]) == ("wallet.low", {"available_fen": 600_000 - price, "below_fen": 590_000})
    assert park.post(f"/alerts/{told['id']}/acknowledgement").status_code == 204
    assert park.get("/alerts").get_json()["items"] == []
    for _ in range(2):
        park.post(f"/orders/{order['id']}/cancel", key="cancel")
        assert wallet() == (600_000, 0), "given back, once"

    delivered, _ = sold_inspection(province, park, payment_method="wallet")
    spent = park.get(f"/orders/{delivered}").get_json()["payable_fen"]
    assert wallet() == (600_000 - spent, 0), "captured when it was delivered"
    kinds = [each["kind"] for each in park.get(address).get_json()["entries"]]
    assert kinds == ["capture", "hold", "release", "hold", "top_up"]
    poor = province.park(2)
    quote = poor.post("/quotes", {"lines": [LEADS]}).get_json()
    refused = poor.post("/orders", {"quote_id": quote["id"], "payment_method": "wallet"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "wallet.insufficient")
