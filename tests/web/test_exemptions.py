"""Case-by-case decisions on the pages: the officer's form, two approvers, and what a park reads of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from marketplace.demo import world
from tests.support.province import LEADS, Province
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]


def typed(park_id: str) -> dict[str, Any]:
    return {
        "park_id": park_id,
        "programme": world.PROGRAMME,
        "offering": "",
        "rate": "90",
        "cap_entity_year": "1,000,000",
        "lift_controller_year": "1",
        "facts": "park_size",
        "window": "2027-12-31",
        "limit": "50,000.00",
        "order_limit": "3",
        "expires": "2026-12-31",
        "document_no": "豫科〔2026〕9号",
        "reason": "省级重大项目",
        "evidence": (io.BytesIO(b"%PDF-1.7 decision"), "批复.pdf"),
    }


def send(visitor: Visitor, of_park: str, **changes: Any) -> Any:
    return visitor.post("/exemptions", typed(of_park) | changes, content_type="multipart/form-data")


def assert_exported(officer: Visitor, park: Caller, other: Caller) -> None:
    (row,) = csv.DictReader(io.StringIO(officer.get("/exemptions/file.csv").data.decode("utf-8-sig")))
    assert (row["文号"], row["补贴总额（元）"]) == ("豫科〔2026〕9号", "50000.00")
    assert row["订单"]
    assert row["承诺（元）"] == row["已用（元）"] > "0"
    assert park.get("/exemptions/file?format=xlsx").data.startswith(b"PK")
    assert "豫科〔2026〕9号" not in other.get("/exemptions/file").data.decode("utf-8-sig")


def test_a_decision_from_the_form_to_the_order(province: Province, signed_in: Enter) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    park_id = park.get("/me").get_json()["park"]["id"]
    officer, approver, second = signed_in("officer"), signed_in("approver"), signed_in("approver2")
    admin = signed_in("admin1")
    assert "提交批复" in officer.get("/exemptions").text
    assert f'value="{park_id}" selected' in officer.get(f"/exemptions/new?park_id={park_id}").text
    for field, value in (
        ("rate", "much"), ("limit", ""), ("expires", "2026-13-01"), ("order_limit", "x"), ("document_no", ""),
        ("park_id", ""), ("programme", "none"), ("rate", "100.01"), ("expires", "2026-01-01"), ("evidence", ""),
    ):  # fmt: skip
        refused = send(officer, park_id, **{field: value})
        assert refused.status_code == 422, field
        assert f'id="e-{field}"' in refused.text, field
        assert "省级重大项目" in refused.text
    made = officer.follow(send(officer, park_id))
    address = made.request.path
    for said in (
        "补贴比例改为 90%",
        "园区规模",
        "本园区年度补贴上限改为 ¥1,000,000.00",
        "2027-12-31",
        "2026-12-31",
        "待一审",
    ):
        assert said in made.text, said
    assert f'action="{address}/approval"' not in made.text

    assert f'action="{address}/approval"' in approver.get(address).text
    assert "待二审" in approver.follow(approver.post(f"{address}/approval")).text
    assert approver.post(f"{address}/approval").status_code == 409
    second.get(address)
    assert "已生效" in second.follow(second.post(f"{address}/approval")).text
    assert approver.get(f"{address}/evidence").data == b"%PDF-1.7 decision"

    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    priced = admin.get(f"/quotes/{quote['id']}").text
    assert address in priced
    assert "一事一议" in priced
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    assert "豫科〔2026〕9号" in admin.get(f"/orders/{order['id']}").text
    mine = admin.get(address).text
    assert order["number"] in mine
    assert "officer" not in mine, "a park reads the office's decision, not who in the office made it"
    assert f'action="{address}/revocation"' not in mine
    assert_exported(officer, park, other)
    told = province.officer.get("/statistics?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z").get_json()["total"]
    assert told["exempted_fen"] == told["granted_fen"] == order["subsidy_fen"] > 0
    assert "按一事一议批准" in officer.get("/dashboard?from=2026-01-01&to=2026-12-31").text
    assert "豫科〔2026〕9号" in admin.get("/exemptions").text
    assert "豫科〔2026〕9号" not in signed_in("admin2").get("/exemptions").text
    assert signed_in("admin2").get(address).status_code == 404
    assert admin.get("/exemptions/new").status_code == 403
    assert other.get("/exemptions").get_json()["items"] == []

    approver.get(address)
    assert approver.post(f"{address}/revocation", {"reason": ""}).status_code == 422
    revoked = approver.follow(approver.post(f"{address}/revocation", {"reason": "项目终止"}))
    assert "已撤销" in revoked.text
    assert "项目终止" in revoked.text


def test_the_pages_speak_english(province: Province, signed_in: Enter) -> None:
    province.fund()
    park_id = province.park(1).get("/me").get_json()["park"]["id"]
    officer = signed_in("officer")
    officer.get("/exemptions/new")
    address = send(officer, park_id).headers["Location"]
    officer.language = "en"
    officer.get("/language/en")
    page = officer.get(address).text
    for said in ("The rate becomes 90%", "Waits for the first approver", "Case-by-case"):
        assert said in page, said
