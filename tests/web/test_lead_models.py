"""The operator's pages of the ranking model: a fit started, watched, and its card read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from services.gateways.lead_editions import Fitted
from services.gateways.sandbox import Limits
from services.rules.lead_editions import HEURISTIC, NEW
from services.usecases import lead_editions
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.services import import_demo_companies
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
SCORES = {"ndcg": 0.0622, "precision": 0.03, "recall": 0.3, "places": 51, "positives": 640}


def test_a_fit_is_started_watched_and_its_card_is_read(province: Province, signed_in: Enter, tmp_path: Path) -> None:
    province.park(1)
    operator, park = signed_in("operator"), signed_in("admin1")
    import_demo_companies(province.workshop, province.workshop.clock.now().date(), 300)
    assert park.get("/lead-models").status_code == 403
    assert "还没有保存的版本" in operator.get("/lead-models").text
    started = operator.post("/lead-models", {})
    assert started.status_code == 303
    address = started.headers["Location"]
    assert "拟合中" in operator.get(address).text
    assert operator.post("/lead-models", {}).status_code == 409
    edition_id = UUID(address.rpartition("/")[2])
    lead_editions.carry_out_refit(
        province.workshop, system_actor("worker"), edition_id=edition_id, cache=tmp_path, limits=Limits()
    )
    assert "训练或留出期的扩张太少" in operator.get(f"{address}/live").text
    assert operator.post("/lead-models/measure", {}).status_code == 303


def test_an_earlier_edition_is_put_back_with_a_reason(province: Province, signed_in: Enter) -> None:
    operator = signed_in("operator")
    addresses = []
    against = None
    for _ in range(2):
        address = operator.post("/lead-models", {}).headers["Location"]
        edition_id = UUID(address.rpartition("/")[2])
        card = {
            "day": "2026-03-01",
            "held_out": ["2025-03-01", "2026-03-01"],
            "scores": {NEW: SCORES, HEURISTIC: SCORES},
        }
        with province.workshop.work(system_actor("worker")) as work:
            lead_editions._settle(work, edition_id, Fitted(card, b"{}", None), against)
        addresses.append(address)
        against = edition_id
    assert "0.0622" in operator.get("/lead-models").text
    assert "恢复采用此版" not in operator.get(addresses[1]).text
    assert operator.post(f"{addresses[0]}/put-back", {"reason": ""}).status_code == 422
    assert operator.post(f"{addresses[0]}/put-back", {"reason": "新版名单偏远"}).status_code == 303
    page = operator.get(addresses[0]).text
    assert "采用中" in page
    assert "新版名单偏远" in page
    operator.get("/language/en")
    assert "Put back by hand" in operator.get(addresses[0]).text
