"""Editions of the ranking model through the API and on the operator's pages, fitted by the real job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from services.gateways.sandbox import Limits
from services.usecases import lead_editions
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.services import import_demo_companies


@pytest.fixture
def fitted(province: Province, tmp_path: Path) -> Callable[[str], None]:
    """Carry out a refit of a registry without dated expansions."""
    import_demo_companies(province.workshop, province.workshop.clock.now().date(), 300)

    def carry_out(edition_id: str) -> None:
        lead_editions.carry_out_refit(
            province.workshop, system_actor("worker"), edition_id=UUID(edition_id), cache=tmp_path, limits=Limits()
        )

    return carry_out


def test_a_refit_without_outcomes_is_kept_and_refused(province: Province, fitted: Callable[[str], None]) -> None:
    operator, park = province.operator, province.park(1)
    assert park.post("/lead-models").status_code == 403
    assert park.get("/lead-models").status_code == 403
    started = operator.post("/lead-models")
    assert (started.status_code, started.get_json()["status"]) == (201, "fitting")
    again = operator.post("/lead-models")
    assert (again.status_code, again.get_json()["code"]) == (409, "lead_editions.fitting")
    edition_id = started.get_json()["id"]
    fitted(edition_id)
    told = operator.get(f"/lead-models/{edition_id}").get_json()
    assert (told["edition"]["status"], told["edition"]["refusal"]) == ("refused", "too_few")
    assert [each["step"] for each in told["steps"]] == ["refused"]
    assert told["edition"]["card"]["companies"] > 0
    refused = operator.post(f"/lead-models/{edition_id}/put-back", {"reason": "试试"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "lead_editions.not_earlier")
    assert [each["number"] for each in operator.get("/lead-models").get_json()["items"]] == [1]
