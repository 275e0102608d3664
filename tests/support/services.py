"""A small catalogue for tests: a provider, one offering of each delivery, an instrument, and parks that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.rules.catalogue import Delivery
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_companies
from services.usecases import catalogue, company_imports, deliveries, instruments
from tenants.kernel.context import Actor, Reach, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import OrganisationKind, Role, Tier
from tenants.kernel.work import WorkShop
from tenants.rules.membership import permissions_of
from tenants.usecases import onboarding
from tests.support.parks import credit_code


@dataclass(frozen=True)
class World:
    """What the tests order from."""

    provider_id: UUID
    instrument: instruments.InstrumentView

    @property
    def provider(self) -> Actor:
        """A person of the instrument's provider."""
        return provider_person(self.provider_id)


def build_world(workshop: WorkShop) -> World:
    """Enter a provider, its offerings ``twin``, ``leads``, ``lab`` and ``energy``, and an instrument behind ``lab``."""
    with workshop.work(system_actor("test")) as work:
        provider = onboarding.register_organisation(
            work, kind=OrganisationKind.PROVIDER, name="检测中心", uscc=credit_code(900), region_code="510100"
        )
        for slug, tier, delivery in (
            ("twin", Tier.LEADING, Delivery.TWIN),
            ("leads", Tier.ENHANCED, Delivery.LEADS),
            ("lab", Tier.BASIC, Delivery.INSPECTION),
            ("energy", Tier.BASIC, Delivery.MONITORING),
        ):
            catalogue.add_offering(
                work,
                slug=slug,
                provider_id=provider.id,
                tier=tier,
                delivery=delivery,
                name=f"服务 {slug}",
                name_en=f"Service {slug}",
                summary="测试服务",
                summary_en="A service for tests",
                build_cost_fen=100_000_00,
            )
        instrument = instruments.add_instrument(
            work, offering="lab", name="气相色谱仪", region_code="510104", methods=["GB/T 1"]
        )
    return World(provider.id, instrument)


def provider_person(organisation_id: UUID) -> Actor:
    """Return a person of a provider, with what that role may do and no more."""
    permissions = permissions_of(OrganisationKind.PROVIDER, [Role.PROVIDER])
    return Actor("provider", Reach.STAFF, permissions, user_id=new_id(), organisation_id=organisation_id)


def park_person(tenant_id: UUID) -> Actor:
    """Return a park's administrator."""
    permissions = permissions_of(OrganisationKind.PARK, [Role.PARK_ADMIN])
    return Actor("park", Reach.TENANT, permissions, user_id=new_id(), organisation_id=tenant_id, tenant_id=tenant_id)


def order(workshop: WorkShop, tenant_id: UUID, slug: str, request: Mapping[str, Any]) -> deliveries.Delivery:
    """Plan and start a delivery, as a checkout does, for a park's administrator."""
    return order_as(workshop, park_person(tenant_id), slug, request)


def order_as(workshop: WorkShop, actor: Actor, slug: str, request: Mapping[str, Any]) -> deliveries.Delivery:
    """Plan and start a delivery, as a checkout does, for this person of a park."""
    with workshop.work(actor) as work:
        offering = catalogue.read_offering(work, slug=slug)
        plan = deliveries.plan_delivery(work, offering=offering, request=request)
        return deliveries.start_delivery(work, offering=offering, plan=plan, order_line_id=new_id())


def import_demo_companies(workshop: WorkShop, as_of: date, count: int = 3000) -> company_imports.ImportView:
    """Fill the registry with synthetic companies."""
    with workshop.work(system_actor("test")) as work:
        return company_imports.import_at_once(
            work,
            kind=ImportKind.COMPANIES,
            name="演示名录",
            licence="synthetic",
            as_of=as_of,
            content=demo_companies(as_of=as_of, count=count),
        )
