"""Plans: what each tier costs and includes. A version is never edited; another one follows it from a date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.formats.entitlements import read_entitlements
from billing.rules.money import MAX_FEN, WHOLE_BP
from billing.rules.plans import Entitlements
from billing.store import plans as store
from billing.store.plans import Plan
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.days import BilledEvery
from tenants.rules.faults import Faults
from tenants.usecases import audit

MOST_FEE_FEN = 10**12


@dataclass(frozen=True)
class PlanView:
    """A version of a tier's plan. Fees are of a whole month or year, VAT included."""

    id: UUID
    tier: Tier
    version: int
    name: str
    name_en: str
    monthly_fee_fen: int
    yearly_fee_fen: int
    monthly_minimum_fen: int
    vat_bp: int
    entitlements: Entitlements
    valid_from: datetime
    document: Mapping[str, Any]
    """The entitlements as they were written."""

    def fee_fen(self, every: BilledEvery) -> int:
        """Return the fee of a whole period."""
        return self.yearly_fee_fen if every is BilledEvery.YEAR else self.monthly_fee_fen


def set_plan(
    work: Work,
    *,
    tier: Tier,
    name: str,
    name_en: str,
    monthly_fee_fen: int,
    yearly_fee_fen: int,
    vat_bp: int,
    entitlements: Mapping[str, Any],
    monthly_minimum_fen: int = 0,
    valid_from: datetime | None = None,
) -> PlanView:
    """Let a tier's next version be in force from a moment (None: from now) on; what has begun keeps its own.

    Raises Invalid with every wrong field; Conflict ``plan.set_meanwhile`` when another version begins at that moment.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    begin = work.now if valid_from is None else valid_from
    read_entitlements(entitlements)
    with Faults() as faults:
        faults.take("name", _check_name, name)
        faults.take("name_en", _check_name, name_en)
        faults.take("monthly_fee_fen", _check_fee, monthly_fee_fen)
        faults.take("yearly_fee_fen", _check_fee, yearly_fee_fen)
        faults.take("monthly_minimum_fen", _check_fee, monthly_minimum_fen)
        faults.take("vat_bp", _check_vat, vat_bp)
        faults.take("valid_from", _check_begin, begin, work.now)
    plan_id = new_id()
    values = {
        "id": plan_id,
        "tier": tier,
        "version": store.last_version(work.session, tier) + 1,
        "name": name.strip(),
        "name_en": name_en.strip(),
        "monthly_fee_fen": monthly_fee_fen,
        "yearly_fee_fen": yearly_fee_fen,
        "monthly_minimum_fen": monthly_minimum_fen,
        "vat_bp": vat_bp,
        "entitlements": dict(entitlements),
        "valid_from": begin,
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not store.insert_plan(work.session, values):
        raise Conflict("plan.set_meanwhile", msg("该层级在同一时间已有方案。请刷新后换一个生效时间。"))
    audit.record(work, "plan.set", "plan", plan_id, tier=tier, version=values["version"])
    return plan_view(store.plans_by_id(work.session, [plan_id])[plan_id])


def list_plans(work: Work) -> tuple[PlanView, ...]:
    """Return every version of every tier's plan, the newest of each tier first."""
    work.actor.require(Permission.READ_CATALOGUE)
    return tuple(plan_view(row) for row in store.plans_of(work.session))


def plans_in_force(work: Work) -> dict[Tier, PlanView]:
    """Return the version of each tier's plan that is in force now."""
    work.actor.require(Permission.READ_CATALOGUE)
    found: dict[Tier, PlanView] = {}
    for row in store.plans_of(work.session):
        best = found.get(Tier(row.tier))
        if row.valid_from <= work.now and (best is None or row.valid_from > best.valid_from):
            found[Tier(row.tier)] = plan_view(row)
    return found


def plan_for(work: Work, *, tier: Tier, at: datetime) -> PlanView:
    """Return the version of a tier's plan in force at a moment; Conflict ``plan.none`` without one."""
    work.actor.require(Permission.READ_CATALOGUE)
    row = store.plan_at(work.session, tier, at)
    if row is None:
        raise Conflict("plan.none", msg("该层级目前没有方案，暂不能订阅。请联系平台运营人员。"))
    return plan_view(row)


def plan_view(row: Plan) -> PlanView:
    """Return the view of a version's row."""
    return PlanView(
        id=row.id,
        tier=Tier(row.tier),
        version=row.version,
        name=row.name,
        name_en=row.name_en,
        monthly_fee_fen=row.monthly_fee_fen,
        yearly_fee_fen=row.yearly_fee_fen,
        monthly_minimum_fen=row.monthly_minimum_fen,
        vat_bp=row.vat_bp,
        entitlements=read_entitlements(row.entitlements),
        valid_from=row.valid_from,
        document=row.entitlements,
    )


def _check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= 200:
        raise Invalid("plan.name", msg("名称须为 1 至 {limit} 个字符。请改正名称。", limit=200))


def _check_fee(fee_fen: int) -> None:
    if not 0 <= fee_fen <= min(MOST_FEE_FEN, MAX_FEN):
        raise Invalid("plan.fee", msg("费用不能为负，且不能过大。请改正费用。"))


def _check_vat(vat_bp: int) -> None:
    if not 0 <= vat_bp <= WHOLE_BP:
        raise Invalid("price.vat", msg("增值税率须为 0 至 10000 个基点。请改正税率。"))


def _check_begin(valid_from: datetime, now: datetime) -> None:
    if valid_from < now:
        raise Invalid("plan.backdated", msg("方案不能追溯生效。请选择现在或以后的时间。"))
