"""From the catalogue to an order, through forms."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from marketplace.demo.world import YUAN
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.province import Province
from tests.support.visitor import Visitor, form_value

Enter = Callable[[str], Visitor]


@pytest.fixture
def park(province: Province, signed_in: Enter) -> Visitor:
    """A small park of the leading tier, with a fund that has enough."""
    province.fund()
    province.park(1)
    return signed_in("admin1")


def ask(visitor: Visitor) -> str:
    """Ask the price of a twin run on the demo's data and return the price page's address."""
    visitor.get("/rent/digital-twin-run")
    answer = visitor.post("/rent/digital-twin-run", {"data": "demo"})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def orders(database: Database) -> int:
    """Count the orders behind the doors."""
    with database.owner().connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM orders")).scalar_one())


def test_the_catalogue_shows_both_payers_and_what_the_tier_does_not_cover(province: Province, signed_in: Enter) -> None:
    province.fund()
    province.park(1, Tier.BASIC)
    page = signed_in("admin1").get("/catalogue").text
    assert "¥10,000.00" in page
    assert "不在您的订阅层级" in page
    assert 'href="/subscription"' in page


def test_a_price_shows_both_parts_and_its_reasons_in_words(park: Visitor) -> None:
    page = park.get(ask(park)).text
    for part in ("¥10,000.00", "¥6,000.00", "¥4,000.00", "订阅引领层的小型园区"):
        assert part in page
    assert 'width="600"' in page


def test_one_order_comes_of_a_price_however_often_it_is_confirmed(park: Visitor, database: Database) -> None:
    address = ask(park)
    page = park.get(address)
    form = {"key": form_value(page, "key"), "payment_method": "invoice"}
    first = park.post(address, form)
    again = park.post(address, form)
    assert first.status_code == again.status_code == 303
    assert first.headers["Location"] == again.headers["Location"]
    assert orders(database) == 1
    order = park.follow(first).text
    assert "排队中" in order
    assert 'hx-trigger="every 1s"' in order


def test_an_expired_price_is_asked_anew_and_shown_beside_the_old_one(
    park: Visitor, workshop: WorkShop, database: Database
) -> None:
    address = ask(park)
    form = {"key": form_value(park.get(address), "key"), "payment_method": "invoice"}
    workshop.clock.advance(timedelta(minutes=31))  # type: ignore[attr-defined]  # the tests' clock
    assert "报价已过期" in park.get(address).text
    new = park.follow(park.post(address, form))
    assert "请重新确认" in new.text
    assert "原报价" in new.text
    assert orders(database) == 0


def test_a_fund_that_ran_short_since_is_shown_before_anything_is_bought(
    province: Province, signed_in: Enter, database: Database
) -> None:
    province.fund(9_000 * YUAN)
    for number in (1, 2):
        province.park(number)
    one, other = signed_in("admin1"), signed_in("admin2")
    address = ask(one)
    form = {"key": form_value(one.get(address), "key"), "payment_method": "invoice"}
    bought = ask(other)
    other_form = {"key": form_value(other.get(bought), "key"), "payment_method": "invoice"}
    assert "/orders/" in other.post(bought, other_form).headers["Location"]
    changed = one.post(address, form)
    assert "/quotes/" in changed.headers["Location"]
    page = one.follow(changed).text
    assert "专项资金余额不足" in page
    assert "补贴少于政策比例" in page
    assert "¥3,000.00" in page
    assert orders(database) == 1


def test_a_wallet_that_is_too_small_says_so_and_keeps_the_price(park: Visitor, database: Database) -> None:
    address = ask(park)
    form = {"key": form_value(park.get(address), "key"), "payment_method": "wallet"}
    answer = park.post(address, form)
    assert answer.status_code == 409
    assert "充值" in answer.text
    assert orders(database) == 0


def test_a_budget_is_set_shown_before_confirming_and_stops_the_order(park: Visitor, database: Database) -> None:
    assert "按计量计费的用量、最低消费差额和补收不计入" in park.get("/budgets").text
    form = {"offering": "", "measure": "payable_fen", "period": "month", "hard_stop": "yes"}
    assert park.post("/budgets", form | {"limit": "viel"}).status_code == 422
    listed = park.follow(park.post("/budgets", form | {"limit": "3,999.99"})).text
    assert "¥3,999.99" in listed
    address = ask(park)
    page = park.get(address)
    assert "超出上限 ¥3,999.99，订单不会被接受" in page.text
    refused = park.post(address, {"key": form_value(page, "key"), "payment_method": "invoice"})
    assert (refused.status_code, "本单将超出限额" in refused.text, orders(database)) == (409, True, 0)
    path = listed.partition('action="/budgets/')[2].partition('"')[0]
    assert "¥3,999.99" not in park.follow(park.post(f"/budgets/{path}")).text
    confirmed = park.post(address, {"key": form_value(page, "key"), "payment_method": "invoice"})
    assert (confirmed.status_code, orders(database)) == (303, 1)


def test_a_broken_load_file_is_told_by_row_and_column(park: Visitor) -> None:
    park.get("/rent/digital-twin-run")
    lines = [
        "time,kw",
        *(f"2025-01-01T{hour:02d}:{minute:02d},100" for hour in range(24) for minute in (0, 15, 30, 45)),
    ]
    lines[5] = lines[5].replace("100", "much")
    sent = {"data": "file", "load": (io.BytesIO("\n".join(lines).encode()), "load.csv")}
    answer = park.post("/rent/digital-twin-run", sent, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert '<td class="figure">6</td><td>数值</td>' in answer.text


def _day_of_load() -> bytes:
    rows = [f"2025-01-01T{hour:02d}:{minute:02d},100" for hour in range(24) for minute in (0, 15, 30, 45)]
    return "\n".join(["time,kw", *rows]).encode()


def test_an_estimate_tells_steps_seconds_and_both_prices_and_keeps_the_file(park: Visitor, database: Database) -> None:
    park.get("/rent/digital-twin-run")
    sent = {"data": "file", "weather": "jinan", "load": (io.BytesIO(_day_of_load()), "load.csv")}
    page = park.post("/rent/digital-twin-run/estimate", sent, content_type="multipart/form-data")
    assert page.status_code == 200, page.text
    for part in ("数据可用", "96 个（15 分钟）", "2,400 kWh", "¥10,000.00", "¥4,000.00", "气候估算：气象不是实测"):
        assert part in page.text
    kept = page.text.partition('<option value="')[2]
    artefact = next(
        part.partition('"')[0] for part in kept.split('<option value="') if "load.csv" in part.partition("<")[0]
    )
    again = {"data": "file", "weather": "jinan", "artefact_id": artefact}
    assert park.post("/rent/digital-twin-run", again).status_code == 303
    assert orders(database) == 0


def test_an_estimate_lists_what_is_wrong_with_load_and_weather_together(park: Visitor) -> None:
    park.get("/rent/digital-twin-run")
    sent = {
        "data": "file",
        "load": (io.BytesIO(_day_of_load().replace(b"01:15,100", b"01:15,much")), "load.csv"),
        "weather_file": (io.BytesIO(b"nothing"), "w.epw"),
    }
    page = park.post("/rent/digital-twin-run/estimate", sent, content_type="multipart/form-data").text
    assert "数据有 2 处需要修改" in page
    assert '<td class="figure">7</td><td>数值</td>' in page
    assert "LOCATION" in page


def test_an_estimate_and_the_page_on_park_json_speak_english(park: Visitor) -> None:
    sent = {"data": "file", "load": (io.BytesIO(_day_of_load()[:-3] + b"x"), "load.csv")}
    park.get("/language/en")
    page = park.post("/rent/digital-twin-run/estimate", sent, content_type="multipart/form-data").text
    assert "things in the data need to be corrected" in page
    assert "问题" not in page
    assert "Where the park is" in park.get("/park-file").text


def test_the_page_on_park_json_is_open_and_names_the_climates_sources(visitor: Visitor) -> None:
    page = visitor.get("/park-file")
    assert page.status_code == 200
    for part in ("tariff.windows[].from", "network.transformers[].kva", "国家统计局", "/api/v1/schemas/park-2.json"):
        assert part in page.text
    assert '<td>武汉</td><td><code>wuhan</code></td><td class="figure">1.2</td>' in page.text
    assert "CHN_Hubei.Wuhan.574940_CSWD.stat" in page.text


def test_an_upload_of_two_gigabytes_is_refused_before_it_is_read(park: Visitor) -> None:
    park.get("/rent/digital-twin-run")
    sent = {"data": "file", "load": (io.BytesIO(b"time,kw"), "load.csv")}
    answer = park.post(
        "/rent/digital-twin-run",
        sent,
        content_type="multipart/form-data",
        environ_overrides={"CONTENT_LENGTH": str(2 << 30)},
    )
    assert answer.status_code == 413
    assert "MiB" in answer.text


def test_an_inspection_is_booked_from_the_week_and_once(park: Visitor, province: Province, signed_in: Enter) -> None:
    week = park.get("/rent/shared-inspection").text
    slot = week.partition('name="slot" value="')[2].partition('"')[0]
    wish = {"slot": slot, "slots": "1", "purpose": "钢材断口"}
    address = park.post("/rent/shared-inspection", wish).headers["Location"]
    form = {"key": form_value(park.get(address), "key"), "payment_method": "invoice"}
    order = park.follow(park.post(address, form)).text
    assert "已预约" in order
    again = park.post("/rent/shared-inspection", wish)
    assert again.status_code == 409
    assert "最近的空档" in again.text
    assert "钢材断口" in signed_in("lab").get("/bookings").text


def test_an_order_is_cancelled_and_costs_nothing(park: Visitor) -> None:
    address = ask(park)
    form = {"key": form_value(park.get(address), "key"), "payment_method": "invoice"}
    order = park.post(address, form).headers["Location"]
    park.get(order)
    page = park.follow(park.post(f"{order}/cancel")).text
    assert "没有收费" in page
    assert 'hx-trigger="every 1s"' not in page


def test_nobody_sees_another_parks_price_or_order(park: Visitor, province: Province, signed_in: Enter) -> None:
    address = ask(park)
    form = {"key": form_value(park.get(address), "key"), "payment_method": "invoice"}
    order = park.post(address, form).headers["Location"]
    province.park(2)
    stranger = signed_in("admin2")
    for path in (address, order, f"{order}/live"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(address, form).status_code == 404
    assert stranger.post(f"{order}/cancel").status_code == 404
