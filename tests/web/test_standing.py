"""Relatives, the dishonesty list, contracts and rolling aid, through forms."""

import io
from collections.abc import Callable

import pytest

from tests.support.parks import credit_code
from tests.support.province import YUAN, Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
LAB = credit_code(902)
HEAD = "统一社会信用代码,名称,来源,文号,起始日,截止日\n"


def price(park: Visitor, **fields: str) -> str:
    """Ask the price of a twin run and return its page."""
    park.get("/rent/digital-twin-run")
    return park.follow(park.post("/rent/digital-twin-run", {"data": "demo", **fields})).text


def test_an_officer_keeps_groups_and_a_relative_reads_why_it_gets_nothing(province: Province, signed_in: Enter) -> None:
    province.fund()
    province.park(1)
    officer = signed_in("officer")
    officer.get("/control-groups")
    assert officer.post("/control-groups", {"name": "", "remark": ""}).status_code == 422
    page = officer.follow(officer.post("/control-groups", {"name": "某集团", "remark": "工商登记"})).text
    group = page.partition('<option value="')[2].partition('"')[0]
    wrong = officer.post("/control-groups/members", {"uscc": credit_code(9), "group": group, "note": "章程"})
    assert (wrong.status_code, 'id="e-uscc"' in wrong.text) == (422, True)
    assert 'id="e-note"' in officer.post("/control-groups/members", {"uscc": LAB, "group": group, "note": ""}).text
    for code in (credit_code(1), LAB):
        fields = {"uscc": code, "group": group, "note": "章程第 3 条"}
        page = officer.follow(officer.post("/control-groups/members", fields)).text
        assert code in page
    assert "同一实际控制人，不予补贴" in price(signed_in("admin1"))
    officer.post("/control-groups/members", {"uscc": LAB, "group": "", "note": "股权已转让"})
    assert "¥6,000.00" in price(signed_in("admin1"))
    approver = signed_in("approver")
    assert "某集团" in approver.get("/control-groups").text
    assert 'action="/control-groups"' not in approver.get("/control-groups").text
    assert approver.post("/control-groups", {"name": "x"}).status_code == 403
    assert signed_in("admin1").get("/control-groups").status_code == 403


def test_the_dishonesty_list_is_entered_imported_and_lifted(province: Province, signed_in: Enter) -> None:
    province.fund()
    province.park(1)
    operator, park = signed_in("operator"), signed_in("admin1")
    operator.get("/dishonesty-list")
    entry = {
        "uscc": credit_code(1), "name": "第 1 园区", "source": "某人民法院", "document_no": "（2026）执 12 号",
        "valid_from": "2026-03-01", "valid_until": "",
    }  # fmt: skip
    wrong = operator.post("/dishonesty-list", entry | {"uscc": "1", "valid_from": "x"})
    assert (wrong.status_code, 'id="e-uscc"' in wrong.text, 'id="e-valid_from"' in wrong.text) == (422, True, True)
    listed = operator.follow(operator.post("/dishonesty-list", entry)).text
    assert "（2026）执 12 号" in listed
    assert "在失信名单中" in price(park)
    home = park.get("/").text
    assert "（2026）执 12 号" in home, "the park reads by which document"
    park_page = "/parks/" + operator.get("/parks").text.partition('href="/parks/')[2].partition('"')[0]
    assert "在名单中" in operator.get(park_page).text

    lifting = "/dishonesty-list/" + next(
        part.partition('"')[0] for part in listed.split('action="/dishonesty-list/') if "/lifting" in part[:60]
    )
    assert operator.post(lifting, {"reason": ""}).status_code == 422
    operator.get("/dishonesty-list")
    assert "信用修复" in operator.follow(operator.post(lifting, {"reason": "信用修复"})).text
    assert "在失信名单中" not in park.get("/").text

    def send(text: str) -> str:
        fields = {"list": (io.BytesIO((HEAD + text).encode()), "list.csv")}
        return operator.post("/dishonesty-list/import", fields, content_type="multipart/form-data").text

    assert "lines[2].uscc" in send("12,甲,法院,1 号,2026-01-01,\n")
    assert "已导入 1 条，0 条原已在名单中" in send(f"{credit_code(5)},甲,法院,1 号,2026-01-01,\n")
    assert "没有符合条件的记录" in operator.get("/dishonesty-list?search=乙&active=1").text
    assert credit_code(5) in operator.get(f"/dishonesty-list?search={credit_code(5)}&active=1").text


def test_a_contract_is_named_in_the_form_and_its_second_order_gets_nothing(
    province: Province, signed_in: Enter
) -> None:
    province.fund()
    province.park(1)
    park = signed_in("admin1")
    park.get("/rent/digital-twin-run")
    bad = park.post("/rent/digital-twin-run", {"data": "demo", "contract_no": "——"})
    assert (bad.status_code, 'id="e-contract_no"' in bad.text) == (422, True)
    park.get("/rent/digital-twin-run")
    address = park.post("/rent/digital-twin-run", {"data": "demo", "contract_no": "HT-7"}).headers["Location"]
    assert "合同编号 HT-7" in park.get(address).text
    order = park.follow(park.post(address, {"payment_method": "invoice"}))
    assert "HT-7" in order.text
    assert "该项服务或合同已享受过补贴" in price(park, contract_no="ht 7")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rolling_aid_is_read_by_the_park_and_by_staff(province: Province, signed_in: Enter, language: str) -> None:
    province.fund(rolling={"register": "small-aid", "years": 3, "amount_fen": 10_000 * YUAN})
    caller = province.park(1)
    quote = caller.post("/quotes", {"lines": [{"offering": "digital-twin-run", "request": {"demo": True}}]}).get_json()
    caller.post("/orders", {"quote_id": quote["id"]})
    for login in ("admin1", "finance"):
        somebody = signed_in(login)
        somebody.language = language
        page = somebody.get("/aid").text
        for part in ("small-aid", "¥6,000.00", "¥4,000.00", "2029-03-02 09:00"):
            assert part in page, (login, part)
        grants = "/aid/grants?" + page.partition('href="/aid/grants?')[2].partition('"')[0].replace("&amp;", "&")
        assert "2026-03-02 09:00" in somebody.get(grants).text
    assert signed_in("operator").get("/aid").status_code == 403
