"""Writing journals and reading balances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules import ledger as rules
from billing.rules.ledger import JournalDraft
from billing.store.ledger import Account, Journal, Posting
from tenants.kernel.identifiers import new_id


def post_journal(session: Session, draft: JournalDraft, *, user_id: UUID | None) -> tuple[UUID, bool]:
    """Write a journal with its accounts and postings; return its id, and whether it is new.

    A second journal of one source is not written: the first one's id is returned. Two writers meet at the unique key,
    and the later one waits for the earlier one's end.
    """
    claimed = (
        insert(Journal)
        .values(
            id=new_id(),
            tenant_id=draft.tenant_id,
            source_kind=draft.source_kind,
            source_id=draft.source_id,
            period=draft.period,
            description=draft.description[:200],
            reverses_id=draft.reverses_id,
            user_id=user_id,
            occurred_at=draft.occurred_at,
        )
        .on_conflict_do_nothing(index_elements=["source_kind", "source_id"])
        .returning(Journal.id)
    )
    journal_id = session.execute(claimed).scalar_one_or_none()
    if journal_id is None:
        first = select(Journal.id).where(Journal.source_kind == draft.source_kind, Journal.source_id == draft.source_id)
        return session.execute(first).scalar_one(), False
    _open_accounts(session, [posting.account for posting in draft.postings])
    session.execute(
        insert(Posting),
        [
            {
                "journal_id": journal_id,
                "line": line,
                "tenant_id": draft.tenant_id,
                "account": posting.account.code,
                "side": posting.side,
                "amount_fen": posting.amount_fen,
            }
            for line, posting in enumerate(draft.postings, start=1)
        ],
    )
    return journal_id, True


def _open_accounts(session: Session, accounts: Sequence[rules.Account]) -> None:
    """Open the accounts that are not there yet, in order of their codes, so that two writers do not deadlock."""
    wanted = {account.code: account for account in accounts}
    found = session.execute(select(Account.code).where(Account.code.in_(wanted))).scalars()
    missing = sorted(set(wanted) - set(found))
    if not missing:
        return
    rows = [
        {"code": code, "kind": wanted[code].kind, "tenant_id": wanted[code].tenant_id, "fund_id": wanted[code].fund_id}
        for code in missing
    ]
    session.execute(insert(Account).on_conflict_do_nothing(), rows)


def balances(session: Session, period: str | None) -> Sequence[tuple[str, str, int, int]]:
    """Return code, kind, debits and credits of every account that moved: in a month, or ever."""
    debit = func.coalesce(func.sum(case((Posting.side == "debit", Posting.amount_fen))), 0)
    credit = func.coalesce(func.sum(case((Posting.side == "credit", Posting.amount_fen))), 0)
    query = (
        select(Account.code, Account.kind, debit, credit)
        .join(Posting, Posting.account == Account.code)
        .group_by(Account.code, Account.kind)
        .order_by(Account.code)
    )
    if period is not None:
        query = query.join(Journal, Journal.id == Posting.journal_id).where(Journal.period == period)
    return [(code, kind, int(debits), int(credited)) for code, kind, debits, credited in session.execute(query)]


def journal_page(
    session: Session, *, period: str | None, account: str | None, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Journal]:
    """Return up to ``limit`` journals, newest first."""
    query = select(Journal).order_by(Journal.occurred_at.desc(), Journal.id.desc()).limit(limit)
    if period is not None:
        query = query.where(Journal.period == period)
    if account is not None:
        query = query.where(Journal.id.in_(select(Posting.journal_id).where(Posting.account == account)))
    if before is not None:
        at, journal_id = before
        query = query.where((Journal.occurred_at < at) | ((Journal.occurred_at == at) & (Journal.id < journal_id)))
    return session.execute(query).scalars().all()


def postings_of(session: Session, journal_ids: Sequence[UUID]) -> Sequence[Posting]:
    """Return the postings of some journals, in order."""
    query = select(Posting).where(Posting.journal_id.in_(journal_ids)).order_by(Posting.journal_id, Posting.line)
    return session.execute(query).scalars().all()
