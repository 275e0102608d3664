"""API keys and OAuth 2.0 client credentials."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tenants.usecases.sign_in_limits import ACCOUNT_TRIES, ADDRESS_TRIES
from tests.support.province import Province
from tests.support.web import Caller

SCOPE = "catalogue:read order:read park:read"
"""What reading orders takes: an order names its park and its offerings."""


def ask(app: Flask, **form: str) -> TestResponse:
    return app.test_client().post("/oauth/token", data={"grant_type": "client_credentials"} | form)


def credentials(token: str) -> tuple[str, str]:
    _, client, secret = token.split("_", 2)
    return client, secret


def test_nobody_is_told_to_sign_in(province: Province) -> None:
    answer = province.nobody.get("/me")
    assert (answer.status_code, answer.get_json()["code"]) == (401, "auth.required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "x", "pk_", "pk_zz_zz", "at_", "pk_\udcff", "at_" + "x" * 5000])
def test_a_made_up_token_is_nobody(app: Flask, token: str) -> None:
    answer = app.test_client().get(
        "/api/v1/me", headers={"Authorization": f"Bearer {token}".encode("utf-8", "ignore").decode()}
    )
    assert answer.status_code == 401


def test_client_credentials_give_a_token_in_both_ways(province: Province) -> None:
    park = province.park()
    client, secret = credentials(str(park.token))
    posted = ask(province.app, client_id=client, client_secret=secret, scope=SCOPE)
    assert posted.status_code == 200, posted.text
    assert posted.get_json()["token_type"] == "Bearer"
    assert posted.get_json()["scope"] == SCOPE
    basic = province.app.test_client().post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client, secret)
    )
    assert basic.status_code == 200, basic.text
    narrow = Caller(province.app.test_client(), posted.get_json()["access_token"])
    assert narrow.get("/orders").status_code == 200
    assert narrow.post("/subscriptions", {"tier": "basic"}).status_code == 403
    assert Caller(province.app.test_client(), basic.get_json()["access_token"]).get("/me").status_code == 200


def test_wrong_credentials_get_none(province: Province) -> None:
    client, secret = credentials(str(province.park().token))
    wrong = ask(province.app, client_id=client, client_secret="wrong")
    assert (wrong.status_code, wrong.get_json()["error"]) == (401, "invalid_client")
    unknown = ask(province.app, client_id="nobody", client_secret=secret)
    assert (unknown.status_code, unknown.get_json()["error"]) == (401, "invalid_client")
    beyond = ask(province.app, client_id=client, client_secret=secret, scope="fund:approve")
    assert (beyond.status_code, beyond.get_json()["error"]) == (400, "invalid_scope")
    other = ask(province.app, grant_type="password", client_id=client, client_secret=secret)
    assert (other.status_code, other.get_json()["error"]) == (400, "unsupported_grant_type")
    assert ask(province.app).status_code == 401


def test_a_key_lists_and_revokes_keys_and_makes_none(province: Province) -> None:
    park = province.park()
    (key,) = park.get("/api-keys").get_json()["items"]
    assert "token" not in key
    assert park.post("/api-keys", {"name": "second", "scopes": ["order:read"]}).status_code == 403
    assert park.delete(f"/api-keys/{key['id']}").status_code == 204
    assert park.get("/me").status_code == 401


def test_guessing_a_clients_secret_is_stopped_and_other_addresses_and_clients_are_not(province: Province) -> None:
    client, secret = credentials(str(province.park().token))
    for _ in range(ACCOUNT_TRIES):
        assert ask(province.app, client_id=client, client_secret="wrong").status_code == 401
    stopped = ask(province.app, client_id=client, client_secret=secret)
    assert (stopped.status_code, stopped.mimetype) == (429, "application/problem+json")
    assert stopped.get_json()["code"] == "auth.too_many"
    assert 0 < int(stopped.headers["Retry-After"]) <= 900
    for number in range(ADDRESS_TRIES - ACCOUNT_TRIES):
        assert ask(province.app, client_id=f"guess-{number}", client_secret="wrong").status_code == 401
    other, right = credentials(str(province.park(2).token))
    form = {"grant_type": "client_credentials", "client_id": other, "client_secret": right}
    assert province.app.test_client().post("/oauth/token", data=form).status_code == 429
    elsewhere = {"X-Forwarded-For": "198.51.100.7, 2001:db8::1"}
    assert province.app.test_client().post("/oauth/token", data=form, headers=elsewhere).status_code == 200
