"""The province's, finance's and the provider's pages, and who may not open them."""

import io
import json
from collections.abc import Callable

import pytest

from marketplace.demo import world
from tenants.kernel.clock import ManualClock
from tests.support.parks import sign_up
from tests.support.province import LEADS, Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]

ALLOWED = {
    "admin1": {
        "/",
        "/catalogue",
        "/orders",
        "/invoices",
        "/usage",
        "/subscription",
        "/keys",
        "/programmes",
        "/subsidies",
    },
    "officer": {"/", "/dashboard", "/catalogue", "/orders", "/parks", "/funds", "/programmes"},
    "approver": {"/", "/dashboard", "/catalogue", "/orders", "/parks", "/funds", "/programmes"},
    "finance": {"/", "/dashboard", "/catalogue", "/orders", "/invoices", "/parks", "/funds", "/programmes", "/books"},
    "operator": {"/", "/catalogue", "/orders", "/parks", "/programmes", "/keys"},
    "lab": {"/", "/catalogue", "/bookings", "/keys"},
}
FORBIDDEN = {
    "admin1": {"/dashboard", "/parks", "/funds", "/books", "/bookings"},
    "officer": {"/books", "/bookings", "/subscription", "/usage", "/invoices"},
    "approver": {"/books", "/bookings"},
    "operator": {"/dashboard", "/funds", "/books", "/bookings"},
    "lab": {"/orders", "/parks", "/funds", "/books", "/invoices"},
}


@pytest.mark.parametrize("login", ALLOWED)
def test_each_person_opens_their_own_pages_and_no_others(province: Province, signed_in: Enter, login: str) -> None:
    province.fund()
    province.park(1)
    somebody = signed_in(login)
    for path in ALLOWED[login]:
        assert somebody.get(path).status_code == 200, path
    for path in FORBIDDEN.get(login, set()):
        assert somebody.get(path).status_code == 403, path


def test_a_rejection_needs_a_reason_and_the_park_reads_it(province: Province, signed_in: Enter) -> None:
    park = sign_up(province.workshop, 5)
    officer = signed_in("officer")
    address = f"/parks/{park.id}"
    officer.get(address)
    refused = officer.post(f"{address}/verification", {"decision": "reject", "note": ""})
    assert refused.status_code == 422
    done = officer.follow(officer.post(f"{address}/verification", {"decision": "reject", "note": "请补充营业执照"}))
    assert "审核未通过" in done.text
    assert "请补充营业执照" in signed_in("admin5").get("/").text


def test_money_is_asked_for_by_one_person_and_approved_by_another(province: Province, signed_in: Enter) -> None:
    officer, approver = signed_in("officer"), signed_in("approver")
    officer.get("/funds")
    fund = {"name": "专项资金", "slug": "fund-2026", "year": "2026"}
    address = officer.post("/funds", fund).headers["Location"]
    officer.get(address)
    wrong = officer.post(f"{address}/appropriations", {"amount": "many", "document_no": "1号"})
    assert wrong.status_code == 422
    assert 'id="e-amount"' in wrong.text
    asked = officer.follow(officer.post(f"{address}/appropriations", {"amount": "1,000,000.50", "document_no": "1号"}))
    assert "¥1,000,000.50" in asked.text
    page = approver.get(address)
    path = page.text.partition(f'action="{address}/appropriations/')[2].partition('"')[0]
    approved = approver.follow(approver.post(f"{address}/appropriations/{path}"))
    assert "已批准" in approved.text
    assert officer.post(f"{address}/appropriations/{path}").status_code == 403


def test_a_policy_is_written_by_one_person_and_approved_by_another(province: Province, signed_in: Enter) -> None:
    province.fund()
    officer, approver = signed_in("officer"), signed_in("approver")
    listed = officer.get("/programmes").text
    address = "/programmes/" + listed.partition('href="/programmes/')[2].partition('"')[0]
    assert "SMALL_LEADING" in officer.get(address).text
    torn = officer.post(f"{address}/versions", {"policy": '{"rates": ['})
    assert torn.status_code == 422
    assert "JSON" in torn.text
    document = world.policy() | {"window": {"from": "2026-03-02", "to": "2028-01-01"}}
    document.pop("version")
    high = {**document, "rates": [{"rate_bp": 9900}]}
    refused = officer.post(f"{address}/versions", {"policy": json.dumps(high)})
    assert refused.status_code == 422
    assert "9900" in refused.text
    officer.follow(officer.post(f"{address}/versions", {"policy": json.dumps(document)}))
    officer.follow(officer.post(f"{address}/versions/2/submit"))
    assert officer.post(f"{address}/versions/2/approve").status_code == 403
    approver.get(address)
    approver.follow(approver.post(f"{address}/versions/2/approve"))
    assert officer.get(address).text.count("已生效") == 2


def test_finance_issues_a_month_and_takes_a_statement_in(province: Province, signed_in: Enter) -> None:
    finance = signed_in("finance")
    finance.get("/books")
    assert finance.post("/books/invoices", {"period": "2026-13"}).status_code == 422
    issued = finance.follow(finance.post("/books/invoices", {"period": "2026-02"}))
    assert "没有差异" in issued.text
    assert finance.post("/books/statements", {}).status_code == 422
    torn = {"statement": (io.BytesIO(b"not,a,statement\n1,2,3\n"), "bank.csv")}
    answer = finance.post("/books/statements", torn, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_finance_reads_the_books_with_names_and_closes_a_month(
    province: Province, signed_in: Enter, clock: ManualClock
) -> None:
    province.fund()
    clock.instant = clock.instant.replace(month=4)
    finance = signed_in("finance")
    refused = finance.post("/ledger/closing", {"period": "2026-04"})
    assert (refused.status_code, "尚未结束" in refused.text) == (409, True)
    done = finance.follow(finance.post("/ledger/closing", {"period": "2026-03"}))
    assert "已结账" in done.text
    again = finance.post("/ledger/closing", {"period": "2026-03"})
    assert again.status_code == 409
    assert finance.get("/ledger/export?period=2026-03&format=beancount").status_code == 200
    approver = signed_in("approver").get("/ledger?period=2026-03").text
    assert "已结账" in approver
    assert 'action="/ledger/closing"' not in approver
    assert signed_in("officer").get("/ledger").status_code == 403


def test_a_park_sets_its_line_of_warning_and_reads_the_warning(province: Province, signed_in: Enter) -> None:
    province.fund()
    park = province.park(1)
    park_id = park.get("/me").get_json()["park"]["id"]
    province.finance.post(f"/parks/{park_id}/wallet/credits", {"amount_fen": 600_000, "reason": "开园优惠"})
    admin = signed_in("admin1")
    admin.get("/usage")
    assert admin.post("/usage/alert", {"below": "-1"}).status_code == 422
    saved = admin.follow(admin.post("/usage/alert", {"below": "5,900.00"}))
    assert "5900.00" in saved.text
    assert "开园优惠" in saved.text
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    assert park.post("/orders", {"quote_id": quote["id"], "payment_method": "wallet"}).status_code == 201
    told = admin.get("/").text
    assert "低于您设定的 ¥5,900.00" in told
    path = told.partition('action="/alerts/')[2].partition('"')[0]
    assert "低于您设定的" not in admin.follow(admin.post(f"/alerts/{path}")).text


def test_a_new_key_is_shown_once(province: Province, signed_in: Enter) -> None:
    province.park(1)
    admin = signed_in("admin1")
    admin.get("/keys")
    assert admin.post("/keys", {"name": "", "scopes": ["order:read"]}).status_code == 422
    made = admin.post("/keys", {"name": "能源系统", "scopes": ["order:read"]})
    assert made.status_code == 201
    assert ">pk_" in made.text
    assert ">pk_" not in admin.get("/keys").text


LONG = "长" * 201


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": LONG, "slug": "fund"}, {"name"}),
        ({"name": "专项资金", "slug": "Fund 2026"}, {"slug"}),
        ({"name": LONG, "slug": "f" * 65}, {"name", "slug"}),
        ({"name": "专项\x00资金", "slug": "fund"}, set()),
    ],
)
def test_names_that_cannot_be_kept_are_refused_at_their_field(
    province: Province, signed_in: Enter, fields: dict[str, str], named: set[str]
) -> None:
    officer = signed_in("officer")
    for page, more in (("/funds", {"year": "2026"}), ("/programmes", {"bounds": "{}"})):
        officer.get(page)
        refused = officer.post(page, fields | more)
        assert refused.status_code == 422, page
        assert all(f'id="e-{name}"' in refused.text for name in named), page
    empty = officer.post("/programmes", {"name": "", "slug": "", "bounds": "{}"})
    assert empty.status_code == 422
    assert province.officer.get("/programmes").get_json()["items"] == []
    assert province.officer.get("/funds").get_json()["items"] == []
