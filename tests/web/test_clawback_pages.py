"""Pages of returns and clawbacks: finance returns a line, the officer opens a case, the approver decides it, and the
park reads what came back.
"""

import io
import re
from collections.abc import Callable

from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor, form_value

Enter = Callable[[str], Visitor]


def test_a_return_is_made_once_and_shown_in_words_and_figures(province: Province, signed_in: Enter) -> None:
    province.fund()
    park = province.park()
    order, line = sold_inspection(province, park)
    finance, address = signed_in("finance"), f"/orders/{order}/lines/{line}/return"
    assert signed_in("officer").get(address).status_code == 403
    assert f'href="{address}"' in finance.get(f"/orders/{order}").text
    key = form_value(finance.get(address), "key")
    wrong = finance.post(
        address, {"key": key, "cause": "returned", "amount": "many", "reason": "", "agreement": "来函"}
    )
    assert (wrong.status_code, 'id="e-amount"' in wrong.text) == (422, True)
    wanted = {"key": key, "cause": "returned", "amount": "100.00", "reason": "报告无法使用", "agreement": "来函 3 号"}
    shown = [finance.follow(finance.post(address, wanted)).text for _ in range(2)]
    assert shown[0].count("报告无法使用") == shown[1].count("报告无法使用") == 1
    assert "退回 ¥100.00" in shown[1]
    too_much = finance.post(address, wanted | {"key": "", "amount": "9999"})
    assert (too_much.status_code, 'id="e-amount"' in too_much.text) == (422, True)
    page = signed_in("admin1").get(f"/orders/{order}").text
    assert "退回 ¥100.00" in page
    assert address not in page


def test_a_case_walks_from_page_to_page(province: Province, signed_in: Enter) -> None:
    province.fund()
    order, line = sold_inspection(province, province.park())
    officer, approver, finance = signed_in("officer"), signed_in("approver"), signed_in("finance")
    address = f"/orders/{order}/lines/{line}/clawback"
    assert approver.get(address).status_code == 403
    key = form_value(officer.get(address), "key")
    wanted = {"key": key, "cause": "ineligible", "due_on": "2026-06-01", "reason": "注册地不在本省"}
    wrong = officer.post(address, wanted | {"due_on": "soon"})
    assert (wrong.status_code, 'id="e-due_on"' in wrong.text) == (422, True)
    bare = officer.post(address, wanted)
    assert (bare.status_code, 'id="e-evidence"' in bare.text) == (422, True)

    def file() -> dict[str, object]:
        return {"evidence": (io.BytesIO(b"%PDF"), "决定书.pdf")}

    opened = officer.post(address, wanted | file(), content_type="multipart/form-data")
    case = opened.headers["Location"]
    again = officer.post(address, wanted | file(), content_type="multipart/form-data")
    assert again.headers["Location"] == case
    assert "/decision" not in officer.get(case).text
    assert officer.get(f"{case}/evidence").data == b"%PDF"
    assert "/decision" in approver.get(case).text
    decided = approver.follow(approver.post(f"{case}/decision", {"decision": "uphold", "note": "属实"}))
    assert "待退回" in decided.text
    page = finance.get(case)
    assert form_value(page, "key").startswith("repay:")
    short = finance.post(f"{case}/repayments", {"amount": "1.00", "method": "wallet"})
    assert (short.status_code, "钱包余额不足" in short.text) == (409, True)
    officer.get(case)
    officer.follow(officer.post(f"{case}/write-off", {"reason": "园区已注销"}))
    assert "园区已注销" in approver.get(case).text
    closed = approver.follow(approver.post(f"{case}/write-off/approval"))
    assert "已核销不再追" in closed.text
    park = signed_in("admin1")
    number = re.search(r"ZH2026-\w+", park.get("/clawbacks").text)
    assert number is not None
    assert number[0] in park.get(f"/orders/{order}").text
    assert "/write-off" not in park.get(case).text
