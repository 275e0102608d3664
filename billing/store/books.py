"""Writing journals and reading balances."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules.ledger import JournalDraft
from billing.store.ledger import Account, ClosedPeriod, Journal, Posting
from tenants.kernel.identifiers import new_id
from tenants.kernel.writing import array_text, rows_written

# Every delivery sends it, so it goes to the driver as it is written: one round trip for journal, accounts and postings.
# Accounts come in the order of their codes, so that two writers do not deadlock.
POST = """
    WITH written AS (
        INSERT INTO journals (id, tenant_id, source_kind, source_id, period, description, reverses_id, user_id, occurred_at)
        VALUES (%(id)s, %(tenant_id)s, %(source_kind)s, %(source_id)s, %(period)s, %(description)s, %(reverses_id)s,
                %(user_id)s, %(occurred_at)s)
        ON CONFLICT (source_kind, source_id) DO NOTHING
        RETURNING id, tenant_id
    ), opened AS (
        INSERT INTO accounts (code, kind, tenant_id, fund_id)
        SELECT DISTINCT ON (code) code, kind, owner, fund
        FROM unnest(%(codes)s::text[], %(kinds)s::text[], %(owners)s::uuid[], %(funds)s::uuid[]) AS a (code, kind, owner, fund)
        WHERE EXISTS (SELECT FROM written) AND NOT EXISTS (SELECT FROM accounts known WHERE known.code = a.code)
        ORDER BY code
        ON CONFLICT (code) DO NOTHING
    ), posted AS (
        INSERT INTO postings (journal_id, line, tenant_id, account, side, amount_fen)
        SELECT written.id, line, written.tenant_id, code, side, amount_fen
        FROM written, unnest(%(codes)s::text[], %(sides)s::text[], %(amounts)s::bigint[]) WITH ORDINALITY
            AS p (code, side, amount_fen, line)
    )
    SELECT id FROM written
    """


# The same for many journals at once: what is known by its source already is left out with its postings.
POST_MANY = """
    WITH written AS (
        INSERT INTO journals (id, tenant_id, source_kind, source_id, period, description, reverses_id, user_id, occurred_at)
        SELECT id, tenant_id, source_kind, source_id, period, description, reverses_id, %(user_id)s, occurred_at
        FROM unnest(%(ids)s::uuid[], %(tenants)s::uuid[], %(source_kinds)s::text[], %(source_ids)s::text[],
                    %(periods)s::text[], %(descriptions)s::text[], %(reversed)s::uuid[], %(moments)s::timestamptz[])
            AS j (id, tenant_id, source_kind, source_id, period, description, reverses_id, occurred_at)
        ON CONFLICT (source_kind, source_id) DO NOTHING
        RETURNING id, tenant_id
    ), opened AS (
        INSERT INTO accounts (code, kind, tenant_id, fund_id)
        SELECT code, kind, owner, fund
        FROM unnest(%(codes)s::text[], %(kinds)s::text[], %(owners)s::uuid[], %(funds)s::uuid[]) AS a (code, kind, owner, fund)
        WHERE NOT EXISTS (SELECT FROM accounts known WHERE known.code = a.code)
        ORDER BY code
        ON CONFLICT (code) DO NOTHING
    )
    INSERT INTO postings (journal_id, line, tenant_id, account, side, amount_fen)
    SELECT written.id, line, written.tenant_id, account, side, amount_fen
    FROM unnest(%(journals)s::uuid[], %(lines)s::smallint[], %(accounts)s::text[], %(sides)s::text[], %(amounts)s::bigint[])
        AS p (journal_id, line, account, side, amount_fen)
    JOIN written ON written.id = p.journal_id
    """


def post_journals(session: Session, drafts: Sequence[JournalDraft], *, user_id: UUID | None) -> None:
    """Write many journals in one statement, which may be on its way with others; otherwise as ``post_journal``."""
    if not drafts:
        return
    ids = [new_id() for _ in drafts]
    known = {posting.account.code: posting.account for draft in drafts for posting in draft.postings}
    accounts = [known[code] for code in sorted(known)]
    numbered = [
        (journal_id, line, posting)
        for journal_id, draft in zip(ids, drafts, strict=True)
        for line, posting in enumerate(draft.postings, start=1)
    ]
    columns: dict[str, list[Any]] = {
        "ids": ids,
        "tenants": [draft.tenant_id for draft in drafts],
        "source_kinds": [draft.source_kind for draft in drafts],
        "source_ids": [draft.source_id for draft in drafts],
        "periods": [draft.period for draft in drafts],
        "descriptions": [draft.description[:200] for draft in drafts],
        "reversed": [draft.reverses_id for draft in drafts],
        "moments": [draft.occurred_at for draft in drafts],
        "codes": [account.code for account in accounts],
        "kinds": [account.kind.value for account in accounts],
        "owners": [account.tenant_id for account in accounts],
        "funds": [account.fund_id for account in accounts],
        "journals": [journal_id for journal_id, _, _ in numbered],
        "lines": [line for _, line, _ in numbered],
        "accounts": [posting.account.code for _, _, posting in numbered],
        "sides": [posting.side.value for _, _, posting in numbered],
        "amounts": [posting.amount_fen for _, _, posting in numbered],
    }
    values = {"user_id": user_id, **{name: array_text(column) for name, column in columns.items()}}
    session.connection().exec_driver_sql(POST_MANY, values)


def post_journal(session: Session, draft: JournalDraft, *, user_id: UUID | None) -> tuple[UUID, bool]:
    """Write a journal with its accounts and postings; return its id, and whether it is new.

    A second journal of one source is not written: the first one's id is returned. Two writers meet at the unique key,
    and the later one waits for the earlier one's end. A journal of a closed month is written into the first open month
    after it.
    """
    journal_id = session.connection().exec_driver_sql(POST, values_of(draft, user_id)).scalar_one_or_none()
    if journal_id is None:
        first = select(Journal.id).where(Journal.source_kind == draft.source_kind, Journal.source_id == draft.source_id)
        return session.execute(first).scalar_one(), False
    return journal_id, True


def values_of(draft: JournalDraft, user_id: UUID | None) -> dict[str, Any]:
    """Return the values that ``POST`` writes a draft by, with an id of its own."""
    accounts = [posting.account for posting in draft.postings]
    return {
        "id": new_id(),
        "tenant_id": draft.tenant_id,
        "source_kind": draft.source_kind,
        "source_id": draft.source_id,
        "period": draft.period,
        "description": draft.description[:200],
        "reverses_id": draft.reverses_id,
        "user_id": user_id,
        "occurred_at": draft.occurred_at,
        "codes": [account.code for account in accounts],
        "kinds": [account.kind.value for account in accounts],
        "owners": [account.tenant_id for account in accounts],
        "funds": [account.fund_id for account in accounts],
        "sides": [posting.side.value for posting in draft.postings],
        "amounts": [posting.amount_fen for posting in draft.postings],
    }


def balances(session: Session, period: str | None) -> Sequence[tuple[str, str, int, int]]:
    """Return code, kind, debits and credits of every account that moved: in a month, or ever."""
    return _sums(session, () if period is None else (Journal.period == period,))


def balances_before(session: Session, period: str) -> Sequence[tuple[str, str, int, int]]:
    """Return code, kind, debits and credits of every account that moved before a month."""
    return _sums(session, (Journal.period < period,))


def _sums(session: Session, conditions: Sequence[ColumnElement[bool]]) -> Sequence[tuple[str, str, int, int]]:
    debit = func.coalesce(func.sum(case((Posting.side == "debit", Posting.amount_fen))), 0)
    credit = func.coalesce(func.sum(case((Posting.side == "credit", Posting.amount_fen))), 0)
    query = (
        select(Account.code, Account.kind, debit, credit)
        .join(Posting, Posting.account == Account.code)
        .group_by(Account.code, Account.kind)
        .order_by(Account.code)
    )
    if conditions:
        query = query.join(Journal, Journal.id == Posting.journal_id).where(*conditions)
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


def journals_of(session: Session, period: str) -> Sequence[Journal]:
    """Return all journals of a month, in the order in which things happened."""
    query = select(Journal).where(Journal.period == period).order_by(Journal.occurred_at, Journal.id)
    return session.execute(query).scalars().all()


def journal_of(session: Session, journal_id: UUID) -> Journal | None:
    """Return a journal."""
    return session.execute(select(Journal).where(Journal.id == journal_id)).scalar_one_or_none()


def accounts_of(session: Session, codes: Collection[str]) -> Sequence[Account]:
    """Return some accounts, in the order of their codes."""
    return session.execute(select(Account).where(Account.code.in_(codes)).order_by(Account.code)).scalars().all()


def periods_before(session: Session, period: str) -> Sequence[str]:
    """Return the months before ``period`` that have journals, the earliest first."""
    query = select(Journal.period).where(Journal.period < period).distinct().order_by(Journal.period)
    return session.execute(query).scalars().all()


def close(session: Session, values: Mapping[str, Any]) -> bool:
    """Close a month; False when it is closed. From here on nobody writes into it; who is writing is waited for."""
    return rows_written(session, insert(ClosedPeriod).values(values).on_conflict_do_nothing()) == 1


def closed_periods(session: Session) -> Sequence[ClosedPeriod]:
    """Return the closed months, the latest first."""
    query = select(ClosedPeriod).order_by(ClosedPeriod.period.desc())
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def lock_period(session: Session, period: str) -> None:
    """Wait until nobody is writing into a month, and keep writers out until the transaction ends."""
    session.connection().exec_driver_sql(
        "SELECT pg_advisory_xact_lock('closed_periods'::regclass::integer, %(month)s)",
        {"month": int(period.replace("-", ""))},
    )


def postings_of(session: Session, journal_ids: Sequence[UUID]) -> Sequence[Posting]:
    """Return the postings of some journals, in order."""
    query = select(Posting).where(Posting.journal_id.in_(journal_ids)).order_by(Posting.journal_id, Posting.line)
    return session.execute(query).scalars().all()
