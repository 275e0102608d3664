"""What a plan includes: one read tells it, the first units of a month cost nothing, and the last one goes to one order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from billing.usecases import invoicing, plans, reconciliation
from marketplace.demo.theatre import Play
from marketplace.store.subscription_queries import _RUNNING_PLAN
from marketplace.usecases import fulfilment, invariants, rights, shop
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.database import begin_as
from tenants.kernel.errors import Conflict, NotAllowed
from tenants.kernel.vocabulary import Tier
from tests.support import plays
from tests.support.plays import BRIEF, INSPECTION, LEADS, TWIN, WEEK, ask, confirm, order


def set_plan(play: Play, tier: Tier = Tier.LEADING, **given: Any) -> None:
    """Let the operator set a plan's next version, and every park's next period begin by it."""
    document = {"offering_tiers": [each.value for each in Tier if tier.covers(each)], **given}
    play.do(
        play.person("operator"),
        lambda work: plans.set_plan(
            work,
            tier=tier,
            name="方案",
            name_en="Plan",
            monthly_fee_fen=0,
            yearly_fee_fen=0,
            vat_bp=600,
            entitlements=document,
        ),
    )
    play.clock.instant = play.clock.instant.replace(month=play.clock.instant.month + 1, day=1)


@contextmanager
def statements(play: Play) -> Iterator[list[str]]:
    """Note the statements that are sent."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(play.market.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(play.market.engine, "before_cursor_execute", note)


def deliver(play: Play, park: Actor, placed: Any, line: int = 0) -> None:
    run_id = plays.run_of(placed, line)
    plays.begin(play, park, run_id)
    assert plays.finish(play, park, run_id)
    play.do(plays.worker_of(park), lambda work: fulfilment.complete_run(work, run_id=run_id))


def test_the_check_of_rights_is_one_indexed_read(play: Play) -> None:
    park = play.person("park01")
    with statements(play) as sent:
        found = play.do(park, rights.read_rights)
    assert found.tier is Tier.LEADING
    reads = [statement for statement in sent if "SET LOCAL" not in statement]
    assert len(reads) == 1
    with play.market.engine.connect() as connection:
        begin_as(connection, "SET LOCAL ROLE marketplace_staff")
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        values = {"tenant_id": park.require_tenant(), "now": play.clock.now()}
        plan = "\n".join(row[0] for row in connection.execute(text(f"EXPLAIN {_RUNNING_PLAN.text}"), values))
    assert "Seq Scan" not in plan, plan
    with statements(play) as sent:
        ask(play, park, WEEK, BRIEF)
    assert len([statement for statement in sent if "LATERAL" in statement]) == 1, "once for all lines of an order"


def test_a_plan_decides_what_may_be_rented(play: Play) -> None:
    plays.give_money(play)
    park = play.person("park01")
    set_plan(play, deliveries=["leads", "inspection"])
    ask(play, park, BRIEF)
    with pytest.raises(NotAllowed) as refused:
        ask(play, park, WEEK)
    assert refused.value.code == "subscription.tier_too_low"
    covered = {item.offering.slug: item.covered for item in play.do(park, shop.list_shop)}
    assert (covered[LEADS], covered[TWIN], covered[INSPECTION]) == (True, False, True)
    set_plan(play, offering_tiers=[], offerings=[TWIN], limits={TWIN: 1}, priority=7)
    order(play, park, WEEK)
    assert play.do(park, rights.read_rights).entitlements.limits == {TWIN: 1}
    priority = plays.counted(play, "SELECT 'run', max(priority) FROM procrastinate_jobs WHERE queue_name = 'engines'")
    assert priority["run"] == 7
    with pytest.raises(Conflict, match="每月最多") as most:
        ask(play, park, WEEK)
    assert most.value.code == "plan.limit"


def test_the_first_units_of_a_month_cost_nothing(play: Play) -> None:
    plays.give_money(play)
    park = play.person("park01")
    set_plan(play, included={LEADS: 2, TWIN: 0})
    quote = ask(play, park, BRIEF, BRIEF, BRIEF, WEEK)
    assert [(line.included, line.gross_fen, line.discount_fen) for line in quote.lines] == [
        (1, 0, 300_000), (1, 0, 300_000), (0, 300_000, 0), (0, 1_000_000, 0),
    ]  # fmt: skip
    assert [line.subsidy_fen for line in quote.lines][:2] == [0, 0], "no public money for what costs nothing"
    placed = confirm(play, park, quote.id)
    assert [line.included for line in placed.lines] == [1, 1, 0, 0]
    assert ask(play, park, BRIEF).lines[0].included == 0
    deliver(play, park, placed)
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=placed.id))
    again = order(play, park, BRIEF)
    assert again.lines[0].included == 1, "what was not delivered is given back"
    deliver(play, park, again)
    period = f"{play.clock.now():%Y-%m}"
    play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=period))
    view = play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period))
    assert view.breaks == ()
    play.clock.advance(timedelta(days=31))
    assert ask(play, park, BRIEF).lines[0].included == 1, "each month anew"


def test_the_last_included_unit_goes_to_one_order(play: Play) -> None:
    plays.give_money(play)
    park = play.person("park01")
    set_plan(play, included={LEADS: 1})
    quotes = [ask(play, park, BRIEF) for _ in range(4)]
    assert [quote.gross_fen for quote in quotes] == [0] * 4
    outcomes = plays.at_once([partial(_confirmed_fen, play, park, quote.id) for quote in quotes])
    assert sorted(map(str, outcomes)) == ["0", *["quote.included_changed"] * 3]
    second = order(play, park, BRIEF)
    assert second.gross_fen == 300_000


def _confirmed_fen(play: Play, park: Actor, quote_id: UUID) -> int:
    return confirm(play, park, quote_id).gross_fen


def test_a_changed_price_leaves_ordered_usage_at_its_own(play: Play) -> None:
    plays.give_money(play)
    park = play.person("park01")
    placed = order(play, park, BRIEF)
    play.clock.advance(timedelta(hours=1))
    plays.set_price(play, LEADS, "9999", play.clock.now())
    deliver(play, park, placed)
    period = f"{play.clock.now():%Y-%m}"
    view = play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period))
    assert (view.breaks, view.metered_fen, view.rated_fen) == ((), 300_000, 300_000)
    assert ask(play, park, BRIEF).gross_fen == 999_900


BROKEN = {
    "plan-uses": "UPDATE plan_counters SET units = units + 1",
    "plan-use-of-line": "UPDATE order_lines SET included = 0",
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_of_included_units_finds_its_break(scenery: plays.Scenery, name: str) -> None:
    found: set[str] = set()
    with pytest.raises(AssertionError), scenery.play() as play:  # noqa: PT012 - the play looks at its end
        set_plan(play, included={LEADS: 1})
        order(play, play.person("park01"), BRIEF)
        with plays._owner(play) as connection:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(BROKEN[name]))
            connection.commit()
        found |= {each.name for each in play.do(system_actor("check"), invariants.check)}
    assert found == {name}
