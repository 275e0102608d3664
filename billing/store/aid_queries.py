"""The rolling aid register: a controller's row as lock and counter, grants and releases added, sums over a window."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select, text, tuple_
from sqlalchemy.orm import Session

from billing.store.aid import AidAccount, AidGrant, AidRelease
from tenants.kernel.database import AnyRow
from tenants.kernel.identifiers import new_id


class AccountKey(NamedTuple):
    """One controller in one register; sorted as they are locked."""

    register: str
    controller_id: UUID


class Window(NamedTuple):
    """What of an account counts: everything granted after ``since``."""

    account: AccountKey
    since: datetime


class Counted(NamedTuple):
    """What counts of an account, and when the oldest of it was granted."""

    taken_fen: int
    oldest_at: datetime | None


# Insert, count and lock are one statement: whoever comes second waits here, and then sees the grants of the first.
_LOCK = text(
    """
    INSERT INTO aid_accounts (register, controller_id, id, entries, opened_at)
    VALUES (:register, :controller_id, :id, :entries, :now)
    ON CONFLICT (register, controller_id) DO UPDATE SET entries = aid_accounts.entries + excluded.entries
    RETURNING entries
    """
)
_COUNT = text(
    """
    SELECT a.place, c.taken_fen, c.oldest_at
    FROM unnest(CAST(:registers AS text[]), CAST(:controllers AS uuid[]), CAST(:sinces AS timestamptz[]))
        WITH ORDINALITY AS a (register, controller, since, place)
    CROSS JOIN LATERAL aid_counted(a.register, a.controller, a.since) c
    """
)


def lock_account(session: Session, account: AccountKey, entries: int, now: datetime) -> int:
    """Lock a controller's account, opening it where there is none, for ``entries`` grants; return the last one's number."""
    values = {**account._asdict(), "id": new_id(), "entries": entries, "now": now}
    return int(session.execute(_LOCK, values).scalar_one())


def counted(session: Session, windows: Collection[Window]) -> dict[Window, Counted]:
    """Return what counts in some windows, whatever park it was granted to."""
    asked = list(windows)
    if not asked:
        return {}
    values = {
        "registers": [window.account.register for window in asked],
        "controllers": [window.account.controller_id for window in asked],
        "sinces": [window.since for window in asked],
    }
    return {asked[row.place - 1]: Counted(row.taken_fen, row.oldest_at) for row in session.execute(_COUNT, values)}


def add_grants(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add grants to the register."""
    session.execute(insert(AidGrant), list(rows))


def add_releases(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add what was given back to the register."""
    session.execute(insert(AidRelease), list(rows))


_GIVEN_BACK = (
    select(func.coalesce(func.sum(AidRelease.amount_fen), 0))
    .where(AidRelease.grant_id == AidGrant.id)
    .correlate(AidGrant)
    .scalar_subquery()
)
_LIVE = select(AidGrant, (AidGrant.amount_fen - _GIVEN_BACK).label("left_fen"))


def live_grants(session: Session, sources: Collection[tuple[UUID, str]]) -> Sequence[tuple[AidGrant, int]]:
    """Return grants for order lines and programmes with what of each is left; those with nothing left are not among them."""
    if not sources:
        return ()
    mine = _LIVE.where(tuple_(AidGrant.source_id, AidGrant.programme).in_(list(sources)))
    return _with_rest(session, mine)


def live_grants_of_tenant(session: Session, tenant_id: UUID) -> Sequence[tuple[AidGrant, int]]:
    """Return all grants to a park with what of each is left; those with nothing left are not among them."""
    return _with_rest(session, _LIVE.where(AidGrant.tenant_id == tenant_id))


def grants_page(
    session: Session, account: AccountKey, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[tuple[AidGrant, int]]:
    """Return an account's grants that the acting person's rows show, newest first, with what is left of each."""
    query = _LIVE.where(AidGrant.register == account.register, AidGrant.controller_id == account.controller_id)
    if before is not None:
        query = query.where(tuple_(AidGrant.granted_at, AidGrant.id) < before)
    rows = session.execute(query.order_by(AidGrant.granted_at.desc(), AidGrant.id.desc()).limit(most))
    return [(grant, int(left)) for grant, left in rows]


def accounts_page(
    session: Session, register: str | None, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[AnyRow]:
    """Return accounts, the newest first."""
    query = select(AidAccount.register, AidAccount.controller_id, AidAccount.id, AidAccount.opened_at)
    if register is not None:
        query = query.where(AidAccount.register == register)
    if before is not None:
        query = query.where(tuple_(AidAccount.opened_at, AidAccount.id) < before)
    return session.execute(query.order_by(AidAccount.opened_at.desc(), AidAccount.id.desc()).limit(most)).all()


def most_counted(session: Session, register: str, since: datetime) -> int:
    """Return the most that any controller has in a register, of what was granted after ``since``."""
    per_controller = (
        select(func.sum(AidGrant.amount_fen - _GIVEN_BACK).label("taken"))
        .where(AidGrant.register == register, AidGrant.granted_at > since)
        .group_by(AidGrant.controller_id)
        .subquery()
    )
    return int(session.execute(select(func.coalesce(func.max(per_controller.c.taken), 0))).scalar_one())


def _with_rest(session: Session, query: Any) -> Sequence[tuple[AidGrant, int]]:
    rows = session.execute(query.order_by(AidGrant.register, AidGrant.controller_id, AidGrant.seq))
    return [(grant, int(left)) for grant, left in rows if left]
