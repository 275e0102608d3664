"""One file proves one thing and one contract is subsidised once: in all parks, also when two come at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from billing.rules.contracts import contract_key
from billing.rules.evidence import EvidenceKind
from billing.usecases import contracts, evidence, evidence_register
from billing.usecases.evidence import EvidenceView, Upload
from billing.usecases.invariants_once import INVARIANTS_ONCE
from marketplace.doors.texts import translate
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.invariants import broken

STAFF = system_actor("officer", on_behalf_of=new_id())
SELLER, OTHER = "91510100MA6C00001X", "91510100MA6C00002Y"
INVOICE = Upload("发票.pdf", "application/pdf", b"%PDF-1.7 invoice 0001")


def park() -> Actor:
    return system_actor("park", tenant_id=new_id(), on_behalf_of=new_id())


def use(shop: WorkShop, actor: Actor, claim: UUID, kind: str = "invoice", label: str = "申报 1 号") -> Any:
    """Let the invoice prove a claim of a park."""
    with shop.work(actor) as work:
        kept = evidence.keep(work, actor.require_tenant(), INVOICE)
        return evidence_register.use(work, evidence=kept, kind=kind, used_for="claim", used_for_id=claim, label=label)


def claim(shop: WorkShop, actor: Actor, source: UUID, number: str = "HT-2026-001", seller: str = SELLER) -> None:
    with shop.work(actor) as work:
        contracts.claim_once(
            work,
            tenant_id=actor.require_tenant(),
            contract_no=number,
            counterparty_uscc=seller,
            used_for="order",
            used_for_id=source,
            label="订单 9",
        )


def test_a_file_proves_one_thing_in_all_parks_until_that_is_withdrawn(workshop: WorkShop) -> None:
    mine, theirs = park(), park()
    first, second = new_id(), new_id()
    view = use(workshop, mine, first)
    assert use(workshop, mine, first) == view, "a repeat is the same use"
    assert use(workshop, mine, second, kind="contract").kind is EvidenceKind.CONTRACT, "as another proof it is free"
    with pytest.raises(Conflict) as own:
        use(workshop, mine, second)
    assert own.value.code == "evidence.already_used"
    assert "申报 1 号" in str(own.value.message)
    with pytest.raises(Conflict) as other:
        use(workshop, theirs, second)
    told = str(other.value.message)
    assert "申报 1 号" not in told, "a park does not learn what another one claims"
    assert str(mine.tenant_id) not in told
    assert "another organisation" in translate(other.value.message, "en")

    with workshop.work(mine) as work:
        assert evidence_register.release(work, used_for="claim", used_for_id=first, reason="申报撤回") == 1
        assert evidence_register.release(work, used_for="claim", used_for_id=first, reason="申报撤回") == 0
    assert use(workshop, theirs, second).used_for_id == second
    with workshop.work(mine) as work:
        assert [
            each.release_reason for each in evidence_register.uses_of(work, used_for="claim", used_for_id=first)
        ] == ["申报撤回"]
    assert broken(workshop, INVARIANTS_ONCE) == {}


def test_staff_read_where_a_file_is_used(workshop: WorkShop) -> None:
    mine = park()
    use(workshop, mine, new_id())
    with pytest.raises(Conflict) as raised, workshop.work(STAFF) as work:
        evidence_register.use_hash(
            work, tenant_id=new_id(), sha256=_sha(), kind="invoice", used_for="claim", used_for_id=new_id()
        )
    assert str(mine.tenant_id) in str(raised.value.message), "the park, by its number where it has no name"
    assert "申报 1 号" in str(raised.value.message)


def test_a_contract_is_subsidised_once_however_it_is_written(workshop: WorkShop) -> None:
    mine, theirs = park(), park()
    order = new_id()
    claim(workshop, mine, order)
    claim(workshop, mine, order, "ht 2026（001）")
    claim(workshop, theirs, new_id(), seller=OTHER)
    with pytest.raises(Conflict) as raised:
        claim(workshop, theirs, new_id(), "ＨＴ２０２６〔001〕号".removesuffix("号"))
    assert raised.value.code == "contract.already_subsidised"
    assert "订单 9" not in str(raised.value.message)
    with workshop.work(theirs) as work:
        ask = contracts.already_subsidised(work, contract_no="HT2026001", counterparty_usccs={SELLER, OTHER})
    assert ask == {SELLER, OTHER}, "a park learns that it is taken, not by whom"
    with workshop.work(mine) as work:
        assert (
            contracts.already_subsidised(work, contract_no="HT2026001", counterparty_usccs={SELLER}, apart_from=order)
            == set()
        )
        assert contracts.release(work, used_for="order", used_for_id=order, reason="订单取消") == 1
    claim(workshop, theirs, new_id())


@pytest.mark.parametrize("number", ["", " -- ", "1" * 101, "（）"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(Invalid, match=r"contract\.bad_number"):
        contract_key(number)


def test_a_withdrawn_use_stays_as_it_is_and_nothing_else_changes(workshop: WorkShop) -> None:
    mine, first = park(), new_id()
    use(workshop, mine, first)
    with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(STAFF) as work:
        work.session.execute(text("UPDATE evidence_uses SET used_for_id = gen_random_uuid()"))
    with workshop.work(mine) as work:
        evidence_register.release(work, used_for="claim", used_for_id=first, reason="撤回")
    with pytest.raises(DBAPIError, match="stays as it is"), workshop.work(STAFF) as work:
        work.session.execute(text("UPDATE evidence_uses SET released_at = NULL, release_reason = NULL"))


def test_what_a_proof_is_said_to_be_is_compared_with_the_file(workshop: WorkShop) -> None:
    with workshop.work(STAFF) as work:
        evidence_register.use_hash(
            work, tenant_id=new_id(), sha256=_sha(), kind="report", used_for="claim", used_for_id=new_id(),
            evidence_id=new_id(),
        )  # fmt: skip
    assert set(broken(workshop, INVARIANTS_ONCE)) == {"evidence-uses-are-files"}


def test_of_many_who_come_at_once_one_is_first(database: Database, clock: ManualClock) -> None:
    many = 16
    engine = database.engine(pool_size=many, max_overflow=0)
    shop = WorkShop(engine, clock, Silent())
    actors = [park() for _ in range(many)]
    tasks: dict[str, Callable[[WorkShop, Actor, UUID], Any]] = {
        "evidence.already_used": use,
        "contract.already_subsidised": claim,
    }
    for refusal, task in tasks.items():
        results = _at_once([partial(task, shop, actor, new_id()) for actor in actors])
        assert sorted(result == refusal for result in results) == [False] + [True] * (many - 1)
    assert broken(shop, INVARIANTS_ONCE) == {}
    engine.dispose()


def test_the_index_decides_behind_the_use_cases_too(database: Database, workshop: WorkShop) -> None:
    """Without it two could use one proof; ``check`` would find them."""
    mine = park()
    use(workshop, mine, new_id())
    copy = (
        "INSERT INTO evidence_uses SELECT gen_random_uuid(), sha256, kind, tenant_id, evidence_id, used_for, "
        "gen_random_uuid(), label, used_by, used_at, NULL, NULL FROM evidence_uses"
    )
    owner = database.owner()
    with pytest.raises(DBAPIError, match="uq_evidence_uses_in_use"), owner.begin() as connection:
        connection.execute(text(copy))
    with owner.begin() as connection:
        connection.execute(text("DROP INDEX uq_evidence_uses_in_use"))
        connection.execute(text(copy))
    assert set(broken(workshop, INVARIANTS_ONCE)) == {"proofs-count-once"}


def _at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    start = Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return task()
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def _sha() -> str:
    return hashlib.sha256(INVOICE.content).hexdigest()


def test_views_are_the_rows(workshop: WorkShop) -> None:
    mine, first = park(), new_id()
    made = use(workshop, mine, first)
    assert isinstance(made, evidence_register.EvidenceUseView)
    with workshop.work(mine) as work:
        kept: EvidenceView = evidence.keep(work, mine.require_tenant(), INVOICE)
        assert evidence_register.uses_of(work, used_for="claim", used_for_id=first) == (made,)
    assert made.evidence_id == kept.id
