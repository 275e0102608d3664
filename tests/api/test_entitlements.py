"""Awards that come after the delivery, through HTTP: claimed with files, confirmed, given up, and nobody else's."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from tests.support.later_deliveries import deliver, later_programme, pay
from tests.support.province import YUAN, Province
from tests.support.web import Caller

KINDS = ("contract", "invoice", "payment_proof")


@pytest.fixture
def park(province: Province) -> Caller:
    """A park with one paid delivery, of which 2,000 yuan can be claimed and 1,000 confirmed."""
    province.fund()
    later_programme(province, "reimburse")
    later_programme(province, "auto", 1000)
    park = province.park(1)
    deliver(province, park)
    assert {each["state"] for each in park.get("/entitlements").get_json()["items"]} == {"waiting"}
    pay(province)
    return park


def by_mode(park: Caller) -> dict[str, dict[str, Any]]:
    return {each["mode"]: each for each in park.get("/entitlements").get_json()["items"]}


def files(mark: str) -> dict[str, tuple[BytesIO, str, str]]:
    return {kind: (BytesIO(f"%PDF {kind} {mark}".encode()), f"{kind}.pdf", "application/pdf") for kind in KINDS}


def test_a_claim_brings_its_files_in_a_form_and_is_made_once_per_key(province: Province, park: Caller) -> None:
    offered = by_mode(park)["reimburse"]
    assert (offered["state"], offered["grantable_fen"], offered["rate_bp"]) == ("open", 2_000 * YUAN, 2000)
    path = f"/entitlements/{offered['id']}/claim"
    wrong = park.post(path, data={"amount_fen": "200000", "contract": files("1")["contract"]})
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "entitlement.documents_missing")
    assert [each["field"] for each in wrong.get_json()["errors"]] == ["invoice", "payment_proof"]
    unread = park.post(path, data={"amount_fen": "2,000", **files("1")})
    assert [each["field"] for each in unread.get_json()["errors"]] == ["amount_fen"]
    first = park.post(path, data={"amount_fen": "200000", **files("1")}, key="claim-1")
    assert first.status_code == 200, first.text
    assert (first.get_json()["state"], first.get_json()["granted_fen"]) == ("claimed", 2_000 * YUAN)
    again = park.post(path, data={"amount_fen": "200000", **files("1")}, key="claim-1")
    assert again.get_json() == first.get_json()
    other = park.post(path, data={"amount_fen": "200000", **files("2")}, key="claim-1")
    assert other.status_code == 409
    later = park.post(f"/entitlements/{offered['id']}/withdrawal")
    assert (later.status_code, later.get_json()["code"]) == (409, "entitlement.in_review")


def test_a_claim_names_files_that_were_kept_before(park: Caller) -> None:
    offered = by_mode(park)["reimburse"]
    kept = {}
    for kind in KINDS:
        answer = park.post(
            f"/entitlements/{offered['id']}/documents?name={kind}.pdf",
            data=kind.encode(),
            content_type="application/pdf",
        )
        assert answer.status_code == 201, answer.text
        kept[kind] = answer.get_json()["id"]
    path = f"/entitlements/{offered['id']}/claim"
    lacking = park.post(path, {"amount_fen": 200_000, "documents": {"contract": kept["contract"]}})
    assert lacking.status_code == 422
    assert {each["field"] for each in lacking.get_json()["errors"]} == {"documents.invoice", "documents.payment_proof"}
    stale = park.post(path, {"amount_fen": 199_999, "documents": kept})
    assert (stale.status_code, stale.get_json()["code"]) == (409, "entitlement.amount_changed")
    granted = park.post(path, {"amount_fen": 200_000, "documents": kept})
    assert granted.status_code == 200, granted.text
    assert {each["kind"]: each["evidence_id"] for each in granted.get_json()["documents"]} == kept


def test_an_automatic_award_is_confirmed_or_given_up(province: Province, park: Caller) -> None:
    found = by_mode(park)["auto"]
    confirmed = park.post(
        f"/entitlements/{found['id']}/confirmation", {"amount_fen": found["grantable_fen"]}, key="yes"
    )
    assert (confirmed.status_code, confirmed.get_json()["state"]) == (200, "claimed")
    assert confirmed.get_json()["documents"] == []
    claimed = by_mode(park)["reimburse"]
    given_up = park.post(f"/entitlements/{claimed['id']}/withdrawal")
    assert (given_up.status_code, given_up.get_json()["state"]) == (200, "withdrawn")
    assert [each["mode"] for each in park.get("/entitlements?status=claimed").get_json()["items"]] == ["auto"]


def test_staff_read_all_and_another_park_nothing(province: Province, park: Caller) -> None:
    stranger = province.park(2)
    own = by_mode(park)
    assert stranger.get("/entitlements").get_json()["items"] == []
    for mode, each in own.items():
        path = f"/entitlements/{each['id']}"
        assert stranger.get(path).status_code == 404
        step = "claim" if mode == "reimburse" else "confirmation"
        body: Any = {"amount_fen": each["grantable_fen"]}
        if mode == "reimburse":
            body["documents"] = dict.fromkeys(KINDS, each["id"])
        assert stranger.post(f"{path}/{step}", body).status_code == 404
        assert stranger.post(f"{path}/withdrawal").status_code == 404
        assert province.officer.post(f"{path}/withdrawal").status_code == 403
    seen = province.officer.get("/entitlements?limit=1").get_json()
    assert len(seen["items"]) == 1
    rest = province.officer.get(f"/entitlements?limit=1&cursor={seen['next_cursor']}").get_json()
    assert {seen["items"][0]["id"], rest["items"][0]["id"]} == {each["id"] for each in own.values()}
    assert province.lab.get("/entitlements").status_code == 403
