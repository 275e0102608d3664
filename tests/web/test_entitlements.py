"""Awards that come after the delivery, through pages: the list, the form with its files, one word for what is found."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from uuid import UUID

import pytest

from tests.support.later_awards import send_back
from tests.support.later_deliveries import deliver, later_programme, pay
from tests.support.province import Province
from tests.support.visitor import Visitor, form_value

Enter = Callable[[str], Visitor]
KINDS = ("contract", "invoice", "payment_proof")


@pytest.fixture
def park(province: Province, signed_in: Enter) -> Visitor:
    """The administrator of a park with one paid delivery."""
    province.fund()
    later_programme(province, "reimburse")
    later_programme(province, "auto", 1000)
    caller = province.park(1)
    deliver(province, caller)
    pay(province)
    return signed_in("admin1")


def address(province: Province, mode: str) -> str:
    """Return the page of the only award of a mode."""
    (found,) = province.officer.get(f"/entitlements?mode={mode}").get_json()["items"]
    return f"/entitlements/{found['id']}"


def files(mark: str = "") -> dict[str, tuple[BytesIO, str, str]]:
    return {kind: (BytesIO(f"%PDF {kind}{mark}".encode()), f"{kind}.pdf", "application/pdf") for kind in KINDS}


def test_a_park_claims_with_its_files_and_completes_what_was_sent_back(province: Province, park: Visitor) -> None:
    listed = park.get("/entitlements").text
    for part in ("政策reimburse", "可办理", "¥2,000.00", "2026-08-29"):
        assert part in listed
    page = park.get(address(province, "reimburse"))
    form = {"amount_fen": form_value(page, "amount_fen")}
    lacking = park.post(f"{address(province, 'reimburse')}/claim", form | {"contract": files()["contract"]})
    assert lacking.status_code == 422
    assert "请上传付款凭证" in lacking.text
    done = park.follow(park.post(f"{address(province, 'reimburse')}/claim", form | files()))
    assert "审核中" in done.text
    assert "SHA-256" in done.text
    entitlement_id = UUID(address(province, "reimburse").rsplit("/", 1)[1])
    send_back(province, entitlement_id, "发票抬头不符")
    returned = park.get(address(province, "reimburse"))
    assert "原因：发票抬头不符" in returned.text
    again = park.post(f"{address(province, 'reimburse')}/claim", form | files("2"))
    assert "审核中" in park.follow(again).text


def test_what_the_platform_found_stands_on_the_home_page_and_takes_one_word(province: Province, park: Visitor) -> None:
    home = park.get("/")
    assert "可从“政策auto”领取 ¥1,000.00" in home.text
    entitlement_id = address(province, "auto").rsplit("/", 1)[1]
    amount = form_value(home, f"amount-{entitlement_id}")
    done = park.follow(park.post("/entitlements/confirmation", {f"amount-{entitlement_id}": amount}))
    assert "审核中" in done.text
    assert "免申即享：平台查到" not in park.get("/").text
    refused = park.post("/entitlements/confirmation", {f"amount-{entitlement_id}": amount})
    assert refused.status_code == 409
    assert "已经申领" in refused.text


def test_an_award_is_given_up_and_staff_look_without_buttons(
    province: Province, park: Visitor, signed_in: Enter
) -> None:
    officer = signed_in("officer")
    listed = officer.get("/entitlements?status=offered&mode=auto&programme=auto").text
    assert "政策auto" in listed
    assert "政策reimburse" not in listed
    seen = officer.get(address(province, "auto")).text
    assert "确认领取" not in seen
    assert "放弃本项补贴" not in seen
    assert "确认领取 ¥1,000.00" in park.get(address(province, "auto")).text
    gone = park.follow(park.post(f"{address(province, 'auto')}/withdrawal"))
    assert "已放弃" in gone.text
    assert "Given up" in park.get(f"{address(province, 'auto')}?lang=en").text
