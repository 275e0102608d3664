"""Case-by-case decisions through the API: written, approved by two, priced, ordered, traced and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from marketplace.demo import world
from tests.support.province import LEADS, YUAN, Province, in_hours
from tests.support.web import Caller

DECISION = b"%PDF-1.7 decision"


def wish(province: Province, park: Caller, **changes: Any) -> dict[str, Any]:
    """Keep the document and return a decision that gives 90 % of leads."""
    park_id = park.get("/me").get_json()["park"]["id"]
    kept = province.officer.post(
        f"/exemptions/evidence?park_id={park_id}&name=批复.pdf", data=DECISION, content_type="application/pdf"
    )
    assert kept.status_code == 201, kept.text
    return {
        "park_id": park_id,
        "programme": world.PROGRAMME,
        "offering": "ai-leads",
        "terms": {"rate_bp": 9000},
        "limit_fen": 1_000_000 * YUAN,
        "document_no": "豫科〔2026〕9号",
        "evidence_id": kept.get_json()["id"],
        "reason": "省级重大项目",
        "expires_at": in_hours(province.workshop, 24),
        **changes,
    }


def granted(province: Province, park: Caller, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = province.officer.post("/exemptions", wish(province, park, **changes)).get_json()
    for approver in (province.approver, province.approver2):
        answer = approver.post(f"/exemptions/{made['id']}/approval")
        assert answer.status_code == 200, answer.text
    found: dict[str, Any] = province.officer.get(f"/exemptions/{made['id']}").get_json()
    return found


def test_a_decision_on_its_way(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    ordinary = park.post("/quotes", {"lines": [LEADS]}).get_json()
    asked = wish(province, park)
    made = province.officer.post("/exemptions", asked, key="once")
    assert made.status_code == 201, made.text
    decision = made.get_json()
    assert province.officer.post("/exemptions", asked, key="once").get_json() == decision
    assert province.officer.post("/exemptions", asked).status_code == 409
    path = f"/exemptions/{decision['id']}"
    assert (decision["state"], province.officer.post(f"{path}/approval").status_code) == ("submitted", 403)
    assert province.finance.post(f"{path}/approval").status_code == 403
    assert province.approver.post(f"{path}/approval").get_json()["state"] == "first_approved"
    again = province.approver.post(f"{path}/approval")
    assert (again.status_code, again.get_json()["code"]) == (409, "exemption.same_person")
    assert province.approver2.post(f"{path}/approval").get_json()["state"] == "in_force"

    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    award = quote["lines"][0]["awards"][0]
    assert quote["subsidy_fen"] == quote["gross_fen"] * 9 // 10 > ordinary["subsidy_fen"]
    assert award["exemption"] == {"id": decision["id"], "document_no": "豫科〔2026〕9号", "limit_fen": 1_000_000 * YUAN}
    assert "EXEMPTION" in award["reasons"]
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    assert order["lines"][0]["awards"][0]["exemption"]["document_no"] == "豫科〔2026〕9号"
    for reader in (park, province.officer, province.finance):
        found = reader.get(path).get_json()
        assert (found["used_fen"], found["orders"]) == (quote["subsidy_fen"], 1)
        assert [(line["order_number"], line["held_fen"]) for line in found["lines"]] == [
            (order["number"], quote["subsidy_fen"])
        ]
        assert reader.get(f"{path}/evidence").data == DECISION
    assert park.post(f"/orders/{order['id']}/cancel").status_code == 200
    assert park.get(path).get_json()["used_fen"] == 0

    assert [each["id"] for each in park.get("/exemptions").get_json()["items"]] == [decision["id"]]
    assert other.get("/exemptions").get_json()["items"] == []
    for hidden in (path, f"{path}/evidence"):
        assert other.get(hidden).status_code == 404
    assert other.post("/quotes", {"lines": [LEADS]}).get_json()["subsidy_fen"] == ordinary["subsidy_fen"]
    assert province.nobody.get("/exemptions").status_code == 401
    assert province.lab.get("/exemptions").status_code == 403

    assert province.approver.post(f"{path}/revocation", {"reason": ""}).status_code == 422
    ended = province.approver.post(f"{path}/revocation", {"reason": "项目终止"}).get_json()
    assert (ended["state"], ended["revoked_reason"]) == ("revoked", "项目终止")
    assert park.post("/quotes", {"lines": [LEADS]}).get_json()["subsidy_fen"] == ordinary["subsidy_fen"]


def test_what_is_wrong_is_told_by_field(province: Province) -> None:
    province.fund()
    park = province.park(1)
    good = wish(province, park)
    assert park.post("/exemptions", good).status_code == 403
    wrong = province.officer.post("/exemptions", good | {"programme": "none", "offering": "none", "terms": {}})
    assert wrong.status_code == 422
    assert {error["field"] for error in wrong.get_json()["errors"]} == {"programme", "offering", "terms.rate_bp"}
    for terms in ({"ceilings": {"fund_year": None}}, {"rate_bp": 10_001}, {"other": 1}):
        assert province.officer.post("/exemptions", good | {"terms": terms}).status_code == 422
    past = (province.workshop.clock.now() - timedelta(hours=1)).isoformat()
    late = province.officer.post("/exemptions", good | {"expires_at": past})
    assert [error["field"] for error in late.get_json()["errors"]] == ["expires_at"]
    stranger = province.officer.post("/exemptions", good | {"evidence_id": good["park_id"]})
    assert [error["field"] for error in stranger.get_json()["errors"]] == ["evidence_id"]


def test_a_limit_that_runs_out_gives_the_rest_or_the_usual_terms(province: Province) -> None:
    province.fund()
    park = province.park(1)
    usual = park.post("/quotes", {"lines": [LEADS]}).get_json()["subsidy_fen"]
    made = granted(province, park, limit_fen=usual + 1)
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    assert quote["subsidy_fen"] == usual + 1
    assert {"EXEMPTION", "CAP_EXEMPTION"} <= set(quote["lines"][0]["awards"][0]["reasons"])
    assert park.post("/orders", {"quote_id": quote["id"]}).status_code == 201
    assert park.get(f"/exemptions/{made['id']}").get_json()["state"] == "used_up"
    assert park.post("/quotes", {"lines": [LEADS]}).get_json()["subsidy_fen"] == usual
