"""A small province for tests of subsidies: funds filled by two people, programmes approved by two, and parks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from billing.usecases import funds, holds, pricing, programmes, quotes
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop

OFFICER = system_actor("officer", on_behalf_of=new_id())
APPROVER = system_actor("approver", on_behalf_of=new_id())
YUAN = 100
FACTS = {"park_size": "small", "region": "510118", "region_class": "western", "tier": "leading"}


def park() -> Actor:
    """A park's person, with every permission."""
    return system_actor("park", tenant_id=new_id(), on_behalf_of=new_id())


def fill_fund(shop: WorkShop, slug: str, amount_fen: int, **envelopes: int) -> UUID:
    """Open a fund and put money into it and into its regional envelopes (named ``r510118``)."""
    with shop.work(OFFICER) as work:
        fund = funds.open_fund(work, slug=slug, name=f"资金{slug}", name_en=slug, year=2026)
    for envelope, amount in {"": amount_fen, **envelopes}.items():
        if amount:
            with shop.work(OFFICER) as work:
                asked = funds.request_appropriation(
                    work, fund_id=fund.id, amount_fen=amount, document_no="财〔2026〕1号", envelope=envelope.lstrip("r")
                )
            with shop.work(APPROVER) as work:
                funds.approve_appropriation(work, appropriation_id=asked.id)
    return fund.id


def policy(**changes: Any) -> dict[str, Any]:
    """A version that gives 60 % at once from the fund ``province``."""
    return {
        "mode": "instant",
        "base": "gross",
        "window": {"from": "2026-03-02", "to": "2027-01-01"},
        "rates": [{"rate_bp": 6000}],
        "funders": [{"fund": "province", "share_bp": 10000}],
        "shortfall": "partial",
        **changes,
    }


def approve_programme(
    shop: WorkShop, slug: str, document: Mapping[str, Any], bounds: Mapping[str, Any] | None = None
) -> UUID:
    """Create a programme with one approved version."""
    with shop.work(OFFICER) as work:
        made = programmes.create_programme(work, slug=slug, name=f"项目{slug}", name_en=slug, bounds=bounds or {})
    supersede(shop, made.id, document)
    return made.id


def supersede(shop: WorkShop, programme_id: UUID, document: Mapping[str, Any]) -> int:
    """Add an approved version to a programme; return its number."""
    with shop.work(OFFICER) as work:
        written = programmes.write_version(work, programme_id=programme_id, policy=document)
        programmes.submit_version(work, programme_id=programme_id, version=written.version)
    with shop.work(APPROVER) as work:
        programmes.approve_version(work, programme_id=programme_id, version=written.version)
    return written.version


def price(shop: WorkShop, offering: str, unit_price: str = "10000") -> None:
    """Let an offering cost so many yuan a unit from now on."""
    with shop.work(OFFICER) as work:
        pricing.set_price(
            work,
            offering=offering,
            charge={"model": "per_unit", "unit_price": unit_price},
            vat_bp=600,
            valid_from=work.now,
        )


def ask(
    shop: WorkShop,
    actor: Actor,
    *offerings: str,
    facts: Mapping[str, Any] = FACTS,
    line_facts: Sequence[Mapping[str, Any]] = (),
    quantity: int = 1,
) -> quotes.QuoteView:
    """Ask a quote of one line per offering."""
    lines = [
        quotes.QuoteLineRequest(offering, quantity, facts=line_facts[index] if line_facts else {}, title=offering)
        for index, offering in enumerate(offerings)
    ]
    with shop.work(actor) as work:
        return quotes.make_quote(work, lines=lines, facts=facts, valid_for=timedelta(minutes=30))


def check_out(shop: WorkShop, actor: Actor, quote: quotes.QuoteView) -> tuple[list[UUID], tuple[holds.HoldView, ...]]:
    """Confirm a quote and hold its subsidies, as the last step of a checkout does."""
    line_ids = [new_id() for _ in quote.lines]
    with shop.work(actor) as work:
        confirmed = quotes.confirm_quote(work, quote_id=quote.id)
        held = holds.hold_subsidies(work, quote=confirmed, line_ids=line_ids, expires_at=work.now + timedelta(days=30))
    return line_ids, held


def fund_now(shop: WorkShop, fund_id: UUID) -> funds.FundView:
    """Return a fund as it is."""
    with shop.work(OFFICER) as work:
        return funds.read_fund(work, fund_id=fund_id)
