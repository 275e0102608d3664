"""Seeding the demo province: people, parks, catalogue, fund, programme and three months of history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from stdnum.cn import uscc

from billing.usecases import funds, pricing, programmes
from marketplace.composition import Marketplace
from marketplace.demo import history, world
from marketplace.demo.logins import ApiKey, Login, Logins
from marketplace.demo.seeder import Seeder, derived
from services.rules.demo_companies import demo_companies
from services.usecases import catalogue, companies
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.outbox import Silent
from tenants.kernel.vocabulary import Permission
from tenants.rules.uscc import inner_check_digit
from tenants.usecases import api_keys, onboarding, subscriptions

HISTORY_MONTHS = 3
API_KEYS = ("park01", "park02", "finance", "policy", "approver", "operator", "lab")


def seed_province(market: Marketplace) -> Logins:
    """Fill ``market``'s database with the demo province and return who may sign in.

    Each step is done once: run again, nothing changes but that the programs get new keys, since the old ones are
    stored as hashes only.
    """
    now = market.clock.now()
    seeder = Seeder(market.engine, Silent(), first_of_history(now))
    organisations = enter_institutions(seeder)
    _fund_and_programme(seeder)
    parks = {park.login: enter_park(seeder, park) for park in world.PARKS}
    history.seed_history(seeder, market.run_limits, until=now)
    seeder.clock.instant = now
    return Logins(users=_logins(organisations, parks), api_keys=_api_keys(seeder))


def enter_institutions(seeder: Seeder) -> dict[str, UUID]:
    """Enter all but funds and parks: organisations, people, catalogue, prices, instruments, company registry."""
    start = seeder.clock.now()
    organisations = _organisations(seeder)
    _people(seeder, organisations)
    _catalogue(seeder, organisations, start)
    _companies(seeder, start)
    return organisations


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


def _organisations(seeder: Seeder) -> dict[str, UUID]:
    found = {}
    for each in world.ORGANISATIONS:
        said = seeder.step(
            f"organisation {each.key}",
            seeder.system(),
            lambda work, each=each: {  # type: ignore[misc]
                "id": onboarding.register_organisation(
                    work,
                    kind=each.kind,
                    name=each.name,
                    uscc=credit_code(each.name, each.region_code),
                    region_code=each.region_code,
                ).id
            },
        )
        found[each.key] = UUID(str(said["id"]))
    return found


def _people(seeder: Seeder, organisations: dict[str, UUID]) -> None:
    for each in world.PEOPLE:
        seeder.step(
            f"person {each.login}",
            seeder.system(),
            lambda work, each=each: {  # type: ignore[misc]
                "id": onboarding.add_person(
                    work,
                    organisation_id=organisations[each.organisation],
                    login=each.login,
                    password=world.PASSWORD,
                    name=each.name,
                    roles=each.roles,
                ).id
            },
        )


def _catalogue(seeder: Seeder, organisations: dict[str, UUID], start: datetime) -> None:
    operator = seeder.person("operator", world.PASSWORD)
    for each in world.OFFERINGS:
        seeder.step(
            f"offering {each.slug}",
            operator,
            lambda work, each=each: {  # type: ignore[misc]
                "id": catalogue.add_offering(
                    work,
                    slug=each.slug,
                    provider_id=organisations[each.provider],
                    tier=each.tier,
                    delivery=each.delivery,
                    name=each.name,
                    name_en=each.name_en,
                    summary=each.summary,
                    summary_en=each.summary_en,
                    build_cost_fen=each.build_cost_yuan * world.YUAN,
                ).id
            },
        )
        seeder.step(
            f"price {each.slug}",
            operator,
            lambda work, each=each: {  # type: ignore[misc]
                "id": pricing.set_price(
                    work,
                    offering=each.slug,
                    charge={"model": "per_unit", "unit_price": each.unit_price},
                    vat_bp=600,
                    valid_from=start,
                ).id
            },
        )
    for name, region, methods in world.INSTRUMENTS:
        seeder.step(
            f"instrument {name}",
            operator,
            lambda work, name=name, region=region, methods=methods: {  # type: ignore[misc]
                "id": catalogue.add_instrument(
                    work, offering="shared-inspection", name=name, region_code=region, methods=methods
                ).id
            },
        )


def _companies(seeder: Seeder, start: datetime) -> None:
    as_of: date = start.astimezone(CHINA).date()
    seeder.step(
        "companies",
        seeder.person("operator", world.PASSWORD),
        lambda work: {
            "rows": companies.import_companies(
                work,
                name="演示企业名录(合成数据)",
                licence="CC0-1.0",
                as_of=as_of,
                content=demo_companies(as_of=as_of),
            ).rows_accepted
        },
    )


def _fund_and_programme(seeder: Seeder) -> None:
    start = seeder.clock.now()
    open_fund(seeder, world.FUND_SLUG, start.year, world.FUND_FEN)
    enact(seeder, world.PROGRAMME, "小型园区科技服务补贴", world.policy(), start)


def open_fund(seeder: Seeder, slug: str, year: int, amount_fen: int) -> UUID:
    """Open a fund and put ``amount_fen`` into it: the officer asks, the approver decides."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))
    fund_id = UUID(
        str(
            seeder.step(
                f"fund {slug}",
                officer,
                lambda work: {
                    "id": funds.open_fund(
                        work,
                        slug=slug,
                        name=f"{year} 年园区科技服务专项资金",
                        name_en=f"Park technology fund {year}",
                        year=year,
                    ).id
                },
            )["id"]
        )
    )
    asked = seeder.step(
        f"appropriation {slug}",
        officer,
        lambda work: {
            "id": funds.request_appropriation(
                work, fund_id=fund_id, amount_fen=amount_fen, document_no=f"园科资〔{year}〕1 号"
            ).id
        },
    )
    seeder.step(
        f"appropriation {slug} approved",
        approver,
        lambda work: {
            "id": funds.approve_appropriation(work, appropriation_id=UUID(str(asked["id"]))).id,
        },
    )
    return fund_id


def enact(seeder: Seeder, slug: str, name: str, policy: dict[str, Any], start: datetime) -> None:
    """Write a programme's policy and have the other person approve it."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))
    window = {"from": start.date().isoformat(), "to": f"{start.year + 3}-01-01"}
    programme_id = UUID(
        str(
            seeder.step(
                f"programme {slug}",
                officer,
                lambda work: {
                    "id": programmes.create_programme(
                        work, slug=slug, name=name, name_en="Technology support for small parks", bounds=world.BOUNDS
                    ).id
                },
            )["id"]
        )
    )

    def write(work: Any) -> dict[str, Any]:
        version = programmes.write_version(work, programme_id=programme_id, policy={**policy, "window": window})
        return {"version": programmes.submit_version(work, programme_id=programme_id, version=version.version).version}

    written = seeder.step(f"policy {slug}", officer, write)
    seeder.step(
        f"policy {slug} approved",
        approver,
        lambda work: {
            "version": programmes.approve_version(
                work, programme_id=programme_id, version=int(written["version"])
            ).version
        },
    )


def enter_park(seeder: Seeder, park: world.DemoPark) -> UUID:
    """Sign a park up; verify it and let it subscribe as it says. Return its id."""
    said = seeder.step(f"park {park.login}", seeder.system(), lambda work: _sign_up(work, park))
    park_id = UUID(str(said["id"]))
    if not park.verified:
        return park_id
    seeder.step(
        f"park {park.login} verified",
        seeder.person("policy", world.PASSWORD),
        lambda work: {"id": onboarding.decide_verification(work, park_id=park_id, approve=True, note="材料齐全").id},
    )
    tier = park.tier
    if tier is not None:
        seeder.step(
            f"park {park.login} subscribed",
            seeder.person(park.login, world.PASSWORD),
            lambda work: {"id": subscriptions.subscribe(work, tier=tier).id},
        )
    return park_id


def _sign_up(work: Any, each: world.DemoPark) -> dict[str, Any]:
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


def _logins(organisations: dict[str, UUID], parks: dict[str, UUID]) -> tuple[Login, ...]:
    names = {each.key: each.name for each in world.ORGANISATIONS}
    staff = (
        Login(
            each.login, world.PASSWORD, each.name, each.roles[0].value, names[each.organisation],
            str(organisations[each.organisation]),
        )
        for each in world.PEOPLE
    )  # fmt: skip
    own = (
        Login(each.login, world.PASSWORD, "园区管理员(演示)", "park_admin", each.name, str(parks[each.login]))
        for each in world.PARKS
    )
    return (*own, *staff)


def _api_keys(seeder: Seeder) -> tuple[ApiKey, ...]:
    keys = []
    for login in API_KEYS:
        actor = seeder.person(login, world.PASSWORD)
        with seeder.workshop.work(_keyholder(actor)) as work:
            made = api_keys.create_api_key(
                work, name=f"演示 {login}", scopes=sorted(actor.permissions - {Permission.MANAGE_API_KEYS})
            )
        secret = made.token.rsplit("_", 1)[-1]
        keys.append(ApiKey(login, str(actor.organisation_id), made.token, str(made.id), secret))
    return tuple(keys)


def _keyholder(actor: Actor) -> Actor:
    """Return ``actor`` with the right to make a key; the province's people have none, as programs seldom approve."""
    return replace(actor, permissions=actor.permissions | {Permission.MANAGE_API_KEYS})
