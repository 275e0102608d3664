"""Bank statements: taken in once and whole, and every fen given to an invoice, a wallet or the list of breaks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.receipts import Payer, payer_of
from billing.usecases import issuers, payments, reconciliation
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tenants.rules.organisations import payment_reference
from tests.support.billing_world import FINANCE, HEADER, World, make_world, statement


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def reference(park: Actor) -> str:
    return payment_reference(park.require_tenant())


def take_in(world: World, content: bytes) -> payments.StatementView:
    with world.shop.work(FINANCE) as work:
        return payments.import_statement(work, name="bank.csv", content=content)


def lines_stored(world: World) -> int:
    with world.shop.work(FINANCE) as work:
        return int(work.session.execute(text("SELECT count(*) FROM bank_lines")).scalar_one())


def test_a_transfer_pays_the_invoice(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    (row,) = world.issue("2026-03")
    result = world.bank(("T1", "4,000.00", f"技术服务费 {reference(park)}"))
    assert (result.matched, result.unmatched) == (1, 0)
    assert result.lines[0].park_id == park.tenant_id
    assert world.invoice(row.id).status == "paid"
    assert world.balances()[f"receivable:park:{park.tenant_id}"] == 0
    assert world.balances()["bank"] == 400_000


def test_the_oldest_invoice_is_paid_first_and_the_rest_goes_to_the_wallet(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    world.issue("2026-03")
    world.go_to(date(2026, 4, 20))
    world.deliver(park, "twin")
    (april,) = world.issue("2026-04")
    world.bank(("T1", "5000", reference(park)), name="1")
    assert (world.invoice(april.id).paid_fen, world.invoice(april.id).status) == (100_000, "finalized")
    world.bank(("T2", "3000.50", reference(park)), name="2")
    assert world.invoice(april.id).status == "paid"
    assert world.wallet(park) == (50, 0)
    assert world.balances()[f"wallet:park:{park.tenant_id}"] == -50


def test_the_same_file_again_gives_the_first_result(world: World) -> None:
    park = world.park()
    rows = (("T1", "10", reference(park)), ("T2", "20", "谁也不知道"))
    first = world.bank(*rows)
    balances = world.balances()
    assert world.bank(*rows, name="another name.csv") == first
    assert world.balances() == balances


def test_a_bank_reference_is_taken_once_whichever_file_it_comes_in(world: World) -> None:
    park = world.park()
    world.bank(("T1", "10", reference(park)))
    second = world.bank(("T1", "10", reference(park)), ("T2", "20", reference(park)))
    assert (second.matched, second.known) == (1, 1)
    assert world.wallet(park) == (3_000, 0)
    with pytest.raises(Conflict) as refusal:
        world.bank(("T3", "5", reference(park)), ("T2", "21", reference(park)))
    assert refusal.value.code == "statement.reference_reused"
    assert world.wallet(park) == (3_000, 0), "nothing of a refused file is kept"


def test_files_imported_at_once_pay_once(world: World) -> None:
    one, other = world.park(1), world.park(2)
    files = [
        statement([("T1", "10", reference(one)), ("T2", "20", reference(other))]),
        statement([("T2", "20", reference(other)), ("T1", "10", reference(one))]),
    ] * 2
    barrier = Barrier(len(files))

    def once(content: bytes) -> int:
        barrier.wait()
        return take_in(world, content).matched

    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(once, files))
    assert (world.wallet(one), world.wallet(other)) == ((1_000, 0), (2_000, 0))
    assert world.balances()["bank"] == 3_000


@pytest.mark.parametrize("words", ["", "货款", "PK23456789AB"])
def test_a_transfer_that_names_nobody_waits(world: World, words: str) -> None:
    result = world.bank(("T1", "10", words))
    assert (result.matched, result.unmatched) == (0, 1)
    budget = {f"budget:fund:{world.fund}": 100_000_000, "budget:treasury": -100_000_000}
    assert world.balances() == {"bank": 1_000, "suspense:receipts": -1_000, **budget}
    with world.shop.work(FINANCE) as work:
        assert [line.bank_reference for line in payments.list_unmatched(work)] == ["T1"]


def test_a_transfer_that_names_two_parks_waits(world: World) -> None:
    one, other = world.park(1), world.park(2)
    assert world.bank(("T1", "10", f"{reference(one)} {reference(other)}")).unmatched == 1


def test_a_waiting_transfer_is_given_to_its_park_once(world: World) -> None:
    park, other = world.park(1), world.park(2)
    world.deliver(park, "twin")
    (row,) = world.issue("2026-03")
    (line,) = world.bank(("T1", "4000.01", "货款")).lines
    for _ in range(2):
        with world.shop.work(FINANCE) as work:
            view = payments.assign_receipt(work, bank_line_id=line.id, park_id=park.require_tenant())
        assert (view.status, view.park_id) == ("matched", park.tenant_id)
    assert world.invoice(row.id).status == "paid"
    assert world.wallet(park) == (1, 0)
    assert world.balances()["suspense:receipts"] == 0
    with pytest.raises(Conflict), world.shop.work(FINANCE) as work:
        payments.assign_receipt(work, bank_line_id=line.id, park_id=other.require_tenant())
    with pytest.raises(NotFound), world.shop.work(FINANCE) as work:
        payments.assign_receipt(work, bank_line_id=new_id(), park_id=park.require_tenant())


def test_the_wallet_pays_an_invoice_in_full_or_not_at_all(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    world.bank(("T1", "3999.99", reference(park)))
    (row,) = world.issue("2026-03")
    with pytest.raises(Conflict) as refusal, world.shop.work(park) as work:
        payments.pay_invoice_from_wallet(work, invoice_id=row.id)
    assert refusal.value.code == "wallet.insufficient"
    world.bank(("T0", "0.01", reference(park)))
    assert world.invoice(row.id).paid_fen == 1, "new money pays the open invoice first"
    for _ in range(2):
        with world.shop.work(park) as work:
            assert payments.pay_invoice_from_wallet(work, invoice_id=row.id).status == "paid"
    assert world.wallet(park) == (0, 0)
    assert world.balances()[f"wallet:park:{park.tenant_id}"] == 0


def test_statements_come_in_gb18030_with_other_names_and_rows_above(world: World) -> None:
    park = world.park()
    content = (
        "账号：,6222-01,导出时间,2026-04-06\n\n"
        "附言,流水号,记账日期,支出金额,收入金额,对方名称,摘要\n"
        f'{reference(park)},\t001,20260405 10:15:00,,"¥1,234.50",甲园区,转账\n'
        "手续费,002,20260405,15.00,,银行,收费\n"
        "合计,,,15.00,1234.50,,\n"
    ).encode("gb18030")
    result = take_in(world, content)
    (line,) = result.lines
    assert (line.bank_reference, line.amount_fen, line.booked_on) == ("001", 123_450, date(2026, 4, 5))
    assert world.wallet(park) == (123_450, 0)


GOOD = "2026-04-05,T1,10.00,某园区,货款"


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        ("", "statement.no_header", "rows[1]"),
        ("日期,金额\n2026-04-05,10\n", "statement.no_header", "rows[1]"),
        (f"{HEADER}\n{GOOD}\n2026-04-05,T2,10.0", "statement.truncated", "rows[3]"),
        (f"{HEADER}\n{GOOD}", "statement.truncated", "rows"),
        (f"{HEADER}\n{GOOD}\n合计,", "statement.truncated", "rows[3].credit"),
        (f"{HEADER}\n{GOOD}\n合计,,10.01,,\n", "statement.total_differs", "rows[3].credit"),
        (f"{HEADER}\n合计,,10.00,,\n{GOOD}\n", "statement.after_total", "rows[3]"),
        (f"{HEADER}\n{GOOD},extra\n", "statement.too_many_cells", "rows[2]"),
        (f"{HEADER}\n2026-02-30,T1,10.00,某园区,货款\n", "statement.day", "rows[2].booked_on"),
        (f"{HEADER}\n2026-04-05,T1,ten,某园区,货款\n", "statement.amount", "rows[2].credit"),
        (f"{HEADER}\n2026-04-05,T1,12..34,某园区,货款\n", "statement.amount", "rows[2].credit"),
        (f"{HEADER}\n2026-04-05,T1,1.234,某园区,货款\n", "statement.amount", "rows[2].credit"),
        (f'{HEADER}\n2026-04-05,T1,"12,34",某园区,货款\n', "statement.amount", "rows[2].credit"),
        (f"{HEADER}\n2026-04-05,T1,-10.00,某园区,货款\n", "statement.amount", "rows[2].credit"),
        (f"{HEADER}\n2026-04-05,T1,,某园区,货款\n", "statement.no_amount", "rows[2].credit"),
        (f"{HEADER}\n2026-04-05,,10.00,某园区,货款\n", "statement.reference", "rows[2].bank_reference"),
        (f"{HEADER}\n{GOOD}\n{GOOD}\n", "statement.reference_twice", "rows[3].bank_reference"),
        (f'{HEADER}\n{GOOD}\n2026-04-05,T2,"10.00,某园区,货款\n', "statement.not_csv", "rows[3]"),
        (f"{HEADER}\n2026-04-05,T1,10.00,某\0园区,货款\n", "statement.not_csv", None),
    ],
)
def test_a_malformed_file_is_refused_whole_with_row_and_field(
    world: World, content: str, code: str, field: str | None
) -> None:
    with pytest.raises(Invalid) as refusal:
        take_in(world, content.encode())
    assert refusal.value.code == code
    assert [error.field for error in refusal.value.errors] == ([] if field is None else [field])
    assert lines_stored(world) == 0


ACCOUNTED = "交易日期,交易流水号,贷方金额,对方户名,摘要,虚拟账号"


def arrived(*rows: tuple[str, str, str]) -> bytes:
    """Return a statement with rows of (reference, text, account that it arrived on), of 10 yuan each."""
    return "\n".join(
        [ACCOUNTED, *(f"2026-04-05,{reference},10,某园区,{told},{account}" for reference, told, account in rows), ""]
    ).encode()


def assign_account(world: World, park: Actor, account: str) -> None:
    with world.shop.work(FINANCE) as work:
        issuers.assign_account(work, park_id=park.require_tenant(), account=account)


def test_a_receipt_is_that_of_the_park_whose_account_it_arrived_on(world: World) -> None:
    one, two = world.park(1), world.park(2)
    assign_account(world, one, "6222000000000001")
    assign_account(world, two, "6222000000000002")
    assign_account(world, one, "6222000000000011")
    result = take_in(
        world,
        arrived(
            ("A1", "技术服务费", "6222 0000 0000 0011"),
            ("A2", "技术服务费", "'6222000000000001"),
            ("A3", reference(two), "6222000000000002"),
            ("A4", reference(two), "6222000000000011"),
            ("A5", reference(two), "4100000000000000"),
            ("A6", f"{reference(one)} {reference(two)}", "6222000000000002"),
            ("A7", "货款", ""),
        ),
    )
    payers = {line.bank_reference: line.park_id for line in result.lines}
    assert payers == {
        "A1": one.tenant_id, "A2": one.tenant_id, "A3": two.tenant_id, "A4": None, "A5": two.tenant_id,
        "A6": None, "A7": None,
    }  # fmt: skip
    assert {line.bank_reference for line in result.lines if line.disagrees} == {"A4", "A6"}
    assert (world.wallet(one), world.wallet(two)) == ((2_000, 0), (2_000, 0))
    assert world.balances()["suspense:receipts"] == -3_000
    with world.shop.work(FINANCE) as work:
        breaks = reconciliation.reconcile(work, period="2026-04").breaks
        (waiting, *_) = payments.list_unmatched(work)
    assert sorted((each.kind.value, each.key) for each in breaks) == [
        ("payer_disagrees", "A4"), ("payer_disagrees", "A6"), ("unknown_payer", "A7"),
    ]  # fmt: skip
    assert (waiting.park_by_account, waiting.disagrees) == (one.tenant_id, True)
    with world.shop.work(FINANCE) as work:
        done = payments.assign_receipt(work, bank_line_id=waiting.id, park_id=two.require_tenant())
    assert (done.park_id, done.disagrees) == (two.tenant_id, False)


def test_a_statement_of_a_virtual_account_is_its_parks(world: World) -> None:
    park = world.park()
    assign_account(world, park, "6222000000000001")
    content = f"账号,6222000000000001\n{HEADER}\n2026-04-05,V1,10,某园区,货款\n".encode()
    (line,) = take_in(world, content).lines
    assert (line.park_id, line.arrived_on) == (park.tenant_id, "6222000000000001")


@given(st.sampled_from((None, 1, 2)), st.sets(st.integers(1, 3)))
def test_account_and_references_have_to_agree(account: int | None, named: set[int]) -> None:
    ids = {number: UUID(int=number) for number in range(1, 4)}
    found = payer_of(None if account is None else ids[account], {ids[each] for each in named})
    if account is None:
        assert found == Payer(ids[next(iter(named))] if len(named) == 1 else None)
    else:
        assert found == (Payer(ids[account]) if named <= {account} else Payer(None, disagree=True))
