"""A park takes a tier and changes it; at any moment it has one at most."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, NotAllowed
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tenants.usecases import onboarding, subscriptions
from tenants.usecases.invariants import INVARIANTS
from tests.support.invariants import broken
from tests.support.parks import person, sign_up, verified_park


def test_a_park_waits_for_verification_before_it_subscribes(workshop: WorkShop) -> None:
    sign_up(workshop)
    with pytest.raises(Conflict) as caught, workshop.work(person(workshop, "admin1")) as work:
        subscriptions.subscribe(work, tier=Tier.BASIC)
    assert caught.value.code == "park.not_verified"


def test_a_change_ends_the_old_tier_at_the_moment_the_new_one_starts(workshop: WorkShop, clock: ManualClock) -> None:
    park = verified_park(workshop, 1, Tier.LEADING)
    admin = person(workshop, "admin1")
    clock.advance(timedelta(days=30))
    with workshop.work(admin) as work:
        new = subscriptions.subscribe(work, tier=Tier.BASIC)
        assert subscriptions.subscribe(work, tier=Tier.BASIC) == new
        assert subscriptions.current_subscription(work, park_id=park.id) == new
        assert onboarding.read_park(work, park_id=park.id).tier is Tier.BASIC
    assert new.starts_at == clock.now()
    clock.advance(timedelta(days=-10))
    with workshop.work(admin) as work:
        before = subscriptions.current_subscription(work, park_id=park.id)
    assert before is not None
    assert (before.tier, before.ends_at) == (Tier.LEADING, new.starts_at)


def test_a_clock_set_back_neither_breaks_nor_overlaps_subscriptions(workshop: WorkShop, clock: ManualClock) -> None:
    verified_park(workshop, 1, Tier.BASIC)
    clock.advance(timedelta(hours=-1))
    with workshop.work(person(workshop, "admin1")) as work:
        view = subscriptions.subscribe(work, tier=Tier.LEADING)
    assert view.starts_at == clock.now() + timedelta(hours=1)
    assert broken(workshop, INVARIANTS) == {}


def test_two_changes_in_the_same_moment_leave_one_tier(workshop: WorkShop, clock: ManualClock) -> None:
    park = verified_park(workshop, 1, Tier.BASIC)
    admin = person(workshop, "admin1")
    clock.advance(timedelta(days=1))
    start = Barrier(2)

    def run(tier: Tier) -> str:
        try:
            with workshop.work(admin) as work:
                onboarding.read_park(work, park_id=park.id)
                start.wait()
                return subscriptions.subscribe(work, tier=tier).tier
        except Conflict as conflict:
            return conflict.code

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(run, (Tier.ENHANCED, Tier.LEADING)))
    assert outcomes & {"enhanced", "leading"}
    assert broken(workshop, INVARIANTS) == {}


def test_staff_subscribe_for_no_park(workshop: WorkShop) -> None:
    with pytest.raises(NotAllowed), workshop.work(system_actor("test")) as work:
        subscriptions.subscribe(work, tier=Tier.BASIC)
