"""Many invoices as one zip: whole, the same whoever dies meanwhile, and nobody else's."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import openpyxl
import pytest

from billing.usecases import invoice_papers, invoicing
from marketplace.demo.theatre import Play
from marketplace.usecases import fulfilment, invoice_batches
from marketplace.usecases.invoice_batches import SUMS, InvoiceBatchView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from tenants.kernel.work import WorkShop
from tests.faults.test_killed_workers import until_stalled, wait_until
from tests.support import plays
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import CrashError, before_statement, worker_process
from tests.support.databases import RecordingOutbox
from tests.support.plays import WEEK, begin, finish, order, run_of, worker_of

MONTH: dict[str, Any] = {"kind": "pdf", "first_period": "2026-03"}


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def ask(world: World, actor: Actor = FINANCE, /, **wanted: str) -> InvoiceBatchView:
    with world.shop.work(actor) as work:
        return invoice_batches.request_batch(work, **(MONTH | wanted))


def now(world: World, batch: InvoiceBatchView) -> InvoiceBatchView:
    with world.shop.work(FINANCE) as work:
        return invoice_batches.read_batch(work, batch_id=batch.id)


def archive(world: World, batch: InvoiceBatchView, actor: Actor = FINANCE) -> dict[str, bytes]:
    """Return the files of a finished batch, after a look at every hash."""
    with world.shop.work(actor) as work:
        view, content = invoice_batches.open_batch(work, batch_id=batch.id)
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (view.sha256, view.size_bytes)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    sums = files.pop(SUMS).decode().splitlines()
    assert sums == [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in files]
    return files


def test_a_months_invoices_become_one_zip_wherever_its_worker_dies(world: World) -> None:
    parks = [world.park(number) for number in range(1, 5)]
    for park in parks:
        world.deliver(park, "twin", "leads")
    rows = world.issue("2026-03")
    batch = ask(world)
    assert (batch.status, batch.total, batch.done) == ("queued", 4, 0)
    assert ask(world).id == batch.id, "asking twice makes it once"
    run = partial(invoice_batches.run_batch, world.shop, FINANCE, batch_id=batch.id)
    seen = [0]
    for statement in (2, 17, 17, 5):

        def strike() -> None:
            raise CrashError

        with pytest.raises(CrashError), before_statement(world.shop.engine, statement, strike):
            run()
        seen.append(now(world, batch).done)
        assert seen[-1] >= seen[-2]
    assert seen[-1] >= 2, "what was made before a crash is kept"
    with pytest.raises(Unavailable):
        run(stopping=lambda: True)
    run()
    ended = now(world, batch)
    assert (ended.status, ended.done) == ("done", 4)
    files = archive(world, batch)
    assert list(files) == [f"{row.number}-{row.park_name}.pdf" for row in sorted(rows, key=lambda row: row.number)]
    with world.shop.work(FINANCE) as work:
        first = invoice_papers.invoice_pdf(work, invoice_id=min(rows, key=lambda row: row.number).id)
    assert next(iter(files.values())) == first, "a page in a batch is the page by itself"
    run()
    assert now(world, batch) == ended, "a repeat finds it done"


def test_a_workbook_says_who_paid_which_part(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin", "leads")
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    batch = ask(world, kind="xlsx")
    invoice_batches.run_batch(world.shop, FINANCE, batch_id=batch.id)
    (content,) = archive(world, batch).values()
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["账单", "明细", "补贴"]
    front = {row[0]: row[1] for row in book["账单"].iter_rows(min_row=2, values_only=True)}
    assert (front["账单编号"], front["应付合计（元）"]) == (row.number, row.payable_fen / 100)
    assert front["应付金额（大写）"] == "人民币肆仟零壹拾叁元叁角肆分"
    lines = list(book["明细"].iter_rows(min_row=2, values_only=True))
    header = next(book["明细"].iter_rows(max_row=1, values_only=True))
    shown = [header.index(name) for name in ("标价（元）", "补贴（元）", "应付（元）")]
    assert [tuple(line[place] for place in shown) for line in lines] == [
        (10000, 6000, 4000), (33.33, 19.99, 13.34), (10033.33, 6019.99, 4013.34),
    ]  # fmt: skip
    awards = list(book["补贴"].iter_rows(min_row=2, values_only=True))
    assert [(award[3], award[6], award[7]) for award in awards] == [
        ("60%", "资金province", 6000), ("60%", "资金province", 19.99),
    ]  # fmt: skip


def test_a_park_gets_its_own_and_nobody_elses(world: World, outbox: RecordingOutbox) -> None:
    one, other = world.park(1), world.park(2)
    world.deliver(one, "twin")
    world.deliver(other, "leads")
    world.issue("2026-03")
    everything = ask(world)
    mine = ask(world, one)
    assert (mine.park_id, mine.total) == (one.tenant_id, 1)
    assert [event.tenant_id for event in outbox.named("invoice_batch.queued")] == [None, one.tenant_id]
    invoice_batches.run_batch(world.shop, one, batch_id=mine.id)
    (name,) = archive(world, mine, one)
    assert name.endswith("第 1 园区.pdf")
    for batch, actor in ((everything, one), (mine, other)):
        with pytest.raises(NotFound), world.shop.work(actor) as work:
            invoice_batches.open_batch(work, batch_id=batch.id)
        with pytest.raises(NotFound):
            invoice_batches.run_batch(world.shop, actor, batch_id=batch.id)
    with world.shop.work(other) as work:
        assert invoice_batches.list_batches(work) == ()


def test_a_batch_can_be_stopped_and_refuses_what_makes_no_sense(world: World) -> None:
    world.deliver(world.park(), "twin")
    with pytest.raises(NotFound):
        ask(world)
    world.issue("2026-03")
    for wrong in ({"kind": "doc"}, {"first_period": "March"}, {"last_period": "2026-02"}):
        with pytest.raises(Invalid):
            ask(world, **wrong)
    batch = ask(world, last_period="2026-12")
    with pytest.raises(Conflict), world.shop.work(FINANCE) as work:
        invoice_batches.open_batch(work, batch_id=batch.id)
    with world.shop.work(FINANCE) as work:
        assert invoice_batches.cancel_batch(work, batch_id=batch.id).status == "cancelled"
    invoice_batches.run_batch(world.shop, FINANCE, batch_id=batch.id)
    assert now(world, batch).done == 0
    with pytest.raises(Conflict), world.shop.work(FINANCE) as work:
        invoice_batches.cancel_batch(work, batch_id=batch.id)


def test_the_next_worker_finishes_what_a_killed_one_began(play: Play) -> None:
    plays.give_money(play)
    for login in ("park01", "park02", "racer01", "racer02"):
        park = play.person(login)
        run_id = run_of(order(play, park, WEEK))
        begin(play, park, run_id)
        finish(play, park, run_id)
        play.do(worker_of(park), partial(fulfilment.complete_run, run_id=run_id))
    play.do(system_actor("issue"), lambda work: invoicing.issue_invoices(work, period="2026-03"))
    asked = play.do(play.finance, lambda work: invoice_batches.request_batch(work, kind="pdf", first_period="2026-03"))

    def done() -> InvoiceBatchView:
        return play.do(play.finance, lambda work: invoice_batches.read_batch(work, batch_id=asked.id))

    with worker_process(play) as worker:
        wait_until(lambda: done().done >= 1)
        worker.kill()
    left: UUID = done().id
    until_stalled()
    with worker_process(play):
        wait_until(lambda: done().status == "done")
    view, content = play.do(play.finance, lambda work: invoice_batches.open_batch(work, batch_id=left))
    assert (view.done, len(zipfile.ZipFile(io.BytesIO(content)).namelist())) == (4, 5)
