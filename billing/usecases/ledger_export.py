"""The books of a month, whole: for accountants, and for programs that are not ours to check."""

from __future__ import annotations

from dataclasses import dataclass

from billing.formats.beancount import beancount
from billing.rules.closing import BookedJournal
from billing.rules.periods import DEFAULT_ZONE, local_day, parse_month
from billing.store import books
from billing.usecases.account_names import AccountView, account_views
from billing.usecases.closing import booked_journals
from billing.usecases.invoice_drafts import check_period
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class LedgerMonth:
    """A month's journals in the order in which things happened, and the accounts they touch, by code."""

    period: str
    journals: tuple[BookedJournal, ...]
    accounts: dict[str, AccountView]


def read_month(work: Work, *, period: str) -> LedgerMonth:
    """Return a month of the books. Raises Invalid for a text that is no month."""
    work.actor.require(Permission.READ_LEDGER)
    check_period(period)
    journals = booked_journals(work, books.journals_of(work.session, period))
    codes = {posting.account for journal in journals for posting in journal.postings}
    return LedgerMonth(period, journals, account_views(work, codes))


def export_beancount(work: Work, *, period: str) -> str:
    """Return a month of the books as a beancount file, with what the accounts came into it with."""
    work.actor.require(Permission.READ_LEDGER)
    check_period(period)
    span = parse_month(period)
    assert span is not None  # noqa: S101 - check_period has refused what is no month
    journals = booked_journals(work, books.journals_of(work.session, period))
    opening = {code: debits - credits_ for code, _, debits, credits_ in books.balances_before(work.session, period)}
    codes = set(opening) | {posting.account for journal in journals for posting in journal.postings}
    return beancount(
        journals,
        {account.code: account.kind for account in books.accounts_of(work.session, codes)},
        title=f"园区科技服务市场 {period}",
        opening=opening,
        since=local_day(span.start, DEFAULT_ZONE),
        until=local_day(span.end, DEFAULT_ZONE),
    )
