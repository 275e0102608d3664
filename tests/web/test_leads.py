"""The pages of leads: claiming what was listed, step by step, and companies that want no contact."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import text

from services.rules.demo_companies import demo_uscc
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
