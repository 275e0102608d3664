"""Parks for tests: signed up, verified, and people who act for them."""

from __future__ import annotations

import random
from uuid import UUID

from stdnum.cn import uscc

from tenants.kernel.context import Actor, system_actor
from tenants.kernel.vocabulary import ParkSize, Role, Tier
from tenants.kernel.work import WorkShop
from tenants.rules.uscc import inner_check_digit
from tenants.usecases import identity, onboarding, subscriptions
from tenants.usecases.views import ParkView

PASSWORD = "three quiet herons"


def credit_code(number: int) -> str:
    """Return a made-up valid credit code, another for each number."""
    body = f"{random.Random(number).randrange(10**8):08}"
    code = f"91510104{body}{inner_check_digit(body)}"
    return code + uscc.calc_check_digit(code)


def sign_up(workshop: WorkShop, number: int = 1, **fields: str) -> ParkView:
    """Sign a park up whose administrator is ``admin<number>``."""
    told = {
        "name": f"第 {number} 园区",
        "uscc": credit_code(number),
        "region_code": "510104",
        "size": ParkSize.SMALL,
        "login": f"admin{number}",
        "password": PASSWORD,
        "contact_name": "管理员",
    }
    with workshop.work(system_actor("sign-up")) as work:
        return onboarding.sign_up_park(work, **(told | fields))


def verified_park(workshop: WorkShop, number: int = 1, tier: Tier | None = None, **fields: str) -> ParkView:
    """Sign a park up, verify it, and let it subscribe to ``tier``."""
    park = sign_up(workshop, number, **fields)
    with workshop.work(system_actor("test")) as work:
        park = onboarding.decide_verification(work, park_id=park.id, approve=True, note="材料齐全")
    if tier is not None:
        admin = person(workshop, f"admin{number}")
        with workshop.work(admin) as work:
            subscriptions.subscribe(work, tier=tier)
            park = onboarding.read_park(work, park_id=park.id)
    return park


def person(workshop: WorkShop, login: str, password: str = PASSWORD) -> Actor:
    """Return a person who signed in, as a door would."""
    with workshop.work(system_actor("sign-in")) as work:
        user_id: UUID = identity.sign_in(work, login=login, password=password).user_id
        return identity.actor_for_user(work, user_id=user_id, request_id="test")


def colleague(workshop: WorkShop, login: str, role: Role) -> str:
    """Add somebody with ``role`` to the organisation of the person ``login`` and return the newcomer's login."""
    organisation_id = person(workshop, login).organisation_id
    assert organisation_id is not None
    newcomer = f"{login}2"
    with workshop.work(system_actor("test")) as work:
        onboarding.add_person(
            work, organisation_id=organisation_id, login=newcomer, password=PASSWORD, name=newcomer, roles=[role]
        )
    return newcomer
