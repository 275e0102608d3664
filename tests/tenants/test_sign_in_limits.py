"""Tries to sign in are counted before they are made, and what is over is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import TooMany
from tenants.kernel.idempotency import KEPT, forget_keys, once
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tenants.usecases import sign_in_limits
from tenants.usecases.sign_in_limits import ACCOUNT_TRIES, ADDRESS_TRIES, WINDOW, Attempt

PLATFORM = system_actor("sign-in")


def attempt(workshop: WorkShop, account: str = "admin1", address: str = "192.0.2.1") -> bool:
    """Try once; tell whether one may."""
    try:
        with workshop.work(PLATFORM) as work:
            sign_in_limits.take_attempt(work, Attempt("sign-in", account, address))
    except TooMany:
        return False
    return True


def rows(workshop: WorkShop) -> int:
    with workshop.work(PLATFORM) as work:
        return int(work.session.execute(text("SELECT count(*) FROM sign_in_attempts")).scalar_one())


def test_an_account_has_so_many_tries_from_wherever_and_the_window_ends(workshop: WorkShop, clock: ManualClock) -> None:
    tries = [attempt(workshop, address=f"192.0.2.{number}") for number in range(ACCOUNT_TRIES + 2)]
    assert tries == [True] * ACCOUNT_TRIES + [False] * 2
    assert attempt(workshop, "admin2")
    clock.advance(WINDOW - timedelta(seconds=61))
    with pytest.raises(TooMany) as caught, workshop.work(PLATFORM) as work:
        sign_in_limits.take_attempt(work, Attempt("sign-in", "admin1", "192.0.2.1"))
    assert caught.value.retry_after == 61
    assert "2 分钟" in str(caught.value.message)
    clock.advance(timedelta(seconds=61))
    assert attempt(workshop)


def test_an_address_has_so_many_tries_whatever_the_account(workshop: WorkShop) -> None:
    tries = [attempt(workshop, f"guess-{number}") for number in range(ADDRESS_TRIES + 1)]
    assert tries == [True] * ADDRESS_TRIES + [False]
    assert attempt(workshop, address="192.0.2.2")


def test_tries_at_once_do_not_pass_together(workshop: WorkShop) -> None:
    with ThreadPoolExecutor(6) as pool:
        tries = list(pool.map(lambda _: attempt(workshop), range(2 * ACCOUNT_TRIES)))
    assert sum(tries) == ACCOUNT_TRIES


def test_a_try_that_succeeds_is_given_back(workshop: WorkShop) -> None:
    for _ in range(3):
        for _ in range(ACCOUNT_TRIES - 1):
            assert attempt(workshop)
        with workshop.work(PLATFORM) as work:
            sign_in_limits.give_back(work, Attempt("sign-in", "admin1", "192.0.2.1"))


def test_counts_that_hold_nobody_up_are_forgotten(workshop: WorkShop, clock: ManualClock) -> None:
    attempt(workshop)
    clock.advance(WINDOW)
    attempt(workshop, "admin2", "192.0.2.2")
    clock.advance(timedelta(seconds=1))
    with workshop.work(PLATFORM) as work:
        assert sign_in_limits.forget_attempts(work) == 2
    assert rows(workshop) == 2


def test_a_key_is_known_for_its_time_and_then_forgotten(workshop: WorkShop, clock: ManualClock) -> None:
    park = system_actor("park", tenant_id=new_id())

    def answer(value: int) -> int:
        with workshop.work(park) as work:
            return int(once(work, "k", "test", {}, lambda: {"value": value})["value"])

    assert answer(1) == 1
    clock.advance(KEPT)
    with workshop.work(PLATFORM) as work:
        assert forget_keys(work) == 0
    assert answer(2) == 1
    clock.advance(timedelta(seconds=1))
    with workshop.work(PLATFORM) as work:
        assert forget_keys(work) == 1
    assert answer(2) == 2


@pytest.mark.parametrize("function", ["forget_idempotency_keys", "forget_sign_in_attempts"])
def test_a_park_makes_nobody_forget(workshop: WorkShop, function: str) -> None:
    park = system_actor("park", tenant_id=new_id())
    with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(park) as work:
        work.session.execute(text(f"SELECT {function}(now(), 1)"))
