"""What a centre is owed, on its page: finance records a transfer and takes it back, parties read, strangers see nothing."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.test_joint_centre_payments import closed
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def test_a_transfer_is_recorded_and_taken_back_on_the_page(province: Province, signed_in: Enter) -> None:
    _parks, path, _settled = closed(province)
    province.park(4)
    page = path.replace("/joint-agreements", "/joint/agreements") + "/centre"
    finance, park, stranger = signed_in("finance"), signed_in("admin2"), signed_in("admin4")
    assert f'href="{page}"' in park.get(page.removesuffix("/centre")).text
    assert f'href="{page}"' in park.get(page.replace("/centre", "/year-end")).text
    assert "出资额在建设时" in park.get(page.removesuffix("/centre")).text
    seen = park.get(page).text
    assert "¥2,940,000.00" in seen
    assert "登记付款" not in seen
    transfer = {"amount": "1,000,000", "reference": "豫财共建付 1 号", "paid_on": "2026-03-02"}
    assert park.post(page, transfer).status_code == 403
    wrong = finance.post(page, transfer | {"amount": "9,999,999"})
    assert (wrong.status_code, "不超过应付的 2,940,000.00 元" in wrong.text) == (422, True), wrong.text
    assert finance.post(page, transfer | {"paid_on": "昨天"}).status_code == 422
    assert finance.post(page, transfer).status_code == 303
    seen = finance.get(page).text
    assert "¥1,940,000.00" in seen
    payment = seen.partition('name="payment" value="')[2][:36]
    assert finance.post(page, {"payment": payment, "reason": ""}).status_code == 422
    assert finance.post(page, {"payment": payment, "reason": "付错账户"}).status_code == 303
    assert "付错账户" in park.get(page).text
    assert stranger.get(page).status_code == 404
    park.get("/language/en")
    assert "Owed to the centre" in park.get(page).text
