"""A joint facility's year closed on its page: previewed, proposed, approved by another, reversed, downloaded."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.test_joint_true_ups import used_year
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def test_a_year_is_closed_and_downloaded_on_the_page(province: Province, signed_in: Enter) -> None:
    _parks, _ids, path = used_year(province)
    province.park(4)
    page = path.replace("/joint-agreements", "/joint/agreements") + "/year-end"
    officer, approver, park, stranger = (signed_in(each) for each in ("officer", "approver", "admin2", "admin4"))
    seen = park.get(f"{page}?year=2025").text
    for part in ("2025 年度结算", "可以结算", "协作报告", "成本降低", "换一种分摊方法"):
        assert part in seen
    assert 'value="propose"' not in seen
    propose = {"step": "propose", "year": "2025"}
    assert park.post(page, propose).status_code == 403
    assert officer.post(page, propose).status_code == 303
    assert officer.post(page, propose).status_code == 409
    waiting = approver.get(f"{page}?year=2025").text
    true_up = waiting.partition('name="true_up" value="')[2][:36]
    step = {"year": "2025", "true_up": true_up}
    assert 'value="approve"' in waiting
    assert officer.post(page, step | {"step": "approve"}).status_code == 403
    assert approver.post(page, step | {"step": ""}).status_code == 422, "what was not asked is not done"
    assert approver.post(page, step | {"step": "approve"}).status_code == 303
    closed = park.get(f"{page}?year=2025").text
    assert "已关账" in closed
    assert "已退入钱包" in closed
    assert officer.post(page, step | {"step": "reverse", "reason": "漏记"}).status_code == 303
    assert "漏记" in approver.get(f"{page}?year=2025").text
    assert officer.post(page, step | {"step": "refuse"}).status_code == 409
    table = park.get(page.replace("/year-end", "/year-end.csv") + "?year=2025")
    assert table.data.decode("utf-8-sig").count("\n") == 4
    uses = park.get(page.replace("/year-end", "/uses.csv") + "?year=2025")
    assert "报告 JC-1" in uses.data.decode("utf-8-sig")
    for address in (page, page + ".csv", page.replace("/year-end", "/uses.csv")):
        assert stranger.get(address).status_code == 404
    park.get("/language/en")
    assert "True-up of 2025" in park.get(f"{page}?year=2025").text
    assert "机时账户" not in park.get(page.removesuffix("/year-end")).text
