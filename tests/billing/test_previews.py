"""Prices shown side by side, each as if it were the only one bought."""

from __future__ import annotations

from sqlalchemy import event

from billing.usecases import quotes
from tenants.kernel.work import WorkShop
from tests.support.subsidies import FACTS, YUAN, approve_programme, ask, check_out, fill_fund, park, policy, price

OFFERINGS = ("twin", "leads", "slot")


def lines() -> list[quotes.QuoteLineRequest]:
    """One unit of each offering, from two providers."""
    return [
        quotes.QuoteLineRequest(offering, 1, {}, {"provider": f"provider-{index % 2}"}, offering)
        for index, offering in enumerate(OFFERINGS)
    ]


def test_each_line_costs_what_it_costs_alone_and_all_take_the_statements_of_one(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 9_000 * YUAN)
    caps = [
        {"scope": "entity_year", "amount_fen": 20_000 * YUAN},
        {"scope": "provider_pool", "amount_fen": 8_000 * YUAN},
    ]
    approve_programme(workshop, "tech", policy(caps=caps))
    for offering in OFFERINGS:
        price(workshop, offering)
    actor = park()
    taken = ask(workshop, actor, "twin", line_facts=[{"provider": "provider-0"}])
    check_out(workshop, actor, taken)
    sent: list[str] = []
    with workshop.work(actor) as work:
        event.listen(work.connection, "before_cursor_execute", lambda *about: sent.append(about[2]))
        alone = [quotes.preview(work, lines=[line], facts=FACTS).lines[0] for line in lines()]
        of_one, sent[:] = len(sent) // len(OFFERINGS), []
        together = quotes.preview_each(work, lines=lines(), facts=FACTS)
    assert list(together) == alone
    assert [line.subsidy_fen // YUAN for line in together] == [2_000, 3_000, 2_000]
    assert len(sent) == of_one


def test_nothing_costs_nothing(workshop: WorkShop) -> None:
    with workshop.work(park()) as work:
        assert quotes.preview_each(work, lines=[], facts=FACTS) == ()
