"""Seeding the demo province: people, parks, catalogue, funds, programmes and three months of history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from stdnum.cn import uscc

from billing.usecases import funds, issuers, pricing, programmes
from marketplace.composition import Marketplace
from marketplace.demo import carbon, history, joint, measures, monitoring, samples, schemes, tiers, world
from marketplace.demo.logins import ApiKey, Login, Logins
from marketplace.demo.seeder import Seeder, derived
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_companies, demo_expansions
from services.rules.demo_tables import demo_demands, demo_input_output
from services.rules.slots import Hours
from services.usecases import catalogue, company_imports, instruments, reference_tables
from services.usecases.instruments import Facts
from tenants.kernel.clock import CHINA
from tenants.kernel.outbox import Silent
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.uscc import inner_check_digit
from tenants.usecases import api_keys, onboarding, subscriptions

HISTORY_MONTHS = 3
API_KEYS = ("park01", "park02", "finance", "policy", "approver", "approver2", "reviewer", "operator", "lab")
VAT_BP = 600
"""Rate of modern services."""


def seed_province(market: Marketplace) -> Logins:
    """Fill ``market``'s database with the demo province and return who may sign in.

    Each step is done once: run again, nothing changes but that the programs get new keys, since the old ones are
    stored as hashes only.
    """
    now = market.clock.now()
    seeder = Seeder(market.engine, Silent(), first_of_history(now))
    organisations = enter_institutions(seeder)
    start = seeder.clock.now()
    open_fund(seeder, world.FUND_SLUG, start.year, world.FUND_FEN)
    enact(seeder, world.PROGRAMME, world.policy(), start)
    schemes.open_matching_fund(seeder, start.year)
    for later in world.LATER_PROGRAMMES:
        schemes.enact_later(seeder, later, start)
    tiers.open_plans(seeder)
    parks = {park.login: enter_park(seeder, park) for park in world.PARKS}
    tiers.grant_discount(seeder, parks["park03"])
    schemes.decide_cases(seeder, parks)
    history.seed_history(seeder, market.run_limits, until=now)
    monitoring.seed_monitoring(seeder, now)
    seeder.clock.instant = now
    schemes.use_later_awards(seeder)
    tiers.set_plans(seeder, parks.values())
    carbon.seed_carbon(seeder)
    samples.seed_samples(seeder)
    joint.agree_on_centre(seeder, parks)
    return Logins(users=_logins(organisations, parks), api_keys=_api_keys(seeder))


def first_of_history(now: datetime) -> datetime:
    """Return nine in the morning, in China, of the first day of the month three months before ``now``."""
    local = now.astimezone(CHINA)
    months = local.year * 12 + local.month - 1 - HISTORY_MONTHS
    return datetime(months // 12, months % 12 + 1, 1, 9, tzinfo=CHINA)


def credit_code(name: str, region_code: str) -> str:
    """Return a valid unified social credit code for an invented organisation."""
    body = f"{derived(name, 10**8):08d}"
    code = f"91{region_code}{body}{inner_check_digit(body)}"
    return code + uscc.calc_check_digit(code)


def enter_institutions(seeder: Seeder) -> dict[str, UUID]:
    """Enter all but funds and parks: organisations, people, catalogue, prices, instruments, company registry."""
    organisations = {
        each.key: _id(seeder.step(f"organisation {each.key}", seeder.system(), partial(_register, each=each)))
        for each in world.ORGANISATIONS
    }
    for person in world.PEOPLE:
        enter = partial(_enter_person, each=person, organisation_id=organisations[person.organisation])
        seeder.step(f"person {person.login}", seeder.system(), enter)
    operator = seeder.person("operator", world.PASSWORD)
    start = seeder.clock.now()
    for offering in world.OFFERINGS:
        offer = partial(_offer, each=offering, provider_id=organisations[offering.provider])
        seeder.step(f"offering {offering.slug}", operator, offer)
        seeder.step(f"price {offering.slug}", operator, partial(_price, each=offering, start=start))
    lab = seeder.person("lab", world.PASSWORD)
    for facts, hours in world.INSTRUMENTS:
        seeder.step(f"instrument {facts.name}", lab, partial(_install, facts=facts, hours=hours))
    seeder.step("companies", operator, partial(_import_companies, start=start))
    seeder.step("expansions", operator, partial(_import_expansions, start=start))
    seeder.step("positioning tables", operator, partial(_import_tables, start=start))
    measures.lay_down(seeder)
    finance = seeder.person("finance", world.PASSWORD)
    said = seeder.step("issuer", operator, partial(_propose_issuer, organisation_id=organisations["operator"]))
    seeder.step("issuer confirmed", finance, partial(_confirm_issuer, issuer_id=_id(said)))
    return organisations


def _propose_issuer(work: Work, *, organisation_id: UUID) -> dict[str, Any]:
    operator = onboarding.read_organisation(work, organisation_id=organisation_id)
    proposed = issuers.propose_issuer(work, name=operator.name, uscc=operator.uscc, **world.ISSUER)
    return {"id": proposed.id}


def _confirm_issuer(work: Work, *, issuer_id: UUID) -> dict[str, Any]:
    return {"id": issuers.confirm_issuer(work, issuer_id=issuer_id).id}


def open_fund(seeder: Seeder, slug: str, year: int, amount_fen: int) -> UUID:
    """Open a fund and put ``amount_fen`` into it: the officer asks, the approver decides."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))

    def open_and_ask(work: Work) -> dict[str, Any]:
        fund = funds.open_fund(
            work,
            slug=slug,
            name=f"{year} 年园区科技服务专项资金",
            name_en=f"Park technology fund {year}",
            year=year,
        )
        asked = funds.request_appropriation(
            work, fund_id=fund.id, amount_fen=amount_fen, document_no=f"园科资〔{year}〕1 号"
        )
        return {"id": fund.id, "appropriation": asked.id}

    said = seeder.step(f"fund {slug}", officer, open_and_ask)

    def approve(work: Work) -> dict[str, Any]:
        return {"id": funds.approve_appropriation(work, appropriation_id=UUID(str(said["appropriation"]))).id}

    seeder.step(f"fund {slug} approved", approver, approve)
    return _id(said)


def enact(seeder: Seeder, slug: str, policy: Mapping[str, Any], start: datetime) -> None:
    """Write a programme's policy, in force from ``start``, and have the other person approve it."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))
    said = seeder.step(f"programme {slug}", officer, partial(write_programme, slug=slug, policy=policy, start=start))

    def approve(work: Work) -> dict[str, Any]:
        programmes.approve_version(work, programme_id=_id(said), version=int(said["version"]))
        return {}

    seeder.step(f"programme {slug} approved", approver, approve)


def write_programme(work: Work, *, slug: str, policy: Mapping[str, Any], start: datetime) -> dict[str, Any]:
    """Create a programme and submit its first version; return its id and version."""
    programme = programmes.create_programme(
        work,
        slug=slug,
        name="小型园区科技服务补贴",
        name_en="Technology support for small parks",
        bounds=world.BOUNDS,
    )
    window = {"from": start.astimezone(CHINA).date().isoformat(), "to": f"{start.year + 3}-01-01"}
    draft = programmes.write_version(work, programme_id=programme.id, policy={**policy, "window": window})
    programmes.submit_version(work, programme_id=programme.id, version=draft.version)
    return {"id": programme.id, "version": draft.version}


def enter_park(seeder: Seeder, park: world.DemoPark) -> UUID:
    """Sign a park up; verify it and let it subscribe as it says. Return its id."""
    park_id = _id(seeder.step(f"park {park.login}", seeder.system(), partial(_sign_up, each=park)))
    if not park.verified:
        return park_id
    officer = seeder.person("policy", world.PASSWORD)
    seeder.step(f"park {park.login} verified", officer, partial(_verify, park_id=park_id))
    if park.tier is not None:
        admin = seeder.person(park.login, world.PASSWORD)
        seeder.step(f"park {park.login} subscribed", admin, partial(_subscribe, each=park))
    return park_id


def _register(work: Work, *, each: world.DemoOrganisation) -> dict[str, Any]:
    made = onboarding.register_organisation(
        work,
        kind=each.kind,
        name=each.name,
        uscc=credit_code(each.name, each.region_code),
        region_code=each.region_code,
    )
    return {"id": made.id}


def _enter_person(work: Work, *, each: world.DemoPerson, organisation_id: UUID) -> dict[str, Any]:
    made = onboarding.add_person(
        work,
        organisation_id=organisation_id,
        login=each.login,
        password=world.PASSWORD,
        name=each.name,
        roles=each.roles,
    )
    return {"id": made.id}


def _offer(work: Work, *, each: world.DemoOffering, provider_id: UUID) -> dict[str, Any]:
    made = catalogue.add_offering(
        work,
        slug=each.slug,
        provider_id=provider_id,
        tier=each.tier,
        delivery=each.delivery,
        name=each.name,
        name_en=each.name_en,
        summary=each.summary,
        summary_en=each.summary_en,
        build_cost_fen=each.build_cost_yuan * world.YUAN,
    )
    return {"id": made.id}


def _price(work: Work, *, each: world.DemoOffering, start: datetime) -> dict[str, Any]:
    charge = {"model": "per_unit", "unit_price": each.unit_price}
    return {"id": pricing.set_price(work, offering=each.slug, charge=charge, vat_bp=VAT_BP, valid_from=start).id}


def _install(work: Work, *, facts: Facts, hours: Hours) -> dict[str, Any]:
    return {"id": instruments.install(work, offering="shared-inspection", facts=facts, hours=hours).id}


def _import_companies(work: Work, *, start: datetime) -> dict[str, Any]:
    as_of = start.astimezone(CHINA).date()
    return _import(work, ImportKind.COMPANIES, "演示企业名录(合成数据)", as_of, demo_companies(as_of=as_of))


def _import_expansions(work: Work, *, start: datetime) -> dict[str, Any]:
    """Bring dated expansions in: too few to fit a ranker to, which the demo's lists would wait for, enough for reasons."""
    as_of = start.astimezone(CHINA).date()
    return _import(work, ImportKind.EXPANSIONS, "演示扩张事件(合成数据)", as_of, demo_expansions(as_of=as_of))


def _import(work: Work, kind: ImportKind, name: str, as_of: date, content: bytes) -> dict[str, Any]:
    report = company_imports.import_at_once(
        work, kind=kind, name=name, licence="CC0-1.0", as_of=as_of, content=content
    )  # fmt: skip
    return {"rows": report.rows_accepted}


def _import_tables(work: Work, *, start: datetime) -> dict[str, Any]:
    year = start.astimezone(CHINA).year - 1
    bring = partial(reference_tables.import_reference_table, work, year=year, licence="CC0-1.0")
    flows = bring(kind="input_output", name="演示投入产出表（虚构）", content=demo_input_output())
    needs = bring(kind="industry_demands", name="演示行业用地用能表（虚构）", content=demo_demands())
    return {"rows": [flows.rows, needs.rows]}


def _sign_up(work: Work, *, each: world.DemoPark) -> dict[str, Any]:
    park = onboarding.sign_up_park(
        work,
        name=each.name,
        uscc=credit_code(each.name, each.region_code),
        region_code=each.region_code,
        size=each.size,
        login=each.login,
        password=world.PASSWORD,
        contact_name="园区管理员(演示)",
    )
    return {"id": park.id}


def _verify(work: Work, *, park_id: UUID) -> dict[str, Any]:
    onboarding.decide_verification(work, park_id=park_id, approve=True, note="材料齐全")
    return {}


def _subscribe(work: Work, *, each: world.DemoPark) -> dict[str, Any]:
    return {} if each.tier is None else {"id": subscriptions.subscribe(work, tier=each.tier).id}


def _id(said: Mapping[str, Any]) -> UUID:
    return UUID(str(said["id"]))


def _logins(organisations: Mapping[str, UUID], parks: Mapping[str, UUID]) -> tuple[Login, ...]:
    names = {each.key: each.name for each in world.ORGANISATIONS}
    staff = (
        Login(
            login=each.login,
            password=world.PASSWORD,
            name=each.name,
            role=each.roles[0].value,
            organisation=names[each.organisation],
            organisation_id=str(organisations[each.organisation]),
        )
        for each in world.PEOPLE
    )
    own = (
        Login(
            login=each.login,
            password=world.PASSWORD,
            name="园区管理员(演示)",
            role="park_admin",
            organisation=each.name,
            organisation_id=str(parks[each.login]),
        )
        for each in world.PARKS
    )
    return (*own, *staff)


def _api_keys(seeder: Seeder) -> tuple[ApiKey, ...]:
    return tuple(_api_key(seeder, login) for login in API_KEYS)


def _api_key(seeder: Seeder, login: str) -> ApiKey:
    actor = seeder.person(login, world.PASSWORD)
    scopes = sorted(actor.permissions - {Permission.MANAGE_API_KEYS})
    with seeder.workshop.work(actor) as work:
        made = api_keys.create_api_key(work, name=f"演示 {login}", scopes=scopes)
    return ApiKey(login, str(actor.organisation_id), made.token, str(made.id), made.secret)
