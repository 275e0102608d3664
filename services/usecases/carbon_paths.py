"""The path of a site to a target: what its ledger and its twin offer, and the cheapest plan, checked year by year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from services.formats.carbon_plan import PlanDocument, read_plan
from services.gateways.solver import Solver
from services.rules.carbon.factors import RESIDUAL
from services.rules.carbon.inventory import Inventory
from services.rules.carbon.measures import Baseline, abatement_curve, check_measures
from services.rules.carbon.path import check_path, find_path
from services.rules.carbon.records import Category
from services.rules.catalogue import Delivery
from services.store.carbon import CarbonPlan
from services.store.runs import Run
from services.usecases import site_months, sites
from services.usecases.carbon_factors import factor_table
from services.usecases.carbon_inventory import read_inventory
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

_TONNES = Decimal("0.001")
_FEN = Decimal("0.01")


@dataclass(frozen=True)
class Suggestion:
    """A measure as the park's twin found it: from which run, and the fields of a plan's measure."""

    run_id: UUID
    finished_at: datetime
    measure: Mapping[str, Any]


@dataclass(frozen=True)
class PlanBasis:
    """What a plan can be made of: the base year's figures, and measures that a twin run has worked out."""

    baseline: Baseline
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True)
class PlanView:
    """A plan: the wish in full, and the result (curve, starts, years, what is left)."""

    id: UUID
    site_id: UUID
    base_year: int
    target_year: int
    request: Mapping[str, Any]
    result: Mapping[str, Any]
    created_at: datetime


def read_basis(work: Work, *, site_id: UUID, year: int) -> PlanBasis:
    """Return what a plan of a base year can be made of. Raises NotFound, Invalid, Conflict ``carbon.empty``."""
    work.actor.require(Permission.READ_CARBON)
    view = read_inventory(work, site_id=site_id, year=year)
    if not view.standing:
        raise Conflict("carbon.empty", msg("{year} 年没有活动记录，不能作为基准年。请先登记。", year=year))
    return PlanBasis(_baseline(work, view.inventory), _from_twin(work))


def make_plan(work: Work, *, site_id: UUID, plan: Mapping[str, Any]) -> PlanView:
    """Find the cheapest path and keep it with its wish.

    Raises Invalid for a wrong field or a measure that saves more than the ledger holds, Conflict ``carbon.empty``.
    """
    work.actor.require(Permission.RECORD_CARBON)
    tenant_id = work.actor.require_tenant()
    site_months.require_running(work, site_id=site_id, delivery=Delivery.CARBON)
    wish = read_plan(plan)
    baseline = read_basis(work, site_id=site_id, year=wish.base_year).baseline
    plan_id = new_id()
    row = {
        "tenant_id": tenant_id,
        "id": plan_id,
        "site_id": site_id,
        "base_year": wish.base_year,
        "target_year": wish.target_year,
        "request": wish.model_dump(mode="json"),
        "result": solve_plan(wish, baseline),
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    work.session.execute(insert(CarbonPlan).values(row))
    site_months.note_activity(work, site_id=site_id, delivery=Delivery.CARBON)
    audit.record(work, "carbon.plan", "carbon_plan", plan_id, site_id=site_id, target_year=wish.target_year)
    return read_plan_view(work, plan_id=plan_id)


def read_plan_view(work: Work, *, plan_id: UUID) -> PlanView:
    """Return a plan of the acting park; NotFound for another park's."""
    work.actor.require(Permission.READ_CARBON)
    own = (CarbonPlan.tenant_id == work.actor.require_tenant(), CarbonPlan.id == plan_id)
    row = work.session.execute(select(CarbonPlan).where(*own)).scalar_one_or_none()
    if row is None:
        raise NotFound("carbon.plan_not_found", msg("没有找到该减碳路径。请从列表中打开。"))
    return _view(row)


def list_plans(work: Work, *, site_id: UUID) -> tuple[PlanView, ...]:
    """Return a site's plans, the latest first."""
    work.actor.require(Permission.READ_CARBON)
    sites.read_site(work, site_id=site_id)
    query = (
        select(CarbonPlan)
        .where(CarbonPlan.tenant_id == work.actor.require_tenant(), CarbonPlan.site_id == site_id)
        .order_by(CarbonPlan.created_at.desc(), CarbonPlan.id)
    )
    return tuple(map(_view, work.session.execute(query).scalars()))


def solve_plan(wish: PlanDocument, baseline: Baseline) -> dict[str, Any]:
    """Return the result of a plan as JSON values: tonnes to a kilogram, yuan to a fen, both as texts."""
    measures = [part.measure() for part in wish.measures]
    check_measures(measures, baseline)
    path = find_path(measures, baseline, wish.goal, wish.rate, lambda program: Solver().solve(program).values)
    years = check_path(path, measures, baseline, wish.goal, wish.rate)
    last = years[-1]
    return {
        "baseline": {
            "tonnes": _text(baseline.tonnes, _TONNES),
            "uncovered_kwh": f"{baseline.uncovered_kwh.normalize():f}",
            "kg_per_kwh": str(baseline.kg_per_kwh),
        },
        "curve": [
            {"key": step.measure.key, "name": step.measure.name, "kind": step.measure.kind,
             "tonnes": _text(step.tonnes, _TONNES), "yuan_per_tonne": _text(step.yuan_per_tonne, _FEN)}
            for step in abatement_curve(measures, baseline, wish.rate)
        ],
        "starts": dict(path.starts),
        "bought": {
            key: {str(year): f"{amount.normalize():f}" for year, amount in amounts.items()}
            for key, amounts in path.bought.items()
        },
        "years": [
            {"year": year.year, "limit_t": _text(year.limit_t, _TONNES), "emissions_t": _text(year.emissions_t, _TONNES),
             "offset_t": _text(year.offset_t, _TONNES), "missing_t": _text(year.missing_t, _TONNES),
             "green_kwh": f"{year.green_kwh.normalize():f}", "cost_yuan": _text(year.cost_yuan, _FEN)}
            for year in years
        ],
        "reached": all(_text(year.missing_t, _TONNES) == _text(Decimal(0), _TONNES) for year in years),
        "residual_t": _text(last.emissions_t, _TONNES),
    }  # fmt: skip


def _baseline(work: Work, inventory: Inventory) -> Baseline:
    """Return the base year market-based, so that certificates and green power count."""
    covered = inventory.cover
    uncovered = inventory.bought_kwh + covered.given_away - covered.used
    at_residual = inventory.market - inventory.of(Category.SOLD_ELECTRICITY).grams
    rate = (
        Decimal(at_residual) / 1000 / uncovered if uncovered else factor_table(work).grid(inventory.year, RESIDUAL).kg
    )
    fuels: dict[str, tuple[Decimal, int]] = {}
    for line in inventory.lines:
        if line.category in {Category.FUEL, Category.VEHICLE}:
            amount, grams = fuels.get(line.factor.item, (Decimal(0), 0))
            fuels[line.factor.item] = (amount + line.base_quantity, grams + line.grams)
    return Baseline(
        year=inventory.year,
        grams=inventory.total_market,
        uncovered_kwh=uncovered,
        kg_per_kwh=rate.quantize(Decimal("0.000000001"), ROUND_HALF_UP),
        fuels={item: (amount, Decimal(grams) / 1000 / amount) for item, (amount, grams) in fuels.items() if amount},
    )


def _from_twin(work: Work) -> tuple[Suggestion, ...]:
    """Return what the park's latest twin found: running better, and what it would build, each against as it is.

    The twin's yearly capital is in the yearly cost, so a suggestion has no capital of its own.
    """
    query = (
        select(Run.id, Run.finished_at, Run.kpis)
        .where(Run.tenant_id == work.actor.require_tenant(), Run.delivery == Delivery.TWIN, Run.status == "succeeded")
        .order_by(Run.finished_at.desc())
        .limit(1)
    )
    row = work.session.execute(query).one_or_none()
    kpis = {} if row is None else row.kpis or {}
    if row is None or not all(isinstance(kpis.get(name), dict) for name in ("as_is", "optimised", "sized")):
        return ()
    found = []
    for key, kind, name in (
        ("optimised", "efficiency", "孪生推演：优化运行"),
        ("sized", "pv", "孪生推演：扩建光伏与储能"),
    ):
        saved = _difference(kpis, key, "import_kwh")
        cost = -_difference(kpis, key, "annual_bill_yuan") - _difference(kpis, key, "capital_yuan")
        if saved > 0:
            measure = {
                "key": f"twin-{key}", "name": name, "kind": kind, "saved_kwh": _text(saved, Decimal(1)),
                "yearly_yuan": _text(cost, _FEN),
            }  # fmt: skip
            found.append(Suggestion(row.id, row.finished_at, measure))
    return tuple(found)


def _difference(kpis: Mapping[str, Any], scenario: str, figure: str) -> Decimal:
    before, after = (Decimal(str(kpis[name].get(figure) or 0)) for name in ("as_is", scenario))
    return before - after


def _text(number: Decimal, digits: Decimal) -> str:
    return f"{number.quantize(digits, ROUND_HALF_UP):f}"


def _view(row: CarbonPlan) -> PlanView:
    return PlanView(
        id=row.id,
        site_id=row.site_id,
        base_year=row.base_year,
        target_year=row.target_year,
        request=row.request,
        result=row.result,
        created_at=row.created_at,
    )
