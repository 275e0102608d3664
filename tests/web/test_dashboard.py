"""What the province sees, by page, by API and as files: the figures are those of the register, and parks see none."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import openpyxl
import pytest

from marketplace.demo import world
from marketplace.demo.world import YUAN
from marketplace.rules.statistics import Filters, GroupBy
from marketplace.usecases import fulfilment
from marketplace.usecases.statistics import read_statistics
from services.usecases import bookings
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.parks import person, verified_park
from tests.support.province import Province, in_hours
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
PERIOD = "from=2026-03-01T00:00:00%2B08:00&to=2026-04-01T00:00:00%2B08:00"


@pytest.fixture
def lived(province: Province) -> Province:
    """A province in which one park had an inspection, has a twin run on order, and another park does nothing yet."""
    province.fund()
    park = province.park(1, region_code="411224")
    verified_park(province.workshop, 2, region_code="411326", name="=HYPERLINK(1)")
    slots = province.nobody
    slots.token = park.token
    wish = {
        "offering": "shared-inspection",
        "from": in_hours(province.workshop, 24),
        "to": in_hours(province.workshop, 200),
    }
    slot = park.post("/slots/search", wish).get_json()["items"][0]
    lines = [
        {
            "offering": "shared-inspection",
            "request": {
                "instrument_id": slot["instrument_id"],
                "starts_at": slot["starts_at"],
                "slots": 1,
                "purpose": "抽检",
            },
        },
        {"offering": "digital-twin-run", "request": {"demo": True}},
    ]
    for number, line in enumerate(lines):
        quote = park.post("/quotes", {"lines": [line]}).get_json()
        order = park.post("/orders", {"quote_id": quote["id"], "payment_method": "invoice"}, key=str(number))
        assert order.status_code == 201, order.text
        booking = order.get_json()["lines"][0]["booking"]
        if booking:
            deliver(province, UUID(booking["id"]), UUID(order.get_json()["park_id"]))
    return province


def deliver(province: Province, booking_id: UUID, park_id: UUID) -> None:
    """Let the laboratory report an inspection, and settle it."""
    lab = person(province.workshop, "lab")
    clock = province.workshop.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(days=8))
    with province.workshop.work(lab) as work:
        bookings.report_inspection(
            work, booking_id=booking_id, file_name="r.txt", media_type="text/plain", content=b"ok", passed=True
        )
    with province.workshop.work(system_actor("job", tenant_id=park_id)) as work:
        fulfilment.complete_inspection(work, booking_id=booking_id)


def test_figures_by_every_grouping_agree_with_the_register(lived: Province) -> None:
    answer = lived.officer.get(f"/statistics?{PERIOD}&group_by=service")
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    fund = lived.officer.get("/funds").get_json()["items"][0]
    total = found["total"]
    assert total["redeemed_fen"] == fund["captured_fen"] + fund["disbursed_fen"] == 360 * YUAN
    assert total["granted_fen"] == fund["held_fen"] + fund["captured_fen"] == 6_360 * YUAN
    assert found["balances"]["available_fen"] == fund["available_fen"]
    assert {each["key"]: (each["applied_fen"], each["deliveries"]) for each in found["items"]} == {
        "shared-inspection": (360 * YUAN, 1),
        "digital-twin-run": (6_000 * YUAN, 0),
    }
    assert (total["parks"], total["parks_served"], total["enablement_bp"]) == (2, 1, 5_000)
    for group_by in ("month", "programme", "region", "county", "region_class", "size", "tier"):
        again = lived.finance.get(f"/statistics?{PERIOD}&group_by={group_by}").get_json()
        assert again["total"] == total
        assert sum(each["granted_fen"] for each in again["items"]) == total["granted_fen"], group_by
    regions = lived.approver.get(f"/statistics?{PERIOD}&group_by=region&region=410000").get_json()["items"]
    assert [(each["key"], each["parks_served"]) for each in regions] == [("411200", 1), ("411300", 0)]
    assert lived.officer.get(f"/statistics?{PERIOD}&region=411300").get_json()["total"]["applied_fen"] == 0
    before = "from=2025-01-01T00:00:00%2B08:00&to=2026-03-01T00:00:00%2B08:00"
    assert lived.officer.get(f"/statistics?{before}").get_json()["total"]["lines"] == 0


@pytest.mark.parametrize(
    "filters",
    [Filters(), Filters(region="411200", tier="leading"), Filters(region="411300"), Filters(programme=world.PROGRAMME)],
)
def test_the_course_of_the_months_adds_up_to_the_whole(lived: Province, filters: Filters) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with lived.workshop.work(person(lived.workshop, "officer")) as work:
        found = read_statistics(
            work, from_=start, to=start + timedelta(days=365), group_by=[GroupBy.MONTH], filters=filters
        )
    for name in ("applied_fen", "granted_fen", "redeemed_fen"):
        each = [getattr(month, name) for month in found.months]
        assert sum(each) == getattr(found.total, name)
        assert each == [getattr(group, name) for group in found.groups[GroupBy.MONTH] if group.lines]


def test_a_park_and_a_stranger_see_nothing(lived: Province) -> None:
    park = lived.caller("admin1")
    for path in (f"/statistics?{PERIOD}", f"/statistics/file?{PERIOD}"):
        assert park.get(path).status_code == 403
        assert lived.operator.get(path).status_code == 403
        lived.nobody.token = None
        assert lived.nobody.get(path).status_code == 401
    wrong = lived.officer.get(f"/statistics?{PERIOD}&region=999999")
    assert wrong.status_code == 422
    assert wrong.get_json()["errors"][0]["field"] == "region"
    assert lived.officer.get("/statistics?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z").status_code == 422


def test_files_hold_the_same_rows_in_the_readers_language(lived: Province) -> None:
    path = f"/statistics/file?{PERIOD}&group_by=region"
    text = lived.officer.get(path).get_data().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["所在地市"] for row in rows] == ["三门峡市", "南阳市", "合计"]
    assert rows[-1]["批准补贴（元）"] == "6360.00"
    assert rows[0]["技术赋能率（%）"] == "100"
    book = openpyxl.load_workbook(io.BytesIO(lived.officer.get(f"{path}&format=xlsx&lang=en").get_data()))
    table = list(book.worksheets[0].values)
    assert table[0][:4] == ("Prefecture", "Lines applied", "Applied (yuan)", "Granted (yuan)")
    assert table[-1][:4] == ("Total", 2, 6360, 6360)


def test_the_page_shows_map_and_table_and_sends_files(lived: Province, signed_in: Enter) -> None:
    officer = signed_in("officer")
    page = officer.get("/dashboard?by=service")
    assert page.status_code == 200
    for part in ("技术赋能率", "50%", "租建成本比", "三门峡市", "¥360.00", "数字孪生推演", 'class="tilemap"'):
        assert part in page.text
    assert "¥6,360.00" in page.text
    assert "¥6,360.00" not in officer.get("/dashboard?region=411300").text
    refused = officer.get("/dashboard?from=soon")
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    sent = officer.get("/dashboard/file?by=county&format=csv")
    assert "卢氏县" in sent.get_data(as_text=True)
    assert officer.get("/dashboard/file?by=month&format=xlsx").data[:2] == b"PK"
    english = Visitor(lived.app, "en")
    english.sign_in("officer")
    assert "Enablement rate" in english.get("/dashboard?lang=en").text
    assert signed_in("admin1").get("/dashboard").status_code == 403
    assert signed_in("operator").get("/dashboard").status_code == 403
