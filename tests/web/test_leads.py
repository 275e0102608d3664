"""The pages of leads: claiming what was listed, step by step, and companies that want no contact."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import text

from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_uscc
from services.usecases import company_imports
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
CODE = demo_uscc("330100", 1)


@pytest.fixture
def listed(province: Province) -> None:
    """Two parks to whom one company was listed."""
    for place in (1, 2):
        park = UUID(province.park(place).get("/me").get_json()["park"]["id"])
        with province.workshop.work(system_actor("test")) as work:
            row = {"code": CODE, "place": place, "park": park, "now": work.now}
            work.session.execute(text("INSERT INTO lead_places VALUES (:code, :place, :park, :now)"), row)


def test_a_company_is_claimed_moved_on_and_freed(listed: None, signed_in: Enter) -> None:
    one, other = signed_in("admin1"), signed_in("admin2")
    assert "可认领" in one.get("/leads").text
    assert one.post(f"/leads/{CODE}/claim").status_code == 303
    page = one.get("/leads").text
    assert "已认领" in page
    assert "已联系" in page
    assert "已签约" not in page, "not before it was contacted"
    refused = other.post(f"/leads/{CODE}/claim")
    assert refused.status_code == 409
    assert "已被其他园区认领" in refused.text
    assert one.post(f"/leads/{CODE}/stage", {"stage": "nothing"}).status_code == 422
    assert one.post(f"/leads/{CODE}/stage", {"stage": "contacted"}).status_code == 303
    assert "已签约" in one.get("/leads").text
    assert one.post(f"/leads/{CODE}/stage", {"stage": "released"}).status_code == 303
    assert other.post(f"/leads/{CODE}/claim").status_code == 303


def test_an_outcome_is_one_click_and_a_wrong_one_another(listed: None, signed_in: Enter) -> None:
    park = signed_in("admin1")
    assert park.post(f"/leads/{CODE}/outcome", {"outcome": "nothing"}).status_code == 422
    assert park.post(f"/leads/{CODE}/outcome", {"outcome": "lost"}).status_code == 422
    assert park.post(f"/leads/{CODE}/outcome", {"outcome": "signed"}).status_code == 303
    assert park.post(f"/leads/{CODE}/outcome", {"outcome": "lost:price"}).status_code == 303
    page = park.get("/leads").text
    assert "未落地" in page
    told = park.get(f"/leads/{CODE}/outcomes").text
    assert "签约落地" in told
    assert "价格或政策不合" in told
    assert "签约落地" not in signed_in("admin2").get(f"/leads/{CODE}/outcomes").text


def test_an_operator_notes_who_wants_no_contact(listed: None, signed_in: Enter) -> None:
    operator, park = signed_in("operator"), signed_in("admin1")
    assert park.get("/lead-suppressions").status_code == 403
    wrong = operator.post("/lead-suppressions", {"uscc": "1" * 18, "asked_on": "x", "reason": ""})
    assert wrong.status_code == 422
    wish = {"uscc": CODE, "asked_on": "2026-03-01", "reason": "来电要求"}
    assert operator.post("/lead-suppressions", wish).status_code == 303
    assert "来电要求" in operator.get("/lead-suppressions").text
    assert "不再联系" in park.get("/leads").text
    operator.get("/language/en")
    assert "Companies not to be contacted" in operator.get("/lead-suppressions").text


def test_a_number_is_shown_on_the_answer_only_and_not_beyond_the_days(
    province: Province, listed: None, signed_in: Enter
) -> None:
    registry = f"企业名称,统一社会信用代码,行政区划代码,总机\n演示有限公司,{CODE},330100,0600-20000001\n".encode()
    with province.workshop.work(system_actor("test")) as work:
        company_imports.import_at_once(
            work, kind=ImportKind.COMPANIES, name="名录", licence="自有", as_of=work.now.date(), content=registry
        )
    operator, park = signed_in("operator"), signed_in("admin1")
    assert operator.post("/lead-contacts/limit", {"per_day": "1001"}).status_code == 422
    assert operator.post("/lead-contacts/limit", {"per_day": "0"}).status_code == 303
    assert park.post(f"/leads/{CODE}/contact").status_code == 409, "not claimed"
    park.post(f"/leads/{CODE}/claim")
    refused = park.post(f"/leads/{CODE}/contact")
    assert refused.status_code == 409
    assert "今日可显示的 0 个号码已用完" in refused.text
    assert "今日已用完" in park.get("/leads").text
    operator.post("/lead-contacts/limit", {"per_day": "1"})
    shown = park.post(f"/leads/{CODE}/contact")
    assert shown.status_code == 200
    assert "0600-20000001" in shown.text
    again = park.get("/leads").text
    assert "0600-******01" in again
    assert "0600-20000001" not in again
    assert CODE in park.get("/lead-contacts").text
    assert CODE in operator.get("/lead-contacts").text


def test_a_thousand_leads_come_in_pages_and_are_found(province: Province, signed_in: Enter) -> None:
    park = UUID(province.park(1).get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("test")) as work:
        rows = [{"code": demo_uscc("330100", at), "place": 1, "park": park, "now": work.now} for at in range(1000)]
        work.session.execute(text("INSERT INTO lead_places VALUES (:code, :place, :park, :now)"), rows)
    one = signed_in("admin1")
    codes = sorted(str(row["code"]) for row in rows)
    shown = ""
    for page, address in ((1, "/leads"), (2, "/leads?page=2"), (20, "/leads?page=20")):
        shown = one.get(address).text
        assert [code for code in codes if f'id="{code}"' in shown] == codes[50 * page - 50 : 50 * page]
        assert len(shown) < 250_000
    assert "下一页" not in shown
    for odd in ("0", "-1", "x", "99999999", "²"):
        assert one.get(f"/leads?page={odd}").status_code == 200
    found = one.get(f"/leads?q={codes[777]}").text
    assert found.count('<tr id="') == 1
    assert "没有符合条件的线索" in one.get("/leads?q=%25").text, "a sign is a sign"
    answer = one.post(f"/leads/{codes[77]}/outcome?page=2&unrecorded=yes", {"outcome": "signed"})
    assert answer.headers["Location"].endswith(f"/leads?unrecorded=yes&page=2#{codes[77]}")
    assert f'id="{codes[77]}"' not in one.get("/leads?unrecorded=yes&page=2").text
    assert f'id="{codes[77]}"' in one.get("/leads?page=2").text
