"""Writing a policy version in a form: what there is to choose from, and what an unsaved draft would give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.usecases import drafts, funds, programmes
from marketplace.usecases.order_facts import offering_facts
from services.usecases import catalogue
from tenants.kernel.vocabulary import ParkSize, Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.regions import check_county, region_class


@dataclass(frozen=True)
class Desk:
    """What a writer of a version has before them."""

    programme: programmes.ProgrammeView
    funds: tuple[funds.FundView, ...]
    offerings: tuple[catalogue.OfferingView, ...]


@dataclass(frozen=True)
class Example:
    """An order to try a draft on."""

    park_size: ParkSize
    region: str
    tier: Tier
    offering: str
    gross_fen: int


def open_desk(work: Work, *, programme_id: UUID) -> Desk:
    """Return a programme, and the funds and services that its next version may name."""
    work.actor.require(Permission.WRITE_PROGRAMME)
    return Desk(
        programmes.read_programme(work, programme_id=programme_id),
        funds.list_funds(work),
        catalogue.list_offerings(work),
    )


def try_draft(work: Work, *, programme_id: UUID, policy: Mapping[str, Any], example: Example) -> drafts.Trial:
    """Return what an unsaved draft would give on one order, by the rules that a quote uses. Nothing is kept.

    Raises Invalid for a document that is no policy or a region that is no county, NotFound for an unknown service.
    """
    work.actor.require(Permission.WRITE_PROGRAMME)
    county = check_county(example.region)
    offering = catalogue.read_offering(work, slug=example.offering)
    facts = {
        "park_size": example.park_size.value,
        "region": county.code,
        "region_class": region_class(county.code).value,
        "tier": example.tier.value,
        "verification": "verified",
        **offering_facts(offering),
    }
    return drafts.try_draft(
        work,
        programme_id=programme_id,
        policy=policy,
        offering=offering.slug,
        gross_fen=example.gross_fen,
        vat_bp=None,
        facts=facts,
    )
