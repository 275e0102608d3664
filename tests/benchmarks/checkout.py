"""A checkout through HTTP beside the statements of the same transaction sent by bare psycopg.

The statements are recorded from one real order and sent again with new ids by as many connections as there are
clients; afterwards every invariant must hold over the orders of both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import make_url, text

from marketplace.demo.documents import leads_brief
from marketplace.rules.orders import order_number
from marketplace.usecases import checkout, invariants
from marketplace.wsgi import create_app
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation
from tests.benchmarks.served import Client, rate, served
from tests.benchmarks.statements import Statement, ids_since, recorded, replaced, transactions

ROUNDS = 2
SECONDS = 2.5
QUOTES = 1000
"""For each park: more than can be bought in the time."""
WISHES = {
    "twin run": checkout.LineWish("digital-twin-run", {"demo": True}),
    "leads": checkout.LineWish("ai-leads", leads_brief("411224")),
}
_COPY_QUOTES = """
INSERT INTO quotes (tenant_id, id, lines, facts, gross_fen, subsidy_fen, payable_fen, created_by, created_at, expires_at)
SELECT tenant_id, gen_random_uuid(), lines, facts, gross_fen, subsidy_fen, payable_fen, created_by, created_at, expires_at
FROM quotes, generate_series(1, :many) WHERE id = ANY(:ids) RETURNING tenant_id, id
"""


@dataclass(frozen=True)
class Recording:
    """The transaction of one order, and the texts in it that were of that order alone."""

    statements: list[Statement]
    order_id: str
    number: str
    quote_id: str
    key: str
    ids: frozenset[UUID]
    tenant_id: str
    user_id: str


def bench_checkout(place: Installation) -> list[Figure]:
    """Measure a checkout of each kind (about 30 seconds) and check the books."""
    with served(place.market.settings) as port:
        figures = [_measure(place, port, name, wish) for name, wish in WISHES.items()]
    with place.market.workshop.work(system_actor("check")) as work:
        wrong = invariants.check(work)
    if wrong:
        raise RuntimeError(f"the books are wrong after the benchmark: {wrong}")
    return figures


def _measure(place: Installation, port: int, name: str, wish: checkout.LineWish) -> Figure:
    with recorded(place.market.engine) as asking, place.market.workshop.work(place.people[0]) as work:
        first = checkout.ask_quote(work, lines=[wish]).id
    kept = _quotes(place, wish)
    recording = _record(place, str(first))
    clients = [_client(port, token, quotes) for token, quotes in zip(place.tokens, kept, strict=True)]
    for client in clients:
        client()  # the processes load what they need
    by_http, bare = [], []
    with _senders(place, recording, kept) as senders:
        for _ in range(ROUNDS):
            by_http.append(rate(clients, SECONDS))
            bare.append(rate(senders, SECONDS))
    ours, theirs = sum(by_http) / ROUNDS, sum(bare) / ROUNDS
    detail = (
        f"{ours:.0f} orders/s by HTTP ÷ {theirs:.0f}/s of the same {len(recording.statements)} statements bare, "
        f"{len(clients)} clients; a quote takes {len(asking)} statements"
    )
    return Figure(f"checkout, {name}", f"{ours / theirs:.2f}", "–", detail)


def _quotes(place: Installation, wish: checkout.LineWish) -> list[list[UUID]]:
    """Return many quotes of each park: one is asked, the others are copies."""
    asked = []
    for person in place.people:
        with place.market.workshop.work(person) as work:
            asked.append(checkout.ask_quote(work, lines=[wish]).id)
    kept: dict[UUID, list[UUID]] = {}
    with place.owner() as owner, owner.begin() as connection:
        for tenant_id, quote_id in connection.execute(text(_COPY_QUOTES), {"ids": asked, "many": QUOTES}):
            kept.setdefault(tenant_id, []).append(quote_id)
    return [kept[person.require_tenant()] for person in place.people]


def _record(place: Installation, quote_id: str) -> Recording:
    client = create_app(place.market).test_client()
    first, key = new_id(), new_id().hex
    headers = {"Authorization": f"Bearer {place.tokens[0]}", "Idempotency-Key": key}
    with recorded(place.market.engine) as statements:
        answer = client.post("/api/v1/orders", json=_body(quote_id), headers=headers)
    if answer.status_code != 201:
        raise RuntimeError(answer.text)
    order = answer.get_json()
    sent = transactions(statements)[-1]
    made = frozenset().union(*(ids_since(first, each.parameters) for each in sent))
    person = place.people[0]
    return Recording(
        sent, order["id"], order["number"], quote_id, key, made, str(person.require_tenant()), str(person.user_id)
    )  # fmt: skip


def _body(quote_id: str) -> dict[str, Any]:
    return {"quote_id": quote_id, "payment_method": "invoice"}


def _client(port: int, token: str, quotes: list[UUID]) -> Callable[[], int]:
    client = Client(port)

    def order() -> int:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": new_id().hex,
        }
        client.post("/api/v1/orders", json.dumps(_body(str(quotes.pop()))), headers, 201)
        return 1

    return order


@contextmanager
def _senders(place: Installation, recording: Recording, quotes: list[list[UUID]]) -> Iterator[list[Callable[[], int]]]:
    """Give a task for each park that sends the recorded transaction with new ids, on a connection of its own."""
    url = make_url(place.market.settings.database_url).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    connections = [psycopg.connect(address, prepare_threshold=None) for _ in quotes]
    people = zip(place.people, quotes, connections, strict=True)
    try:
        yield [partial(_send, place, recording, person, left, connection) for person, left, connection in people]
    finally:
        for connection in connections:
            connection.close()


def _send(
    place: Installation, recording: Recording, person: Actor, quotes: list[UUID], connection: psycopg.Connection[Any]
) -> int:
    changes = {str(old): str(new_id()) for old in recording.ids}
    changes |= {
        recording.tenant_id: str(person.require_tenant()),
        recording.user_id: str(person.user_id),
        recording.quote_id: str(quotes.pop()),
        recording.key: new_id().hex,
        recording.number: order_number(place.market.clock.now(), UUID(changes[recording.order_id])),
    }
    with connection.transaction():
        for statement in recording.statements:
            connection.execute(replaced(statement.query, changes), replaced(statement.parameters, changes))
    return 1
