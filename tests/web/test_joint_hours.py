"""Hours of a joint facility on its page: the lead records and corrects, a participant lends, strangers see nothing."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.test_joint_hours import FAR, centre
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def test_hours_are_recorded_corrected_and_lent_on_the_page(province: Province, signed_in: Enter) -> None:
    _parks, ids, path = centre(province)
    province.park(4)
    page = path.replace("/joint-agreements", "/joint/agreements") + "/hours"
    lead, lender, stranger, finance = (signed_in(each) for each in ("admin1", "admin2", "admin4", "finance"))
    assert "机时账户" in lead.get(page.removesuffix("/hours")).text
    use = {
        "step": "record", "year": "2026", "park_id": ids[1], "user_name": "", "day": "2026-01-25", "hours": "7.55",
        "evidence": "报告 JC-099",
    }  # fmt: skip
    wrong = lead.post(page, use | {"hours": "7.001", "evidence": "x"})
    assert (wrong.status_code, "折合整分钟" in wrong.text) == (422, True)
    assert lead.post(page, use).status_code == 303
    text = lead.get(page).text
    assert "7.55 小时" in text
    assert "报告 JC-099" in text
    assert 'name="right_hours"' in text
    use_id = text.partition('name="use" value="')[2][:36]
    assert lead.post(page, use | {"hours": "8,000", "evidence": "超"}).status_code == 409
    right = {"step": "correct", "year": "2026", "use": use_id, "right_hours": "0", "reason": "登记有误"}
    assert lead.post(page, right).status_code == 303
    assert "登记有误" in lead.get(page).text
    assert 'name="right_hours"' not in lead.get(page).text
    assert lender.post(page, use).status_code == 403
    far = use | {"park_id": "", "user_name": "外地企业", "day": FAR, "hours": "10"}
    assert "尚未借出" in lead.post(page, far).text
    lend = {"step": "lend", "year": "2026", "lend_hours": "10"}
    assert lender.post(page, lend).status_code == 303
    assert "预先借出 10 小时" in lender.get(page).text
    assert lead.post(page, far).status_code == 303
    assert lender.post(page, lend | {"back": "1"}).status_code == 409
    seen = finance.get(page).text
    assert "外地企业" in seen
    assert 'name="evidence"' not in seen
    assert stranger.get(page).status_code == 404
    lead.get("/language/en")
    assert "Hour accounts of 2026" in lead.get(page).text
