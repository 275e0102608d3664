"""Agreements on their pages: the officer writes one by the form, the parks sign, the approver registers; strangers see none."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
LIST = "/joint/agreements"


def form(ids: list[str], **changed: str) -> dict[str, str]:
    """The worked example as it is typed in."""
    typed = {
        "title": "检测中心", "valid_from": "2026-01-01", "valid_to": "2027-01-01", "capital": "100,000,000",
        "life_years": "10", "hours": "5000", "reserve": "0", "maintenance": "0", "variable": "600", "premium": "20",
        "outsider_premium": "50", "notice": "14", "overdraw": "1000", "carry_over": "100",
    }  # fmt: skip
    for place, (park, share) in enumerate(zip(ids, ("40", "30", "30"), strict=True)):
        typed |= {f"park-{place}": park, f"role-{place}": "participant" if place else "lead", f"share-{place}": share}
    return typed | changed


def test_an_agreement_from_the_form_to_its_registration(province: Province, signed_in: Enter) -> None:
    ids = [province.park(number).get("/me").get_json()["park"]["id"] for number in (1, 2, 3)]
    province.park(4)
    officer, approver, stranger = signed_in("officer"), signed_in("approver"), signed_in("admin4")
    assert "还没有共建协议" in officer.get(LIST).text
    wrong = officer.post(f"{LIST}/new", form(ids, **{"share-2": "29", "hours": "9000"}))
    assert wrong.status_code == 422
    assert "9900" in wrong.text
    assert 'value="29"' in wrong.text, "what was typed stays"
    table = "/joint/table?park=第+1+园区&share=40&use=3000&park=别处&share=60&use=1000&capital=5000000"
    assert "存为协议草案" not in approver.get(table).text
    assert "存为协议草案" in stranger.get(table).text, "any park may propose"
    saved = officer.get(table).text.partition(f'href="{LIST}/new?')[2].partition('"')[0]
    draft = officer.get(f"{LIST}/new?{unescape(saved)}").text
    assert 'value="5000000"' in draft
    assert f'value="{ids[0]}" selected' in draft
    assert 'name="share-1" value="60"' in draft
    made = officer.post(f"{LIST}/new", form(ids))
    assert made.status_code == 303, made.text
    path = made.headers["Location"]
    page = officer.get(path).text
    for part in ("主导方", "¥3,120.00/小时", "2000 小时", "¥5,200,000.00"):
        assert part in page
    seal = page.partition('name="sha256" value="')[2][:64]
    assert stranger.get(path).status_code == 404
    assert "检测中心" not in stranger.get(LIST).text
    early = approver.post(path, {"decision": "register"})
    assert (early.status_code, "未签署" in early.text) == (409, True)
    for number in (1, 2, 3):
        park = signed_in(f"admin{number}")
        assert "代表本园区签署" in park.get(path).text
        assert park.post(path, {"decision": "sign", "sha256": seal}).status_code == 303
        assert "代表本园区签署" not in park.get(path).text
    assert "备案生效" in approver.get(path).text
    assert approver.post(path, {"decision": "register"}).status_code == 303
    assert "生效中" in signed_in("admin2").get(LIST).text
    following = officer.get(f"{LIST}/new?after={path.rpartition('/')[2]}").text
    assert 'value="100000000"' in following
    officer.get("/language/en")
    assert "Joint agreements" in officer.get(LIST).text
    assert Visitor(province.app).get(LIST).status_code == 303
