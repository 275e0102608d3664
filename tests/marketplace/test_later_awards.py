"""Awards that come after the delivery, from the order on: what is delivered is offered, once, and nothing else is."""

from __future__ import annotations

from billing.usecases import entitlement_claims, entitlements
from marketplace.demo import world
from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import fulfilment, later_awards
from tenants.kernel.context import system_actor
from tests.support import plays, subsidies
from tests.support.databases import Database
from tests.support.plays import BRIEF, WEEK, YUAN, run_of


def test_what_was_delivered_without_an_offer_is_found_by_the_chore_once(play: Play) -> None:
    plays.give_money(play)
    funders = [{"fund": world.FUND_SLUG, "share_bp": 10000}]
    terms = subsidies.policy(mode="auto", rates=[{"rate_bp": 1000}], payee="tenant", funders=funders)
    subsidies.approve_programme(play.market.workshop, "automatic", terms)
    park = play.person("park01")
    plays.top_up(play, park, 10_000 * YUAN)
    order = plays.order(play, park, WEEK, BRIEF, method=PaymentMethod.WALLET)
    run = run_of(order)
    plays.begin(play, park, run)
    plays.finish(play, park, run)
    play.do(plays.worker_of(park), lambda work: fulfilment.complete_run(work, run_id=run))
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    (offered,) = play.do(park, entitlements.offered_automatically)
    assert (offered.reference, offered.grantable_fen) == (order.number, 1_000 * YUAN), "paid from the wallet at once"
    settings = play.market.settings
    owner = Database(settings.database_owner_url, settings.database_url).owner()
    with owner.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("DELETE FROM entitlements")
    owner.dispose()
    assert len(play.do(system_actor("clockwork"), later_awards.lines_to_offer)) == 1, "the cancelled line has nothing"
    clockwork.offer_later_awards(play.market)
    clockwork.offer_later_awards(play.market)
    (again,) = play.do(park, entitlements.offered_automatically)
    assert (again.reference, again.order_line_id, again.claim_until) == (
        offered.reference,
        offered.order_line_id,
        offered.claim_until,
    )
    granted = play.do(
        park,
        lambda work: entitlement_claims.confirm_entitlement(work, entitlement_id=again.id, amount_fen=1_000 * YUAN),
    )
    assert granted.state == "claimed"
