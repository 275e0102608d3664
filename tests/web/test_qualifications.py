"""The pages of qualifications for both sides, and where a park meets them before it books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import BytesIO

from billing.usecases import alerts
from marketplace.usecases import qualifications as telling
from services.usecases import booking_series, qualification_decisions, qualifications
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import Role
from tests.support.parks import colleague, person
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.web.test_instruments import TERMS

Enter = Callable[[str], Visitor]
NEEDED = TERMS | {"qualification": "上机培训证", "training": "每月第一个周一培训。"}
PAGE = "/qualifications"


def needed(province: Province, lab: Visitor) -> str:
    """Let the instrument ask for a qualification and return where a park asks for it."""
    address = f"/instruments/{province.instrument}"
    lab.get(address)
    assert lab.post(address, TERMS).status_code == 303
    assert "请说明使用人如何取得该资质" in lab.post(address, NEEDED | {"training": ""}).text
    assert lab.post(address, NEEDED).status_code == 303
    assert "所需资质、培训方式" in lab.get(address).text, "what this version changed"
    return f"{PAGE}/instruments/{province.instrument}"


def test_a_person_asks_and_the_provider_decides_and_revokes(province: Province, signed_in: Enter) -> None:
    province.fund()
    lab = signed_in("lab")
    address = needed(province, lab)
    province.park(1)
    park = signed_in("admin1")
    for path in ("/slots", "/rent/shared-inspection?week=2026-03-03", f"/instruments/{province.instrument}/about"):
        page = park.get(path).text
        assert "需要资质：上机培训证" in page, path
        assert "未申请" in page, path
    assert "每月第一个周一培训" in park.get(PAGE).text
    blank = park.post(address, {"evidence": " "})
    assert (blank.status_code, "请用 1 至 2000 个字说明培训情况" in blank.text) == (422, True)
    park.get(PAGE)
    sent = park.post(address, {"evidence": "证书 2026-01", "file": (BytesIO(b"%PDF"), "证书.pdf")})
    page = park.follow(sent).text
    assert "审核中" in page
    with province.workshop.work(person(province.workshop, "admin1")) as work:
        (asked,) = qualifications.list_requests(work).items
    decision = f"{PAGE}/{asked.id}/decision"
    page = lab.get(PAGE).text
    assert ("证书 2026-01" in page, decision in page) == (True, True)
    assert lab.get(f"{PAGE}/{asked.id}/evidence").data == b"%PDF"
    assert "请填写日期" in lab.post(decision, {"action": "grant", "valid_until": "x"}).text
    assert "请用 1 至 500 个字说明原因" in lab.post(decision, {"action": "decline"}).text
    assert lab.post(decision, {"action": "grant", "valid_until": "2026-12-31", "reason": ""}).status_code == 303
    assert "至 2026-12-31" in park.get(PAGE).text
    tell(province, asked)
    assert "授予您“上机培训证”" in park.get("/").text
    slot = f"{province.instrument}@2026-03-03T09:00:00+08:00"
    priced = park.post("/rent/shared-inspection", {"slot": slot, "slots": "1", "purpose": "断口分析"})
    assert priced.status_code == 303, priced.text
    assert park.post(priced.headers["Location"], {"payment_method": "invoice"}).status_code == 303
    assert "资质无效的预约" not in lab.get(PAGE).text
    revocation = f"{PAGE}/{asked.id}/revocation"
    assert "请用 1 至 500 个字说明原因" in lab.post(revocation, {"reason": ""}).text
    assert lab.post(revocation, {"reason": "违规操作"}).status_code == 303
    assert "资质无效的预约" in lab.get(PAGE).text
    assert "使用人当天没有有效的资质" in lab.get("/bookings").text
    page = park.get(PAGE).text
    assert ("已撤销" in page, "违规操作" in page) == (True, True)
    later = f"{province.instrument}@2026-03-03T11:00:00+08:00"
    refused = park.post("/rent/shared-inspection", {"slot": later, "slots": "1", "purpose": "断口分析"})
    assert (refused.status_code, "使用人的资质已被撤销" in refused.text) == (409, True)


def test_an_administrator_books_again_and_again_for_a_qualified_colleague(province: Province, signed_in: Enter) -> None:
    province.fund()
    needed(province, signed_in("lab"))
    province.park(1)
    member = person(province.workshop, colleague(province.workshop, "admin1", Role.PARK_MEMBER))
    with province.workshop.work(member) as work:
        asked = qualifications.ask(work, instrument_id=province.instrument, evidence="已培训")
    with province.workshop.work(person(province.workshop, "lab")) as work:
        qualification_decisions.grant(work, request_id=asked.id, until=date(2026, 12, 31))
    admin = signed_in("admin1")
    assert f'value="{member.user_id}"' in admin.get("/rent/shared-inspection?week=2026-03-03").text
    slot = f"{province.instrument}@2026-03-03T09:00:00+08:00"
    wish = {"slot": slot, "slots": "1", "purpose": "断口分析", "count": "2", "every": "1", "unit": "week"}
    refused = admin.post("/rent/shared-inspection/series", wish)
    assert "使用人尚未申请" in refused.text
    named = wish | {"responsible_id": str(member.user_id)}
    seen = admin.post("/rent/shared-inspection/series", named).text
    assert ("使用人尚未申请" in seen, f'<option value="{member.user_id}" selected>' in seen) == (False, True)
    priced = admin.post("/rent/shared-inspection/series/ask", named | {"choice": "all"})
    assert priced.status_code == 303, priced.text
    assert admin.post(priced.headers["Location"], {"payment_method": "invoice"}).status_code == 303
    with province.workshop.work(person(province.workshop, "admin1")) as work:
        (series,) = booking_series.list_series(work)
    assert {each.responsible_id for each in series.bookings} == {member.user_id}


def test_who_may_not_ask_is_shown_no_way_to_it(province: Province, signed_in: Enter) -> None:
    needed(province, signed_in("lab"))
    province.park(1)
    finance = signed_in(colleague(province.workshop, "admin1", Role.PARK_FINANCE))
    page = finance.get(f"/instruments/{province.instrument}/about").text
    assert ("需要资质：上机培训证" in page, f'href="{PAGE}' in page) == (True, False)
    assert finance.get(PAGE).status_code == 403


def test_a_notice_is_for_the_person_alone_and_only_the_two_sides_open_the_page(
    province: Province, signed_in: Enter
) -> None:
    lab = signed_in("lab")
    address = needed(province, lab)
    province.park(1)
    member = signed_in(colleague(province.workshop, "admin1", Role.PARK_MEMBER))
    member.get(PAGE)
    assert member.post(address, {"evidence": "已培训"}).status_code == 303
    with province.workshop.work(person(province.workshop, "admin1")) as work:
        (asked,) = qualifications.list_requests(work).items
    lab.get(PAGE)
    lab.post(f"{PAGE}/{asked.id}/decision", {"action": "decline", "reason": "记录不全"})
    tell(province, asked)
    tell(province, asked)
    assert "未通过您的“上机培训证”申请。原因：记录不全" in member.get("/").text
    admin = signed_in("admin1")
    assert "未通过您的" not in admin.get("/").text
    with province.workshop.work(person(province.workshop, "admin12")) as work:
        (told,) = alerts.list_alerts(work)
    assert admin.post(f"/alerts/{told.id}/acknowledge").status_code == 404
    assert signed_in("operator").get(PAGE).status_code == 403


def tell(province: Province, asked: qualifications.QualificationView) -> None:
    """Do what the worker does with the event of a decision."""
    with province.workshop.work(system_actor("worker", tenant_id=asked.park_id)) as work:
        telling.tell_decided(work, request_id=asked.id)
