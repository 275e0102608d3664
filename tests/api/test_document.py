"""The API's document is valid, whole, and says of every call who may make it and how it refuses."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from marketplace.api import NOUNS
from marketplace.wsgi import openapi_document

CONTRACT = {
    "post /oauth/token",
    "post /parks", "post /parks/{id}/verification", "get /me", "post /subscriptions", "get /offerings",
    "post /quotes", "get /quotes/{id}", "post /orders", "get /orders", "get /orders/{id}", "post /orders/{id}/cancel",
    "get /orders/{id}/artefacts", "get /artefacts/{id}", "post /artefacts", "post /slots/search", "get /bookings/{id}",
    "get /bookings/{id}.ics", "post /bookings/{id}/report", "post /events", "get /meters", "get /meters/{slug}/query", "get /usage", "get /reconciliation", "get /runs/{id}",
    "post /programmes", "get /programmes", "post /programmes/{id}/versions",
    "post /programmes/{id}/versions/{version}/submission", "post /programmes/{id}/versions/{version}/approval",
    "post /funds", "get /funds", "get /funds/{id}", "post /funds/{id}/appropriations",
    "post /funds/{id}/appropriations/{appropriation_id}/approval",
    "post /exemptions", "get /exemptions", "get /exemptions/{id}", "post /exemptions/evidence",
    "post /exemptions/{id}/approval", "post /exemptions/{id}/revocation", "get /exemptions/{id}/evidence",
    "get /invoices", "get /invoices/{id}", "get /invoices/{id}.pdf", "post /invoices", "post /bank-statements",
    "get /api-keys", "post /api-keys", "delete /api-keys/{id}",
}  # fmt: skip
MONEY = ("/quotes", "/orders", "/funds", "/invoices", "/bank-statements", "/programmes", "/subscriptions")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path.removeprefix('/api/v1')}": operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_call_of_the_contract_is_there(document: dict[str, Any]) -> None:
    assert CONTRACT - set(operations(document)) == set()


def test_every_call_says_how_it_refuses_and_who_may_make_it(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation["summary"], name
        statuses = set(operation["responses"])
        assert {"422", "500", "503"} <= statuses, name
        if (
            name not in {"post /parks", "post /pre-checks", "post /oauth/token"}
            and not name.startswith("get /schemas/")
            and "/claim-notices" not in name
        ):
            assert operation["security"], name
            assert {"401", "403", "404", "409"} <= statuses, name


def test_commands_on_money_take_an_idempotency_key(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        if name.startswith("post ") and name.removeprefix("post ").startswith(MONEY):
            assert "Idempotency-Key" in {each["name"] for each in operation.get("parameters", [])}, name


def test_no_two_models_share_a_name(document: dict[str, Any]) -> None:
    """The document keeps models by name: the later one would silently describe the earlier one's calls."""
    modules = [import_module(f"marketplace.api.{noun}") for noun in NOUNS]
    own = {
        (model.__module__, name)
        for module in modules
        for name, model in vars(module).items()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
    }
    assert [name for name, times in Counter(name for _, name in own).items() if times > 1] == []


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = Counter(operation["operationId"] for operation in operations(document).values())
    assert max(names.values()) == 1
