"""The books: balanced at commit or not at all, and never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from billing.rules import ledger as rules
from billing.usecases import ledger
from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop
from tests.support.databases import Database

STAFF = system_actor("finance")
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ONE_LINE = text(
    "INSERT INTO postings (journal_id, line, account, side, amount_fen) VALUES (:id, :line, 'bank', :side, 5)"
)


def top_up(park: UUID, amount_fen: int = 500, source: str = "payment-1") -> rules.JournalDraft:
    return rules.wallet_top_up(park_id=park, source_id=source, occurred_at=AT, amount_fen=amount_fen)


def journal_by_hand(work: Work) -> UUID:
    """Insert a journal without postings, as a bug would."""
    journal = new_id()
    work.session.execute(text("INSERT INTO accounts (code, kind) VALUES ('bank', 'asset') ON CONFLICT DO NOTHING"))
    work.session.execute(
        text(
            "INSERT INTO journals (id, source_kind, source_id, period, description, occurred_at)"
            " VALUES (:id, 'test', :source, '2026-03', 'test', now())"
        ),
        {"id": journal, "source": str(journal)},
    )
    return journal


def test_a_journal_is_posted_once_per_source(workshop: WorkShop) -> None:
    park = new_id()
    ids = set()
    for _ in range(2):
        with workshop.work(STAFF) as work:
            ids.add(ledger.post(work, top_up(park)))
    assert len(ids) == 1
    with workshop.work(STAFF) as work:
        balance = ledger.trial_balance(work)
        page = ledger.list_journals(work, period="2026-03")
    assert {row.account: row.balance_fen for row in balance.rows} == {"bank": 500, f"wallet:park:{park}": -500}
    assert balance.difference_fen == 0
    assert [(each.id, len(each.postings)) for each in page.items] == [(ids.pop(), 2)]


def test_a_trial_balance_may_be_of_one_month(workshop: WorkShop) -> None:
    with workshop.work(STAFF) as work:
        ledger.post(work, top_up(new_id()))
        assert ledger.trial_balance(work, period="2026-04").rows == ()
        assert len(ledger.trial_balance(work, period="2026-03").rows) == 2


def test_journals_are_listed_by_account_in_pages(workshop: WorkShop) -> None:
    one, other = new_id(), new_id()
    with workshop.work(STAFF) as work:
        for number in range(3):
            ledger.post(work, top_up(one, source=f"one-{number}"))
        ledger.post(work, top_up(other, source="other"))
        first = ledger.list_journals(work, account=f"wallet:park:{one}", limit=2)
        second = ledger.list_journals(work, account=f"wallet:park:{one}", limit=2, cursor=first.next_cursor)
    assert [each.source_id for each in (*first.items, *second.items)] == ["one-2", "one-1", "one-0"]
    assert second.next_cursor is None


def test_a_park_sees_its_own_journals_only(workshop: WorkShop) -> None:
    one, other = new_id(), new_id()
    with workshop.work(STAFF) as work:
        ledger.post(work, top_up(one, source="one"))
        ledger.post(work, top_up(other, source="other"))
    with workshop.work(system_actor("park", tenant_id=one)) as work:
        assert [each.source_id for each in ledger.list_journals(work).items] == ["one"]
        assert {row.account for row in ledger.trial_balance(work).rows} == {"bank", f"wallet:park:{one}"}


@pytest.mark.parametrize("sides", [("debit",), ("debit", "debit"), ()], ids=["one line", "two debits", "none"])
def test_an_unbalanced_journal_is_refused_at_commit(workshop: WorkShop, sides: tuple[str, ...]) -> None:
    reached = False
    with pytest.raises(IntegrityError, match="does not balance"), workshop.work(STAFF) as work:  # noqa: PT012 - the commit raises
        journal = journal_by_hand(work)
        for line, side in enumerate(sides, start=1):
            work.session.execute(ONE_LINE, {"id": journal, "line": line, "side": side})
        reached = True
    assert reached
    with workshop.work(STAFF) as work:
        assert ledger.list_journals(work).items == ()


def test_a_line_cannot_be_added_to_a_journal_of_the_past(workshop: WorkShop) -> None:
    with workshop.work(STAFF) as work:
        journal = ledger.post(work, top_up(new_id()))
    with pytest.raises(IntegrityError, match="does not balance"), workshop.work(STAFF) as work:
        work.session.execute(ONE_LINE, {"id": journal, "line": 3, "side": "debit"})


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE postings SET amount_fen = amount_fen + 1",
        "DELETE FROM postings",
        "UPDATE journals SET period = '2026-04'",
        "DELETE FROM journals",
    ],
)
def test_nothing_in_the_books_is_changed_or_deleted(workshop: WorkShop, database: Database, change: str) -> None:
    park = new_id()
    with workshop.work(STAFF) as work:
        ledger.post(work, top_up(park))
    for actor in (STAFF, system_actor("park", tenant_id=park)):
        with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(actor) as work:
            work.session.execute(text(change))
    with pytest.raises(DBAPIError, match="added and never changed"), database.owner().begin() as connection:
        connection.execute(text(change))


def test_a_journal_is_undone_by_its_reversal(workshop: WorkShop) -> None:
    draft = top_up(new_id())
    with workshop.work(STAFF) as work:
        journal = ledger.post(work, draft)
        reversal = rules.reversal(draft, journal_id=journal, occurred_at=AT)
        assert ledger.post(work, reversal) == ledger.post(work, reversal)
        assert {row.balance_fen for row in ledger.trial_balance(work).rows} == {0}
