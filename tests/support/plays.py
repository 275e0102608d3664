"""The demo's province on a database of a test's own: cloned from one that was seeded once a run.

Everything goes through use cases and the real queue. When a play ends, every invariant of the system must hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

from psycopg import sql
from sqlalchemy import make_url, text

from billing.usecases import payments, pricing, quotes, wallets
from infra.postgres import Server
from marketplace.composition import build
from marketplace.demo import province, world
from marketplace.demo.documents import bank_statement, leads_brief, week_of_park
from marketplace.demo.seeder import Seeder
from marketplace.demo.theatre import START, Play
from marketplace.rules.orders import PaymentMethod
from marketplace.settings import DEMO_SECRET, Settings
from marketplace.tables import metadata
from marketplace.usecases import checkout, invariants, orders, subscription_fees
from marketplace.usecases.views import OrderView
from services.usecases import runs, slot_search
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.usecases import onboarding
from tests.support.databases import Database, fresh_database

YUAN = world.YUAN
TWIN, LEADS, INSPECTION = "digital-twin-run", "ai-leads", "shared-inspection"
PARKS = tuple(park for park in world.PARKS if park.login in {"park01", "park02", "park08", "park12"})
"""Two small ones of the leading tier, one of the basic tier, and one that is not verified."""
RACERS = tuple(
    world.DemoPark(f"racer{number:02}", f"第 {number} 产业园", "411224", ParkSize.SMALL, Tier.LEADING)
    for number in range(16)
)
MANIFEST = b'{"files": []}'
Wish = checkout.LineWish
WEEK = Wish(TWIN, {"park": week_of_park("卢氏县绿色食品产业园")})
BRIEF = Wish(LEADS, leads_brief("411224"))
NO_COMPANY = Wish(LEADS, leads_brief("411224") | {"industries": ["07"]})
"""A brief that the engine refuses: the demo's registry has nobody in that industry."""


@dataclass(frozen=True)
class Scenery:
    """A province to clone: institutions, catalogue, prices, registry and parks, but no public money yet."""

    server: Server
    template: str
    people: Mapping[str, Actor]

    @contextmanager
    def play(self, *, tablespace: str | None = None) -> Iterator[Play]:
        """Give a province of its own to a test; afterwards every invariant holds, or the test has failed."""
        with fresh_database(self.server, self.template) as database:
            if tablespace is not None:
                where = sql.Identifier(_name(database)), sql.Identifier(tablespace)
                self.server.execute(sql.SQL("ALTER DATABASE {} SET TABLESPACE {}").format(*where))
            play = _open(database)
            play.seeder._people.update(self.people)
            try:
                yield play
                assert_invariants(play)
            finally:
                play.market.close()


@contextmanager
def build_scenery(server: Server) -> Iterator[Scenery]:
    """Seed the province that plays are cloned from."""
    with fresh_database(server) as database:
        play = _open(database)
        try:
            province.enter_institutions(play.seeder)
            for park in (*PARKS, *RACERS):
                province.enter_park(play.seeder, park)
            for login in ("policy", "approver", "finance", "operator", "lab", "park12"):
                play.person(login)
            _settle_fees(play, database)
        finally:
            play.market.close()
        yield Scenery(server, _name(database), play.seeder._people)


def _settle_fees(play: Play, database: Database) -> None:
    """Do what the jobs of the parks' subscriptions would have done by now, so that no play begins with them waiting."""
    for park_id in play.do(system_actor("clockwork"), subscription_fees.parks_to_charge):
        play.do(system_actor("worker", tenant_id=park_id), subscription_fees.charge_park)
    with database.owner().begin() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def _name(database: Database) -> str:
    return str(make_url(database.owner_url).database)


def _open(database: Database) -> Play:
    settings = Settings(
        database_url=database.url, database_owner_url=database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    clock = ManualClock(START)
    market = build(settings, clock=clock)
    seeder = Seeder(market.engine, market.workshop.outbox, START)
    seeder.clock, seeder.workshop = clock, market.workshop
    return Play(market, seeder, clock)


def assert_invariants(play: Play) -> None:
    """Every invariant of the system holds."""
    assert play.do(system_actor("check"), invariants.check) == ()


def give_money(play: Play, amount_fen: int = 1_000_000 * YUAN, *, shortfall: str = "partial") -> None:
    """Open the fund with ``amount_fen`` and approve the demo's programme."""
    province.open_fund(play.seeder, world.FUND_SLUG, START.year, amount_fen)
    play.approve_policy(play.write_policy(world.policy(shortfall=shortfall)))


def top_up(play: Play, park: Actor, amount_fen: int) -> None:
    """Let a park transfer money, which goes to its wallet as it owes nothing."""
    reference = play.do(park, lambda work: onboarding.read_park(work, park_id=_id(park))).payment_reference
    content = bank_statement([("0001", amount_fen, "园区", reference)])(f"{play.clock.now():%Y%m%d}")
    said = play.do(play.finance, lambda work: payments.import_statement(work, name="bank.csv", content=content))
    assert said.matched == 1


def wallet(play: Play, park: Actor) -> tuple[int, int]:
    """Return what a park's wallet has available and held."""
    view = play.do(park, lambda work: wallets.read_wallet(work, park_id=_id(park)))
    return view.available_fen, view.held_fen


def money(play: Play) -> tuple[int, int, int]:
    """Return what of the fund is available, held and captured."""
    fund = play.fund()
    return fund.available_fen, fund.held_fen, fund.captured_fen


def ask(play: Play, park: Actor, *wishes: Wish) -> quotes.QuoteView:
    """Ask a price for several lines."""
    return play.do(park, lambda work: checkout.ask_quote(work, lines=wishes))


def confirm(
    play: Play, park: Actor, quote_id: UUID, method: PaymentMethod = PaymentMethod.INVOICE
) -> OrderView:  # fmt: skip
    """Confirm a price."""
    return play.do(park, lambda work: checkout.place_order(work, quote_id=quote_id, payment_method=method))


def order(play: Play, park: Actor, *wishes: Wish, method: PaymentMethod = PaymentMethod.INVOICE) -> OrderView:
    """Ask a price and confirm it."""
    return confirm(play, park, ask(play, park, *wishes).id, method)


def now(play: Play, park: Actor, placed: OrderView) -> OrderView:
    """Return an order as it stands."""
    return play.do(park, lambda work: orders.read_order(work, order_id=placed.id))


def run_of(placed: OrderView, line: int = 0) -> UUID:
    """Return the run that delivers a line."""
    run = placed.lines[line].run
    assert run is not None
    return run.id


def booking_of(placed: OrderView, line: int = 0) -> UUID:
    """Return the booking that delivers a line."""
    booking = placed.lines[line].booking
    assert booking is not None
    return booking.id


def worker_of(park: Actor) -> Actor:
    """Return the platform that works for a park, as a job does."""
    return system_actor("worker", tenant_id=_id(park))


def begin(play: Play, park: Actor, run_id: UUID) -> None:
    """Begin a run as a worker does."""
    assert play.do(worker_of(park), lambda work: runs.begin_run(work, run_id=run_id)) is not None


def finish(play: Play, park: Actor, run_id: UUID) -> bool:
    """Let an engine's result come in; tell whether it was still wanted."""
    digest = hashlib.sha256(MANIFEST).hexdigest()
    files = {"manifest.json": MANIFEST}
    return play.do(
        worker_of(park),
        lambda work: runs.finish_run(work, run_id=run_id, files=files, kpis={}, manifest_sha256=digest),
    )


def free_slots(play: Play, park: Actor) -> Sequence[slot_search.SlotView]:
    """Return the free slots of the coming days."""
    first = play.clock.now() + timedelta(days=1)
    return play.do(
        park,
        lambda work: slot_search.search_slots(work, offering=INSPECTION, from_=first, to=first + timedelta(days=2)),
    )


def inspection(slot: slot_search.SlotView) -> Wish:
    """Return the wish for a slot."""
    request = {"instrument_id": str(slot.instrument_id), "starts_at": slot.starts_at.isoformat(), "purpose": "检测"}
    return Wish(INSPECTION, request)


def set_price(play: Play, offering: str, unit_price: str, at: datetime) -> None:
    """Let the operator change a price from ``at`` on."""
    charge = {"model": "per_unit", "unit_price": unit_price}
    play.do(
        play.person("operator"),
        lambda work: pricing.set_price(work, offering=offering, charge=charge, vat_bp=600, valid_from=at),
    )


def waiting_jobs(play: Play) -> dict[str, int]:
    """Return how many jobs of events wait, by name; what the clock starts comes and goes with the minute."""
    query = "SELECT task_name, count(*) FROM procrastinate_jobs WHERE status = 'todo' AND queue_name <> 'clockwork'"
    return counted(play, f"{query} GROUP BY 1")


def open_jobs(play: Play) -> int:
    """Return how many jobs wait or are being worked on."""
    query = "SELECT 'open', count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    return counted(play, query)["open"]


def counted(play: Play, query: str) -> dict[str, int]:
    """Return the names and numbers of a query, read as the schema's owner."""
    with _owner(play) as connection:
        return dict(connection.execute(text(query)).all())


def fingerprint(play: Play) -> dict[str, str]:
    """Return the number and a hash of every table's rows, the queue's included."""
    names = sorted([*metadata.tables, "procrastinate_jobs"])
    rows = " UNION ALL ".join(
        f"SELECT '{name}', concat(count(*), '/', sum(CAST(hashtextextended(CAST(t AS text), 0) AS numeric))) FROM {name} t"
        for name in names
    )
    with _owner(play) as connection:
        return dict(connection.execute(text(rows)).all())


@contextmanager
def _owner(play: Play) -> Iterator[Any]:
    owner = Database(play.market.settings.database_owner_url, play.market.settings.database_url).owner()
    with owner.connect() as connection:
        yield connection
    owner.dispose()


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start every task at the same moment in a thread of its own; return results, refusals by their code."""
    start = Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return task()
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def _id(park: Actor) -> UUID:
    return park.require_tenant()
