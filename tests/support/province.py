"""A small province behind the API: money, rules, a catalogue, a laboratory, and a caller for everybody in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Flask

from billing.usecases import pricing
from marketplace.demo import world
from services.rules.catalogue import Delivery
from services.usecases import catalogue, instruments
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import OrganisationKind, Role, Tier
from tenants.kernel.work import WorkShop
from tenants.usecases import api_keys, onboarding
from tests.support.parks import PASSWORD, credit_code, person, verified_park
from tests.support.web import Caller

YUAN = 100
BRIEF: dict[str, Any] = {"region_code": "411224", "industries": ["30"], "area_mu": 20, "count": 50}
LEADS = {"offering": "ai-leads", "request": BRIEF}


@dataclass(frozen=True)
class Keys:
    """The API keys of the province's people by login, and the laboratory's instrument."""

    tokens: dict[str, str]
    instrument: UUID


@dataclass
class Province:
    """The province and its people, each as a caller of the API."""

    app: Flask
    workshop: WorkShop
    officer: Caller
    approver: Caller
    approver2: Caller
    reviewer: Caller
    finance: Caller
    operator: Caller
    lab: Caller
    nobody: Caller
    instrument: UUID

    def caller(self, login: str) -> Caller:
        """Return a caller with a new API key of the person ``login``, with all they may do."""
        return Caller(self.app.test_client(), api_key(self.workshop, login))

    def park(self, number: int = 1, tier: Tier | None = Tier.LEADING, **fields: str) -> Caller:
        """Verify a park with ``tier`` and return its administrator's caller."""
        verified_park(self.workshop, number, tier, **fields)
        return self.caller(f"admin{number}")

    def fund(self, amount_fen: int = 1_000_000 * YUAN, **policy: Any) -> str:
        """Let the officer fill the province's fund and write the demo's programme, and the approver approve both."""
        fund = self.officer.post(
            "/funds", {"slug": world.FUND_SLUG, "name": "专项资金", "name_en": "Fund", "year": 2026}
        ).get_json()
        wanted = {"amount_fen": amount_fen, "document_no": "豫财〔2026〕1号"}
        asked = self.officer.post(f"/funds/{fund['id']}/appropriations", wanted).get_json()
        approved = self.approver.post(f"/funds/{fund['id']}/appropriations/{asked['id']}/approval")
        assert approved.status_code == 200, approved.text
        programme = self.officer.post(
            "/programmes",
            {"slug": world.PROGRAMME, "name": "小园区科技补贴", "name_en": "Small parks", "bounds": world.BOUNDS},
        ).get_json()
        known = {name: policy.pop(name) for name in ("shortfall", "park_year_cap_fen") if name in policy}
        document = world.policy(**known) | policy | {"window": {"from": "2026-03-02", "to": "2028-01-01"}}
        version = self.officer.post(f"/programmes/{programme['id']}/versions", {"policy": document})
        assert version.status_code == 201, version.text
        for caller, step in ((self.officer, "submission"), (self.approver, "approval")):
            answer = caller.post(f"/programmes/{programme['id']}/versions/1/{step}")
            assert answer.status_code == 200, answer.text
        return str(fund["id"])


def build_province(workshop: WorkShop) -> Keys:
    """Enter the authority, the operator, a laboratory and the demo's catalogue with its prices."""
    people = {
        "officer": (OrganisationKind.AUTHORITY, Role.SUBSIDY_OFFICER),
        "approver": (OrganisationKind.AUTHORITY, Role.SUBSIDY_APPROVER),
        "approver2": (OrganisationKind.AUTHORITY, Role.SUBSIDY_APPROVER),
        "reviewer": (OrganisationKind.AUTHORITY, Role.CLAIM_REVIEWER),
        "finance": (OrganisationKind.AUTHORITY, Role.FINANCE),
        "operator": (OrganisationKind.OPERATOR, Role.OPERATOR),
        "lab": (OrganisationKind.PROVIDER, Role.PROVIDER),
    }
    kinds: dict[OrganisationKind, UUID] = {}
    with workshop.work(system_actor("world")) as work:
        for number, kind in enumerate(dict.fromkeys(kind for kind, _ in people.values())):
            kinds[kind] = onboarding.register_organisation(
                work, kind=kind, name=f"单位 {kind}", uscc=credit_code(900 + number), region_code="410105"
            ).id
        for login, (kind, role) in people.items():
            onboarding.add_person(
                work, organisation_id=kinds[kind], login=login, password=PASSWORD, name=login, roles=[role]
            )
        for each in world.OFFERINGS:
            catalogue.add_offering(
                work,
                slug=each.slug,
                provider_id=kinds[OrganisationKind.PROVIDER],
                tier=each.tier,
                delivery=Delivery(each.delivery),
                name=each.name,
                name_en=each.name_en,
                summary=each.summary,
                summary_en=each.summary_en,
            )
            charge = {"model": "per_unit", "unit_price": each.unit_price}
            pricing.set_price(work, offering=each.slug, charge=charge, vat_bp=600, valid_from=work.now)
        instrument = instruments.add_instrument(
            work, offering="shared-inspection", name="扫描电子显微镜", region_code="410311"
        )
    return Keys({login: api_key(workshop, login) for login in people}, instrument.id)


def province_of(app: Flask, workshop: WorkShop, keys: Keys) -> Province:
    """Return the province behind ``app``, whose database holds what ``keys`` open."""
    callers = {login: Caller(app.test_client(), token) for login, token in keys.tokens.items()}
    return Province(app, workshop, nobody=Caller(app.test_client()), instrument=keys.instrument, **callers)


def api_key(workshop: WorkShop, login: str) -> str:
    """Return a new API key of the person ``login``, with all they may do."""
    actor = person(workshop, login)
    with workshop.work(actor) as work:
        return api_keys.create_api_key(work, name="test", scopes=sorted(actor.permissions)).token


def in_hours(workshop: WorkShop, hours: float) -> str:
    """Return the instant so many hours from now as the API writes it."""
    return (workshop.clock.now() + timedelta(hours=hours)).isoformat()
