"""Closing a month: in turn, once it agrees, for good; and books that a checker which is not ours accepts."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, timedelta
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.formats.beancount import account_name
from billing.rules import ledger as rules
from billing.rules.closing import BookedJournal, BookedPosting, journals_hash
from billing.usecases import closing, ledger, ledger_export
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from tenants.kernel.clock import ManualClock
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.databases import Database
from tests.support.invariants import broken

BEAN_CHECK = Path(sys.executable).with_name("bean-check")


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    """A park used two services in March, one paid from its wallet, and paid its invoice in April; it is 9 April."""
    made = make_world(workshop, clock)
    park = made.park()
    made.deliver(park, "twin", "leads")
    made.go_to(date(2026, 4, 9))
    (invoice,) = made.issue("2026-03")
    made.bank(("0001", "4100.00", f"货款 {invoice.payment_reference}"))
    return made


def close(world: World, period: str) -> closing.ClosedPeriodView:
    with world.shop.work(FINANCE) as work:
        return closing.close_period(work, period=period)


def test_a_month_is_closed_once_and_in_turn(world: World) -> None:
    world.go_to(date(2026, 5, 9))
    with pytest.raises(Conflict) as refused:
        close(world, "2026-04")
    assert (refused.value.code, "2026-03" in str(refused.value)) == ("period.earlier_open", True)
    march = close(world, "2026-03")
    assert (march.journals > 0, march.debit_fen > 0, len(march.journals_sha256)) == (True, True, 64)
    with pytest.raises(Conflict) as refused:
        close(world, "2026-03")
    assert refused.value.code == "period.closed"
    assert close(world, "2026-04").closed_by == FINANCE.user_id
    with pytest.raises(Conflict) as refused:
        close(world, "2026-05")
    assert refused.value.code == "period.not_over"
    with pytest.raises(Invalid):
        close(world, "2026-13")
    with world.shop.work(FINANCE) as work:
        assert [each.period for each in closing.list_closed_periods(work)] == ["2026-04", "2026-03"]


def test_a_month_with_breaks_is_not_closed(workshop: WorkShop, clock: ManualClock) -> None:
    world = make_world(workshop, clock)
    world.deliver(world.park(), "twin")
    world.go_to(date(2026, 4, 9))  # used in March and on no invoice
    with pytest.raises(Conflict) as refused:
        close(world, "2026-03")
    assert refused.value.code == "period.has_breaks"
    assert {error.code for error in refused.value.errors} == {"break.rated_invoiced"}


def test_what_is_late_is_written_into_the_first_open_month(world: World) -> None:
    close(world, "2026-03")
    late = rules.wallet_top_up(
        park_id=new_id(), source_id="late", occurred_at=world.clock.now() - timedelta(days=20), amount_fen=5
    )
    assert late.period == "2026-03"
    with world.shop.work(FINANCE) as work:
        journal_id = ledger.post(work, late)
        (found,) = [each for each in ledger.list_journals(work, period="2026-04").items if each.id == journal_id]
    assert found.occurred_at == late.occurred_at
    assert set(broken(world.shop, INVARIANTS_BOOKS)) == {"wallet-books"}  # no wallet stands behind this journal


def test_a_writer_under_way_is_waited_for(world: World) -> None:
    """The one that closes sees what was being written, whichever of them began first."""
    written, go_on = Event(), Event()
    draft = rules.wallet_top_up(
        park_id=new_id(), source_id="slow", occurred_at=world.clock.now() - timedelta(days=20), amount_fen=5
    )

    def write_slowly() -> None:
        with world.shop.work(FINANCE) as work:
            ledger.post(work, draft)
            written.set()
            go_on.wait(20)

    with ThreadPoolExecutor(2) as threads:
        writer = threads.submit(write_slowly)
        assert written.wait(20)
        closer = threads.submit(close, world, "2026-03")
        with pytest.raises(TimeoutError):
            closer.result(timeout=0.5)
        go_on.set()
        writer.result(20)
        closed = closer.result(20)
    with world.shop.work(FINANCE) as work:
        march = ledger_export.read_month(work, period="2026-03")
    assert "slow" in {journal.source_id for journal in march.journals}
    assert (closed.journals, closed.journals_sha256) == (len(march.journals), journals_hash(march.journals))


def test_a_change_behind_the_programs_back_is_found(world: World, database: Database) -> None:
    close(world, "2026-03")
    assert broken(world.shop, INVARIANTS_BOOKS) == {}
    with database.owner().begin() as connection:
        connection.execute(text("ALTER TABLE postings DISABLE TRIGGER append_only"))
        connection.execute(
            text("UPDATE postings SET amount_fen = amount_fen + 1 WHERE account = 'vat:output' OR side = 'debit'")
        )
    assert "closed-months" in broken(world.shop, INVARIANTS_BOOKS)


@pytest.mark.parametrize("period", ["2026-03", "2026-04", "2026-05"], ids=["usage", "payment", "an empty month"])
def test_an_independent_checker_accepts_the_books(world: World, tmp_path: Path, period: str) -> None:
    with world.shop.work(FINANCE) as work:
        exported = ledger_export.export_beancount(work, period=period)
    file = tmp_path / "ledger.beancount"
    file.write_text(exported, encoding="utf-8")
    checked = subprocess.run([BEAN_CHECK, file], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), exported
    wrong = exported.replace("4100.00 CNY", "4100.01 CNY", 1) if period == "2026-04" else None
    if wrong is not None:  # and it does look
        file.write_text(wrong, encoding="utf-8")
        assert subprocess.run([BEAN_CHECK, file], capture_output=True, check=False).returncode != 0


JOURNALS = st.lists(
    st.builds(
        BookedJournal,
        id=st.uuids(),
        source_kind=st.sampled_from(["delivery", "bank_receipt"]),
        source_id=st.text(max_size=5),
        description=st.just("x"),
        occurred_at=st.datetimes(
            timezones=st.sampled_from([UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")])
        ),
        reverses_id=st.none() | st.uuids(),
        postings=st.just((BookedPosting(1, "bank", "debit", 5), BookedPosting(2, "vat:output", "credit", 5))),
    ),
    unique_by=lambda journal: journal.id,
    max_size=5,
)


@given(JOURNALS)
def test_the_hash_is_of_the_journals_and_not_of_their_order(journals: list[BookedJournal]) -> None:
    assert journals_hash(journals) == journals_hash(list(reversed(journals)))
    if journals:
        assert journals_hash(journals) != journals_hash(journals[1:])


def test_an_account_has_a_name_that_beancount_knows() -> None:
    assert account_name("receivable:park:0199aa", "asset") == "Assets:Receivable:Park:0199aa"
    assert account_name("provider:abc-1", "liability") == "Liabilities:Provider:Abc-1"
