"""The API keeps to its own document whatever is sent and whoever sends it: schemathesis finds nothing.

Making the cases takes longer than answering them, so each is made once and sent by everyone in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.openapi import from_wsgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.province import LEADS, Province
from tests.support.web import Caller

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 4
"""Cases of each call and of each sort (fitting its document, and broken); many more were tried while it was written."""
PARTS = 2
"""Tests that the calls are dealt to, so that two cores have as much to do."""


@pytest.mark.slow
@pytest.mark.timeout(900)  # every call of the API, in both sorts; on a busy machine that takes minutes
@pytest.mark.parametrize("part", range(PARTS))
def test_schemathesis_finds_nothing(province: Province, part: int) -> None:
    known = lived_in(province)
    callers = [known.pop("park"), province.officer, province.finance, province.lab]
    schema = from_wsgi("/api/v1/openapi.json", province.app)
    for found in islice(schema.get_all_operations(), part, None, PARTS):
        assert isinstance(found, Ok)
        operation = found.ok()
        for mode in GenerationMode:
            if mode is GenerationMode.NEGATIVE and not takes_anything(operation.definition.raw):
                continue
            cases = operation.as_strategy(generation_mode=mode)
            attack(cases, known.get(operation.path.removeprefix("/api/v1/").split("/")[0]), callers)


def takes_anything(documented: Mapping[str, Any]) -> bool:
    """Tell whether there is anything to get wrong in a call: a parameter, a body, or who makes it."""
    return any(documented.get(part) for part in ("parameters", "requestBody", "security"))


def attack(cases: st.SearchStrategy[Case[Any]], ids: list[str] | None, callers: Sequence[Caller]) -> None:
    """Send cases as everyone, every second with an id that exists where the path takes one."""

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, chosen=st.sampled_from([*(ids or []), None]))
    def send(case: Case[Any], chosen: str | None) -> None:
        if chosen is not None and "id" in case.path_parameters:
            case.path_parameters["id"] = chosen
        for caller in callers:
            case.call_and_validate(headers={"Authorization": f"Bearer {caller.token}"}, checks=CHECKS)

    send()


def lived_in(province: Province) -> dict[str, Any]:
    """Let things happen in the province, and return their ids by the noun in the path."""
    fund = province.fund()
    park = province.park()
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    file = park.post("/artefacts?name=a.csv", data=b"a,b", content_type="text/csv").get_json()
    programmes = park.get("/programmes").get_json()["items"]
    return {
        "park": park,
        "parks": [park.get("/me").get_json()["park"]["id"]],
        "funds": [fund],
        "quotes": [quote["id"]],
        "orders": [order["id"]],
        "runs": [order["lines"][0]["run"]["id"]],
        "artefacts": [file["id"]],
        "programmes": [programme["id"] for programme in programmes],
    }
