"""A park's credit through HTTP: granted by finance, warned about, read by nobody else."""

from __future__ import annotations

from tests.support.province import Province

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
