"""How many past orders a second a version is tried on."""

from __future__ import annotations

import time
from datetime import timedelta

from sqlalchemy import text

from infra.postgres import Server
from marketplace.demo import world
from marketplace.usecases import simulations
from tests.support.databases import start_server
from tests.support.plays import PARKS, RACERS, WEEK, build_scenery, give_money, order

ORDERS = 20_000
DAYS = 360

_COPIES = """
    WITH wanted AS (
        SELECT o.*, g, gen_random_uuid() AS new_quote, gen_random_uuid() AS new_order
        FROM orders o CROSS JOIN generate_series(1, :each) AS g
    ), kept AS (
        INSERT INTO quotes (tenant_id, id, lines, facts, gross_fen, subsidy_fen, payable_fen, created_by, created_at,
                            expires_at)
        SELECT w.tenant_id, w.new_quote, q.lines, q.facts, q.gross_fen, q.subsidy_fen, q.payable_fen, q.created_by,
               q.created_at, q.expires_at
        FROM wanted w JOIN quotes q ON (q.tenant_id, q.id) = (w.tenant_id, w.quote_id)
    ), placed AS (
        INSERT INTO orders (tenant_id, id, number, quote_id, status, payment_method, gross_fen, subsidy_fen,
                            payable_fen, placed_by, placed_at, closed_at)
        SELECT tenant_id, new_order, number || '-' || g, new_quote, status, payment_method, gross_fen, subsidy_fen,
               payable_fen, placed_by, placed_at + g * CAST(:step AS interval), closed_at
        FROM wanted
    )
    INSERT INTO order_lines (tenant_id, id, order_id, position, title, offering, quantity, price_id, vat_bp, gross_fen,
                             subsidy_fen, payable_fen, awards, status, run_id, booking_id)
    SELECT l.tenant_id, gen_random_uuid(), w.new_order, l.position, l.title, l.offering, l.quantity, l.price_id,
           l.vat_bp, l.gross_fen, l.subsidy_fen, l.payable_fen, l.awards, l.status, l.run_id, l.booking_id
    FROM wanted w JOIN order_lines l ON (l.tenant_id, l.order_id) = (w.tenant_id, w.id)
    """


def bench_replay(orders: int = ORDERS) -> float:
    """Return how many orders of a year a second one process tries a version on, database included."""
    server = start_server()
    try:
        return _measure(server, orders)
    finally:
        server.stop(remove=True)


def _measure(server: Server, orders: int) -> float:
    with build_scenery(server) as scenery, scenery.play() as play:
        give_money(play)
        parks = [play.person(park.login) for park in (*PARKS[:2], *RACERS)]
        for park in parks:
            order(play, park, WEEK)
        each = orders // len(parks)
        start = play.clock.now()
        play.clock.advance(timedelta(days=DAYS + 1))
        with play.market.workshop.work(play.officer) as work:
            copies = {"each": each, "step": timedelta(days=DAYS) / (each + 1)}
            work.session.execute(text(_COPIES), copies)
            programme = work.session.execute(
                text("SELECT id FROM programmes WHERE slug = :slug"), {"slug": world.PROGRAMME}
            ).scalar_one()
            kept, simulations.MOST_AT_ONCE = simulations.MOST_AT_ONCE, orders * 2
            begun = time.perf_counter()
            found = simulations.simulate_version(
                work, programme_id=programme, version=1, from_=start, to=play.clock.now()
            )
            seconds = time.perf_counter() - begun
            simulations.MOST_AT_ONCE = kept
            work.session.rollback()  # the copies hold no money: no books of theirs would balance
        return found.orders_total / seconds
