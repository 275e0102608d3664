"""The provider's pages of its instruments."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
TERMS = {
    "opens": "9", "closes": "17", "slot_minutes": "60", "units": "2", "min_slots": "1", "max_slots": "8",
    "before_minutes": "0", "after_minutes": "30", "min_notice_minutes": "0", "max_notice_days": "90", "methods": "GB/T 1",
    "name": "扫描电子显微镜", "facility": "材料中心", "location": "科技路 1 号", "region_code": "410311",
    "standards": "GB/T 27788\nISO 16700", "sample_kinds": "金属断口",
}  # fmt: skip


def test_a_provider_keeps_terms_and_maintenance(province: Province, signed_in: Enter) -> None:
    address = f"/instruments/{province.instrument}"
    lab = signed_in("lab")
    assert address in lab.get("/instruments").text
    lab.get(address)
    assert lab.post(address, TERMS).status_code == 303
    refused = lab.post(address, TERMS | {"units": "x"})
    assert refused.status_code == 422
    assert "请填写整数" in refused.text
    unknown = lab.post(address, TERMS | {"private": "1", "parks": "91510104MA00000000"})
    assert "没有使用该统一社会信用代码的园区" in unknown.text
    down = {"starts_at": "2026-03-03T09:00", "ends_at": "2026-03-03T12:00", "unit": "2", "reason": "校准"}
    assert lab.post(f"{address}/maintenance", down).status_code == 303
    assert "校准" in lab.get(address).text
    again = lab.post(f"{address}/maintenance", down)
    assert (again.status_code, "已有其他维护安排" in again.text) == (409, True)
    found = province.lab.get(address).get_json()
    assert (found["units"], found["after_minutes"], found["max_notice_days"]) == (2, 30, 90)


def test_a_provider_adds_an_instrument_and_every_change_is_kept(province: Province, signed_in: Enter) -> None:
    lab = signed_in("lab")
    assert "/instruments/new" in lab.get("/instruments").text
    assert "shared-inspection" in lab.get("/instruments/new").text
    wrong = lab.post("/instruments/new", TERMS | {"offering": "shared-inspection", "name": "", "region_code": "41"})
    assert (wrong.status_code, "须为六位行政区划代码" in wrong.text, "须为 1 至 200 个字符" in wrong.text) == (
        422,
        True,
        True,
    )
    foreign = lab.post("/instruments/new", TERMS | {"offering": "ai-leads"})
    assert "只有检验检测类服务可以登记仪器" in foreign.text
    made = lab.post("/instruments/new", TERMS | {"offering": "shared-inspection", "name": "硬度计"})
    page = lab.follow(made).text
    assert ("硬度计" in page, "初次登记" in page) == (True, True)
    address = made.headers["Location"]
    assert (
        lab.post(address, TERMS | {"name": "硬度计 HB-3", "standards": "GB/T 231.1", "units": "3"}).status_code == 303
    )
    assert (
        lab.post(address, TERMS | {"name": "硬度计 HB-3", "standards": "GB/T 231.1", "units": "3"}).status_code == 303
    )
    found = province.lab.get(f"{address}/versions").get_json()["items"]
    assert [(each["version"], each["changed"]) for each in found] == [(2, ["name", "standards", "units"]), (1, [])]
    assert found[0]["changed_by"]
    caller, park = province.park(1), signed_in("admin1")
    about = park.get(f"{address}/about").text
    assert all(each in about for each in ("硬度计 HB-3", "材料中心", "GB/T 231.1", "金属断口", "科技路 1 号"))
    assert park.get(address).status_code == 403
    assert caller.get(f"{address}/versions").status_code == 403


def test_nobody_else_opens_them(province: Province, signed_in: Enter) -> None:
    operator = signed_in("operator")
    assert operator.get("/instruments").status_code == 403
    assert operator.get(f"/instruments/{province.instrument}").status_code == 403
