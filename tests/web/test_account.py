"""Signing in, out and up."""

import pytest

from tenants.usecases.sign_in_limits import ACCOUNT_TRIES
from tests.support.parks import PASSWORD, credit_code
from tests.support.province import Province
from tests.support.visitor import Visitor

FORM = {
    "name": "宜川县果品产业园",
    "uscc": credit_code(77),
    "region_code": "510104",
    "size": "small",
    "login": "yichuan",
    "password": PASSWORD,
    "contact_name": "管理员",
}


def test_a_visitor_is_led_to_the_sign_in_page_and_back(visitor: Visitor, province: Province) -> None:
    province.park(1)
    led = visitor.get("/orders?cursor=")
    assert led.status_code == 303
    assert "/sign-in?next=/orders" in led.headers["Location"]
    visitor.follow(led)
    answer = visitor.post("/sign-in", {"login": "admin1", "password": PASSWORD, "next": "/orders"})
    assert answer.headers["Location"] == "/orders"


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "x"])
def test_signing_in_never_leads_elsewhere(visitor: Visitor, province: Province, address: str) -> None:
    province.park(1)
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", {"login": "admin1", "password": PASSWORD, "next": address})
    assert answer.headers["Location"] == "/"
    assert visitor.get(f"/language/en?next={address}").headers["Location"] == "/"


def test_a_wrong_password_is_refused_with_the_login_kept_and_the_password_gone(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", {"login": "officer", "password": "wrong wrong wrong"})
    assert answer.status_code == 401
    assert 'value="officer"' in answer.text
    assert "wrong wrong" not in answer.text
    assert 'role="alert"' in answer.text


def test_after_too_many_wrong_passwords_even_the_right_one_waits_and_the_page_says_how_long(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    for _ in range(ACCOUNT_TRIES):
        assert visitor.post("/sign-in", {"login": "officer", "password": "wrong wrong wrong"}).status_code == 401
    answer = visitor.post("/sign-in", {"login": " OFFICER", "password": PASSWORD})
    assert answer.status_code == 429
    assert "尝试次数过多，已暂停登录。请在 15 分钟后重试" in answer.text
    assert visitor.post("/sign-in", {"login": "finance", "password": PASSWORD}).status_code == 303


def test_a_form_without_its_token_changes_nothing(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    visitor.token = "forged"
    answer = visitor.post("/sign-in", {"login": "officer", "password": PASSWORD})
    assert answer.status_code == 403
    assert visitor.get("/funds").status_code == 303


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = visitor.get("/sign-in").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" in cookie


def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    visitor.sign_in("officer")
    visitor.post("/sign-out")
    assert visitor.get("/funds").status_code == 303


def test_a_park_signs_up_and_is_told_to_wait(visitor: Visitor) -> None:
    visitor.get("/sign-up")
    home = visitor.follow(visitor.post("/sign-up", FORM))
    assert "宜川县果品产业园" in home.text
    assert "待审核" in home.text
    assert "等待省级主管部门审核" in home.text


def test_every_fault_of_a_sign_up_stands_at_its_field_and_the_input_stays(visitor: Visitor) -> None:
    visitor.get("/sign-up")
    answer = visitor.post("/sign-up", FORM | {"uscc": "91510104X", "region_code": "999999", "password": "short"})
    assert answer.status_code == 422
    for name in ("uscc", "region_code", "password"):
        assert f'id="e-{name}"' in answer.text
    assert 'value="宜川县果品产业园"' in answer.text
    assert 'value="999999"' in answer.text
    assert "short" not in answer.text.replace("shortcut", "")


def test_a_credit_code_that_is_taken_is_told_at_its_field(visitor: Visitor, province: Province) -> None:
    province.park(1)
    visitor.get("/sign-up")
    answer = visitor.post("/sign-up", FORM | {"uscc": credit_code(1)})
    assert answer.status_code == 409
    assert 'id="e-uscc"' in answer.text


def test_the_demo_logins_are_shown_in_the_demo_only(visitor: Visitor) -> None:
    assert "demo-park-2026" not in visitor.get("/sign-in").text


def test_the_choice_of_language_stays(visitor: Visitor) -> None:
    assert 'lang="zh-CN"' in visitor.get("/sign-in").text
    answer = visitor.get("/language/en?next=/sign-up")
    assert answer.headers["Location"] == "/sign-up"
    page = visitor.get("/sign-up")
    assert 'lang="en"' in page.text
    assert "Sign up a park" in page.text


def test_a_page_that_is_not_there_says_so_in_both_languages(visitor: Visitor, province: Province) -> None:
    for language, word in (("zh", "没有找到"), ("en", "Not found")):
        answer = Visitor(province.app, language).get("/nowhere")
        assert answer.status_code == 404
        assert word in answer.text
        assert answer.headers["X-Request-Id"] in answer.text


def test_a_page_that_is_not_there_speaks_the_language_of_who_is_signed_in(province: Province) -> None:
    """Not the browser's: title and sentence are as Chinese as the menu around them."""
    visitor = Visitor(province.app, language="en")
    visitor.sign_in("officer")
    page = visitor.get("/nowhere").text
    assert 'lang="zh-CN"' in page
    assert "没有这个地址" in page
    assert "Not found" not in page
