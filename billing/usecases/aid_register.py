"""The rolling aid register: grants counted per controller over years that roll, under one row's lock, and given back.

For billing's own use cases, which have asked for their own permission. Rows are taken after the holds and before any
ceiling and fund: register by register, controller by controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules.money import format_yuan
from billing.rules.rolling import rolling_start
from billing.rules.terms import Policy
from billing.store.aid import AidGrant
from billing.store.aid_queries import (
    AccountKey,
    Window,
    add_grants,
    add_releases,
    counted,
    live_grants,
    live_grants_of_tenant,
    lock_account,
)
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class RollingCeiling:
    """A rolling ceiling that an award counts against, and the zone on whose clock its years roll."""

    register: str
    years: int
    limit_fen: int
    timezone: str

    def since(self, moment: datetime) -> datetime:
        """Return the last instant that does not count at ``moment``."""
        return rolling_start(moment, self.years, self.timezone)


@dataclass(frozen=True)
class Grant:
    """Aid that is about to be granted: an award of an order line (``source_id``), and the facts of that line."""

    source_id: UUID
    programme: str
    version: int
    amount_fen: int
    ceiling: RollingCeiling
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Returned:
    """A part of an award that is given back."""

    source_id: UUID
    programme: str
    amount_fen: int


def ceiling_of(policy: Policy) -> RollingCeiling | None:
    """Return the rolling ceiling of a version, None for one without."""
    rolling = policy.rolling
    if rolling is None:
        return None
    return RollingCeiling(rolling.register, rolling.years, rolling.amount_fen, policy.timezone)


def controller_of(tenant_id: UUID, facts: Mapping[str, Any]) -> UUID:
    """Return whom a park's aid is counted for: its control group, or itself."""
    return UUID(str(facts.get("control_group") or tenant_id))


def used_in_registers(
    work: Work, policies: Iterable[Policy], tenant_id: UUID, facts: Mapping[str, Any], at: datetime
) -> dict[str, int]:
    """Return what the park's controller has by register, in fen, of what counts at ``at``.

    Where versions count over different years in one register, the most of it: an award may come out too small, and
    never too large.
    """
    windows = {
        Window(AccountKey(ceiling.register, controller_of(tenant_id, facts)), ceiling.since(at))
        for ceiling in map(ceiling_of, policies)
        if ceiling is not None
    }
    used: dict[str, int] = {}
    for window, found in counted(work.session, windows).items():
        used[window.account.register] = max(found.taken_fen, used.get(window.account.register, 0))
    return used


def grant_all(work: Work, tenant_id: UUID, grants: Sequence[Grant]) -> None:
    """Enter grants under their ceilings, in the order of the quote; the controller's row is locked until the commit.

    What another clock granted after ``work.now`` counts as well, so a transaction that waited sees all before it. Raises
    Conflict ``cap.rolling_reached`` with what is left; the transaction is then undone as a whole.
    """
    by_account: dict[AccountKey, list[Grant]] = {}
    for grant in grants:
        account = AccountKey(grant.ceiling.register, controller_of(tenant_id, grant.facts))
        by_account.setdefault(account, []).append(grant)
    for account in sorted(by_account):
        _grant(work, tenant_id, account, by_account[account])


def give_back(work: Work, returned: Iterable[Returned], reason: str) -> None:
    """Give parts of awards back to the registers they were counted in; awards that no register counted are passed over.

    A grant that has less left than is given back is a bug, not a refusal: nothing may be given back twice.
    """
    amounts: dict[tuple[UUID, str], int] = {}
    for each in returned:
        if each.amount_fen:
            source = (each.source_id, each.programme)
            amounts[source] = amounts.get(source, 0) + each.amount_fen
    if not _locked(work, live_grants(work.session, amounts)):
        return
    rows = []
    for grant, left in live_grants(work.session, amounts):
        amount = amounts.pop((grant.source_id, grant.programme))
        if amount > left:
            raise RuntimeError(f"grant {grant.id} has {left} fen left, less than the {amount} to give back")
        rows.append(_release(work, grant, amount, reason))
    add_releases(work.session, rows)


def follow_controller(work: Work, *, tenant_id: UUID, controller_id: UUID) -> None:
    """Let a park's grants count for another controller from now on, each from its own moment, and nowhere twice.

    What counts there may come out above a ceiling; then nothing more is granted until enough has fallen out.
    """
    work.actor.require(Permission.MANAGE_STANDING)
    grants = live_grants_of_tenant(work.session, tenant_id)
    targets = {AccountKey(grant.register, controller_id) for grant, _ in grants}
    if not _locked(work, grants, targets):
        return
    moving = [pair for pair in live_grants_of_tenant(work.session, tenant_id) if pair[0].controller_id != controller_id]
    last: dict[str, int] = {}
    rows = []
    for grant, left in moving:
        last[grant.register] = lock_account(work.session, AccountKey(grant.register, controller_id), 1, work.now)
        rows.append(_moved(work, grant, left, controller_id, last[grant.register]))
    if rows:
        add_releases(work.session, [_release(work, grant, left, "aid.moved") for grant, left in moving])
        add_grants(work.session, rows)


def _grant(work: Work, tenant_id: UUID, account: AccountKey, grants: Sequence[Grant]) -> None:
    last = lock_account(work.session, account, len(grants), work.now)
    windows = {grant.ceiling: Window(account, grant.ceiling.since(work.now)) for grant in grants}
    before = counted(work.session, set(windows.values()))
    rows, running = [], 0
    for place, grant in enumerate(grants, start=1):
        window = windows[grant.ceiling]
        left = grant.ceiling.limit_fen - before[window].taken_fen - running
        if grant.amount_fen > left:
            raise _reached(grant, max(0, left))
        running += grant.amount_fen
        rows.append(
            {
                "id": new_id(),
                "register": account.register,
                "controller_id": account.controller_id,
                "seq": last - len(grants) + place,
                "tenant_id": tenant_id,
                "source_id": grant.source_id,
                "programme": grant.programme,
                "version": grant.version,
                "amount_fen": grant.amount_fen,
                "granted_at": work.now,
                "since": window.since,
                "limit_fen": grant.ceiling.limit_fen,
                "moved_from": None,
                "user_id": work.actor.user_id,
            }
        )
    add_grants(work.session, rows)


def _locked(work: Work, grants: Sequence[tuple[AidGrant, int]], others: Iterable[AccountKey] = ()) -> set[AccountKey]:
    """Lock the accounts of some grants, and others, in their stable order."""
    accounts = {AccountKey(grant.register, grant.controller_id) for grant, _ in grants} | set(others)
    for account in sorted(accounts):
        lock_account(work.session, account, 0, work.now)
    return accounts


def _release(work: Work, grant: AidGrant, amount_fen: int, reason: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "grant_id": grant.id,
        "tenant_id": grant.tenant_id,
        "amount_fen": amount_fen,
        "reason": reason[:200],
        "user_id": work.actor.user_id,
        "released_at": work.now,
    }


def _moved(work: Work, grant: AidGrant, left_fen: int, controller_id: UUID, seq: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "register": grant.register,
        "controller_id": controller_id,
        "seq": seq,
        "tenant_id": grant.tenant_id,
        "source_id": grant.source_id,
        "programme": grant.programme,
        "version": grant.version,
        "amount_fen": left_fen,
        "granted_at": grant.granted_at,
        "since": None,
        "limit_fen": None,
        "moved_from": grant.controller_id,
        "user_id": work.actor.user_id,
    }


def _reached(grant: Grant, left_fen: int) -> Conflict:
    return Conflict(
        "cap.rolling_reached",
        msg(
            "同一实际控制人连续 {years} 年的补贴上限（台账 {register}）仅余 {left} 元，本单需要 {needed} 元。"
            "请重新询价，新报价将按余额计算补贴。",
            years=grant.ceiling.years,
            register=grant.ceiling.register,
            left=format_yuan(left_fen),
            needed=format_yuan(grant.amount_fen),
        ),
    )
