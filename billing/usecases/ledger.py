"""The books: posting by hand, the trial balance, and the list of journals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.ledger import JournalDraft
from billing.store.books import balances, journal_page, post_journal, postings_of
from billing.store.ledger import Journal, Posting
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class BalanceRow:
    """What an account was debited and credited."""

    account: str
    kind: str
    debit_fen: int
    credit_fen: int

    @property
    def balance_fen(self) -> int:
        """Return debits less credits."""
        return self.debit_fen - self.credit_fen


@dataclass(frozen=True)
class TrialBalance:
    """Every account that moved, of one month or since the books began."""

    period: str | None
    rows: tuple[BalanceRow, ...]

    @property
    def debit_fen(self) -> int:
        """Return the sum of all debits."""
        return sum(row.debit_fen for row in self.rows)

    @property
    def difference_fen(self) -> int:
        """Return all debits less all credits: zero, or the books are wrong."""
        return sum(row.balance_fen for row in self.rows)


@dataclass(frozen=True)
class PostingView:
    """One side of a journal on one account."""

    account: str
    side: str
    amount_fen: int


@dataclass(frozen=True)
class JournalView:
    """One business event in the books."""

    id: UUID
    park_id: UUID | None
    source_kind: str
    source_id: str
    period: str
    description: str
    occurred_at: datetime
    postings: tuple[PostingView, ...]


def post(work: Work, draft: JournalDraft) -> UUID:
    """Write a journal once per source and return its id, the first one's on a repeat.

    For corrections by the keeper of the books; use cases that move money write their own journals themselves.
    """
    work.actor.require(Permission.RECONCILE)
    return post_journal(work.session, draft, user_id=work.actor.user_id)[0]


def trial_balance(work: Work, *, period: str | None = None) -> TrialBalance:
    """Return the balances of all accounts that moved in ``period`` (``YYYY-MM``), or ever."""
    work.actor.require(Permission.READ_LEDGER)
    rows = tuple(BalanceRow(*row) for row in balances(work.session, period))
    return TrialBalance(period, rows)


def list_journals(
    work: Work, *, period: str | None = None, account: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[JournalView]:
    """Return journals with their postings, newest first, of one month and account or of all."""
    work.actor.require(Permission.READ_LEDGER)
    found = journal_page(
        work.session, period=period, account=account, before=decode_cursor(cursor), limit=check_limit(limit) + 1
    )
    sides: dict[UUID, list[PostingView]] = {}
    for posting in postings_of(work.session, [journal.id for journal in found]):
        sides.setdefault(posting.journal_id, []).append(_posting_view(posting))
    return page_of(
        found, limit, lambda row: _journal_view(row, sides.get(row.id, [])), lambda row: (row.occurred_at, row.id)
    )


def _posting_view(row: Posting) -> PostingView:
    return PostingView(row.account, row.side, row.amount_fen)


def _journal_view(row: Journal, sides: list[PostingView]) -> JournalView:
    return JournalView(
        id=row.id,
        park_id=row.tenant_id,
        source_kind=row.source_kind,
        source_id=row.source_id,
        period=row.period,
        description=row.description,
        occurred_at=row.occurred_at,
        postings=tuple(sides),
    )
