"""The same command twice is one command."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.idempotency import fingerprint, once
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop

PARK = new_id()
BODY = {"amount_fen": 100}


def park(tenant_id: UUID = PARK) -> Actor:
    return system_actor("test", tenant_id=tenant_id)


def pay(work: Work) -> dict[str, Any]:
    """Something with an effect that must happen once."""
    wallet = "INSERT INTO wallets (tenant_id, available_fen, held_fen, alert_below_fen) VALUES (:tenant, 0, 0, 0)"
    work.session.execute(text(wallet), {"tenant": work.actor.tenant_id})
    return {"paid": str(new_id())}


def run(
    workshop: WorkShop, key: str | None, body: dict[str, Any], action: Callable[[Work], dict[str, Any]] = pay
) -> Any:
    with workshop.work(park()) as work:
        return once(work, key, "wallet.pay", body, lambda: action(work))


def test_the_same_key_and_body_give_the_first_answer(workshop: WorkShop) -> None:
    first = run(workshop, "k", BODY)
    assert run(workshop, "k", dict(BODY)) == first


def test_the_same_key_with_another_body_is_refused(workshop: WorkShop) -> None:
    run(workshop, "k", BODY)
    with pytest.raises(Conflict) as caught:
        run(workshop, "k", {"amount_fen": 101})
    assert caught.value.code == "idempotency.key_reused"


def test_keys_of_different_parks_never_meet(workshop: WorkShop) -> None:
    first = run(workshop, "k", BODY)
    with workshop.work(park(new_id())) as work:
        assert once(work, "k", "wallet.pay", {"amount_fen": 7}, lambda: pay(work)) != first


def test_a_failure_leaves_the_key_free(workshop: WorkShop) -> None:
    def fail(work: Work) -> dict[str, Any]:
        pay(work)
        raise RuntimeError("the machine went down")

    with pytest.raises(RuntimeError):
        run(workshop, "k", BODY, fail)
    assert run(workshop, "k", {"amount_fen": 5})["paid"]


def test_of_two_racing_commands_one_is_carried_out(workshop: WorkShop) -> None:
    start = Barrier(2)
    carried_out: list[int] = []

    def command(number: int) -> Any:
        def action(work: Work) -> dict[str, Any]:
            carried_out.append(number)
            return pay(work)

        start.wait()
        return run(workshop, "k", BODY, action)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(command, (1, 2))
    assert one == other
    assert len(carried_out) == 1


def test_when_the_first_of_two_fails_the_waiting_second_carries_out(workshop: WorkShop) -> None:
    claimed, second_waits = Event(), Event()

    def fail_late(work: Work) -> dict[str, Any]:
        claimed.set()
        second_waits.wait(5)
        raise RuntimeError("the first went down")

    def first() -> None:
        with pytest.raises(RuntimeError):
            run(workshop, "k", BODY, fail_late)

    def second() -> Any:
        claimed.wait(5)
        with workshop.work(park()) as work:
            second_waits.set()
            return once(work, "k", "wallet.pay", BODY, lambda: pay(work))

    with ThreadPoolExecutor(2) as pool:
        failing, waiting = pool.submit(first), pool.submit(second)
        failing.result()
        assert waiting.result()["paid"]


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "x" * 201])
def test_an_unusable_key_is_refused(workshop: WorkShop, key: str) -> None:
    with pytest.raises(Invalid) as caught:
        run(workshop, key, BODY)
    assert caught.value.code == "idempotency.bad_key"


def test_without_a_key_every_call_is_a_command(workshop: WorkShop) -> None:
    assert run(workshop, None, BODY, lambda _: {"n": 1}) == {"n": 1}


def test_the_fingerprint_ignores_order_and_tells_commands_apart() -> None:
    assert fingerprint("a", {"x": 1, "y": 2}) == fingerprint("a", {"y": 2, "x": 1})
    assert fingerprint("a", BODY) != fingerprint("b", BODY)
    assert fingerprint("a", {"x": 1}) != fingerprint("a", {"x": "1"})
