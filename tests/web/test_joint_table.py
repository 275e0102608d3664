"""The negotiation table: the worked example comes out, a proposal is an address, and sliders answer in a browser."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
NAMES = "park=A&share=40&use=3000&park=B&share=30&use=1000&park=C&share=30&use=1000"


def test_the_worked_example_and_a_proposal_by_its_address(province: Province, signed_in: Enter) -> None:
    province.park()
    somebody = signed_in("admin1")
    page = somebody.get("/joint/table")
    assert page.status_code == 200, page.text
    for part in ("¥8,320,000.00", "¥2,340,000.00", "¥13,000,000.00", "¥3,120.00/小时"):
        assert part in page.text
    flat = somebody.get(f"/joint/table?{NAMES}&premium=0").text
    assert flat.count("¥7,800,000.00") >= 2, "at no premium the agreement is use alone"
    uneven = somebody.get(f"/joint/table?{NAMES.replace('share=40', 'share=35')}")
    assert uneven.status_code == 422
    assert "出资比例合计 95%，还差 5%" in uneven.text
    broken = somebody.get(f"/joint/table?{NAMES}&life_years=x&hours=0&capital=1e99")
    assert broken.status_code == 422
    more = somebody.get(f"/joint/table?{NAMES}&add=1").text
    assert 'value="甲园区"' in more
    fewer = somebody.get(f"/joint/table?{NAMES}&without=B").text
    assert 'name="park" value="A"' in fewer
    assert 'name="park" value="B"' not in fewer
    somebody.get("/language/en")
    assert "Serial cost sharing" in somebody.get("/joint/table").text
    assert Visitor(province.app).get("/joint/table").status_code == 303


def test_the_api_settles_and_refuses(province: Province) -> None:
    park = province.park()
    agreement = {
        "capital_fen": 10_000_000_000, "life_years": 10, "hours": 5_000, "variable_fen_per_hour": 60_000,
        "shares_bp": {"A": 4_000, "B": 3_000, "C": 3_000}, "use_hours": {"A": 3_000, "B": 1_000, "C": 1_000},
        "premium_bp": 2_000,
    }  # fmt: skip
    answer = park.post("/cost-sharing", {"agreement": agreement})
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["parks"]["A"]["net_fen"] == 832_000_000
    assert set(answer.get_json()["alternatives"]) == {"shares", "use", "serial", "shapley"}
    refused = park.post("/cost-sharing", {"agreement": agreement | {"shares_bp": {"A": 9_999}}})
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "shares_bp")
    assert province.nobody.post("/cost-sharing", {"agreement": agreement}).status_code == 401
