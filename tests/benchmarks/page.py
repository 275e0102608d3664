"""The catalogue, as a page and through the API, beside an empty page of Flask: CPU of the web process per request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from marketplace.web.pages import USER
from marketplace.wsgi import create_app
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation
from tests.benchmarks.statements import recorded

REQUESTS = 40
ROUNDS = 5


def bench_page(place: Installation) -> list[Figure]:
    """Measure (about 10 seconds)."""
    empty = Flask("empty")
    empty.add_url_rule("/", view_func=lambda: "")
    nothing = empty.test_client()
    park = create_app(place.market).test_client()
    with park.session_transaction() as session:
        session[USER] = str(place.people[0].user_id)
    bearer = {"Authorization": f"Bearer {place.tokens[0]}"}
    cases: dict[str, Callable[[], Any]] = {
        "page, catalogue": lambda: _get(park, "/catalogue", {}),
        "API, offerings": lambda: _get(park, "/api/v1/offerings", bearer),
    }
    bare = _cpu(lambda: _get(nothing, "/", {}))
    return [_figure(place, name, case, bare) for name, case in cases.items()]


def _figure(place: Installation, name: str, case: Callable[[], Any], bare: float) -> Figure:
    with recorded(place.market.engine) as statements:
        case()
    ours = _cpu(case)
    detail = f"{ours * 1000:.1f} ms CPU ÷ {bare * 1000:.2f} ms of an empty Flask page; {len(statements)} statements"
    return Figure(name, f"{ours / bare:.1f}", "–", detail)


def _get(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}")


def _cpu(case: Callable[[], Any]) -> float:
    """Return the least CPU seconds a request took on average over a round."""
    case()
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(REQUESTS):
            case()
        best = min(best, (time.process_time() - began) / REQUESTS)
    return best
