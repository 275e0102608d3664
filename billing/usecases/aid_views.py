"""The rolling aid register, read: what of it a controller has used, and when the oldest grant falls out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from billing.rules.rolling import falls_out
from billing.store import aid_queries
from billing.store.aid import AidGrant
from billing.store.aid_queries import AccountKey, Window
from billing.usecases.aid_register import RollingCeiling, ceiling_of, controller_of
from billing.usecases.policies_in_force import EffectivePolicy, policies_in_force
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import control_groups, onboarding

_EVER = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class AidCeilingView:
    """What a programme's rolling ceiling leaves of itself."""

    programme: str
    programme_name: str
    programme_name_en: str
    limit_fen: int
    left_fen: int


@dataclass(frozen=True)
class AidView:
    """What a controller has in a register of what was granted in the last ``years``.

    ``oldest_at`` is when the oldest of it was granted, ``falls_out_at`` when that no longer counts; None without any.
    A register that no programme in force names counts over no years: all of it is told.
    """

    register: str
    controller_id: UUID
    controller_name: str
    years: int | None
    used_fen: int
    oldest_at: datetime | None
    falls_out_at: datetime | None
    ceilings: tuple[AidCeilingView, ...]


@dataclass(frozen=True)
class AidGrantView:
    """A grant; ``left_fen`` is what of it was not given back."""

    id: UUID
    park_id: UUID
    park_name: str
    programme: str
    version: int
    amount_fen: int
    left_fen: int
    granted_at: datetime
    falls_out_at: datetime | None


def read_own_aid(work: Work) -> tuple[AidView, ...]:
    """Return the registers of programmes in force as they stand for the acting park's controller."""
    work.actor.require(Permission.READ_PROGRAMME)
    park = onboarding.read_park(work, park_id=work.actor.require_tenant())
    controller = controller_of(park.id, {"control_group": park.control_group})
    policies = _by_register(policies_in_force(work, at=work.now))
    accounts = [AccountKey(register, controller) for register in sorted(policies)]
    return _views(work, accounts, policies, {controller: park.name if controller == park.id else ""})


def list_aid(work: Work, *, register: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[AidView]:
    """Return the accounts of all controllers, or those of one register, the newest account first."""
    work.actor.require(Permission.READ_FUND)
    before = decode_cursor(cursor)
    rows = aid_queries.accounts_page(work.session, register, before, check_limit(limit) + 1)
    accounts = [AccountKey(row.register, row.controller_id) for row in rows]
    names = _controllers(work, [account.controller_id for account in accounts])
    found = _views(work, accounts, _by_register(policies_in_force(work, at=work.now)), names)
    views = dict(zip(accounts, found, strict=True))
    return page_of(
        rows, limit, lambda row: views[AccountKey(row.register, row.controller_id)], lambda row: (row.opened_at, row.id)
    )


def list_grants(
    work: Work, *, register: str, controller_id: UUID, limit: int = 50, cursor: str | None = None
) -> Page[AidGrantView]:
    """Return a controller's grants in a register, newest first; to a park those of its own alone."""
    work.actor.require(Permission.READ_PROGRAMME)
    before = decode_cursor(cursor)
    rows = aid_queries.grants_page(work.session, AccountKey(register, controller_id), before, check_limit(limit) + 1)
    ceilings = _ceilings(_by_register(policies_in_force(work, at=work.now)).get(register, ()))
    names = onboarding.park_names(work, park_ids={grant.tenant_id for grant, _ in rows})
    return page_of(
        rows,
        limit,
        lambda row: _grant_view(row[0], row[1], names, ceilings[0] if ceilings else None),
        lambda row: (row[0].granted_at, row[0].id),
    )


def _by_register(policies: Sequence[EffectivePolicy]) -> dict[str, list[EffectivePolicy]]:
    found: dict[str, list[EffectivePolicy]] = {}
    for each in policies:
        if each.policy.rolling is not None:
            found.setdefault(each.policy.rolling.register, []).append(each)
    return found


def _ceilings(policies: Sequence[EffectivePolicy]) -> list[RollingCeiling]:
    """Return the ceilings of a register, those over the most years first."""
    found = [ceiling for each in policies if (ceiling := ceiling_of(each.policy)) is not None]
    return sorted(found, key=lambda ceiling: -ceiling.years)


def _views(
    work: Work, accounts: Sequence[AccountKey], policies: dict[str, list[EffectivePolicy]], names: dict[UUID, str]
) -> tuple[AidView, ...]:
    windows = {}
    for account in accounts:
        ceilings = _ceilings(policies.get(account.register, ()))
        windows[account] = Window(account, ceilings[0].since(work.now) if ceilings else _EVER)
    counted = aid_queries.counted(work.session, windows.values())
    return tuple(
        _view(account, counted[windows[account]], policies.get(account.register, ()), names) for account in accounts
    )


def _view(
    account: AccountKey, found: aid_queries.Counted, policies: Sequence[EffectivePolicy], names: dict[UUID, str]
) -> AidView:
    ceilings = _ceilings(policies)
    widest = ceilings[0] if ceilings else None
    out = None
    if widest is not None and found.oldest_at is not None:
        out = falls_out(found.oldest_at, widest.years, widest.timezone)
    return AidView(
        register=account.register,
        controller_id=account.controller_id,
        controller_name=names.get(account.controller_id, ""),
        years=None if widest is None else widest.years,
        used_fen=found.taken_fen,
        oldest_at=found.oldest_at,
        falls_out_at=out,
        ceilings=tuple(
            AidCeilingView(
                each.policy.programme, each.name, each.name_en, each.policy.rolling.amount_fen,
                max(0, each.policy.rolling.amount_fen - found.taken_fen),
            )
            for each in policies
            if each.policy.rolling is not None
        ),
    )  # fmt: skip


def _grant_view(grant: AidGrant, left_fen: int, names: dict[UUID, str], ceiling: RollingCeiling | None) -> AidGrantView:
    return AidGrantView(
        id=grant.id,
        park_id=grant.tenant_id,
        park_name=names.get(grant.tenant_id, ""),
        programme=grant.programme,
        version=grant.version,
        amount_fen=grant.amount_fen,
        left_fen=left_fen,
        granted_at=grant.granted_at,
        falls_out_at=falls_out(grant.granted_at, ceiling.years, ceiling.timezone) if ceiling else None,
    )


def _controllers(work: Work, ids: Sequence[UUID]) -> dict[UUID, str]:
    return {**onboarding.park_names(work, park_ids=ids), **control_groups.group_names(work, group_ids=ids)}
