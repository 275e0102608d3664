"""Credit notes through HTTP: issued once for a key, by two above the limit, and read by the park as document."""

from __future__ import annotations

from marketplace.usecases import invariants
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import Role
from tests.support.parks import colleague
from tests.support.province import Province
from tests.support.sales import sold_inspection

WHY = {"cause": "returned", "reason": "报告无法使用", "agreement": "实验室来函 3 号"}


def test_a_credit_note_is_issued_by_one_or_two_and_read_by_the_park(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    order, line = sold_inspection(province, park)
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    wish = WHY | {"invoice_id": row["id"], "lines": [{"line": 1, "amount_fen": 10_000}]}
    for refused in (park, province.officer, province.operator, province.lab):
        assert refused.post("/credit-notes", wish).status_code == 403
    wrong = province.finance.post("/credit-notes", wish | {"lines": [{"line": 1, "amount_fen": 60_001}]})
    assert (wrong.status_code, wrong.get_json()["errors"][0]["field"]) == (422, "lines[1].amount_fen")
    first = province.finance.post("/credit-notes", wish, key="one")
    assert first.status_code == 201, first.text
    note = first.get_json()
    assert province.finance.post("/credit-notes", wish, key="one").get_json() == note
    assert (note["status"], note["number"]) == ("issued", "PTM-CN-2026-000001")
    assert note["park_fen"] + note["public_fen"] == note["amount_fen"] == 10_000
    assert note["lines"][0]["withdrawn_fen"] == note["public_fen"]

    limit = {"grace_days": 3, "alone_up_to_fen": 20_000}
    assert province.operator.post("/invoice-settings", limit).status_code == 200
    by_order = province.finance.post(f"/orders/{order}/lines/{line}/return", WHY | {"amount_fen": 20_001})
    assert (by_order.status_code, by_order.get_json()["code"]) == (409, "return.two_people")
    large = province.finance.post("/credit-notes", wish | {"lines": [{"line": 1}]}).get_json()
    assert (large["status"], large["by_two"], large["amount_fen"]) == ("asked", True, 50_000)
    own = province.finance.post(f"/credit-notes/{large['id']}/approval")
    assert (own.status_code, own.get_json()["code"]) == (409, "credit_note.same_person")
    second = province.caller(colleague(province.workshop, "finance", Role.FINANCE))
    issued = second.post(f"/credit-notes/{large['id']}/approval").get_json()
    assert (issued["status"], issued["number"]) == ("issued", "PTM-CN-2026-000002")
    assert second.post(f"/credit-notes/{large['id']}/refusal").status_code == 409

    items = park.get("/credit-notes").get_json()["items"]
    assert [each["number"] for each in items] == ["PTM-CN-2026-000002", "PTM-CN-2026-000001"]
    assert park.get(f"/credit-notes/{note['id']}.pdf").data.startswith(b"%PDF")
    assert other.get("/credit-notes").get_json()["items"] == []
    for address in (f"/credit-notes/{note['id']}", f"/credit-notes/{note['id']}.pdf"):
        assert other.get(address).status_code == 404
    assert park.get(f"/invoices/{row['id']}").get_json()["status"] == "paid"
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()
