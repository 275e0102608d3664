"""The provider's page of quotas, and the park's pages that say what is left."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
QUOTA = {"week_hours": "6", "week_bookings": "", "month_hours": "", "month_bookings": "4", "valid_from": ""}


def test_a_quota_is_set_on_a_page_and_shown_where_slots_are_chosen(province: Province, signed_in: Enter) -> None:
    province.park(1)
    lab, park = signed_in("lab"), signed_in("admin1")
    address = f"/instruments/{province.instrument}/quotas"
    assert address in lab.get(f"/instruments/{province.instrument}").text
    assert "还没有限额" in lab.get(address).text
    assert "请填写整数" in lab.post(address, QUOTA | {"week_hours": "x"}).text
    assert "不限请留空" in lab.post(address, QUOTA | {"week_hours": "0"}).text
    assert "不能追溯" in lab.post(address, QUOTA | {"valid_from": "2020-01-01T08:00"}).text
    assert "剩余" not in park.get("/rent/shared-inspection").text
    assert lab.post(address, QUOTA).status_code == 303
    assert "第 1 版" in lab.get(address).text
    for page in ("/rent/shared-inspection", "/slots"):
        shown = park.get(page).text
        assert "剩余 6 小时（限额 6，已用 0）" in shown, page
        assert "剩余 4 次（限额 4，已用 0）" in shown, page
    assert lab.post(address, dict.fromkeys(QUOTA, "")).status_code == 303
    assert "不限" in lab.get(address).text
    assert "剩余" not in park.get("/rent/shared-inspection").text


def test_nobody_else_opens_the_quotas(province: Province, signed_in: Enter) -> None:
    assert signed_in("operator").get(f"/instruments/{province.instrument}/quotas").status_code == 403
