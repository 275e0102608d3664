"""The three answers of a run, as is, optimised and sized, and their key figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.inputs import Battery, Sizing, TwinRequest
from services.rules.twin.sizing_program import Additions
from services.rules.twin.tariff import Bill, Prices, make_bill

_YEAR_HOURS = 8760


@dataclass(frozen=True, eq=False)
class Scenario:
    """One way to run the park. ``capital_yuan`` is the yearly cost of what was added, for the horizon's share."""

    name: str
    kwp: float
    battery: Battery
    flow: Dispatch
    bill: Bill
    capital_yuan: float
    objective_yuan: float


@dataclass(frozen=True)
class Kpis:
    """Key figures of a scenario, for the horizon (a year, as a rule)."""

    annual_bill_yuan: float
    peak_kw: float
    pv_kwh: float
    import_kwh: float
    export_kwh: float
    self_consumption_share: float
    emissions_t: float
    curtailed_kwh: float
    capital_yuan: float
    objective_yuan: float


@dataclass(frozen=True)
class Investment:
    """What the additions cost and when they have paid for themselves; None when they never do."""

    capex_yuan: float
    subsidy_yuan: float
    yearly_saving_yuan: float
    payback_years: float | None
    payback_years_subsidised: float | None


def horizon_share(calendar: Calendar) -> float:
    """Share of a year of 8,760 hours."""
    return calendar.horizon.steps * calendar.horizon.hours / _YEAR_HOURS


def extended(battery: Battery, additions: Additions) -> Battery:
    """Return the battery with what is added to it."""
    return replace(battery, kwh=battery.kwh + additions.battery_kwh, kw=battery.kw + additions.battery_kw)


def capital_yuan(sizing: Sizing | None, additions: Additions, share: float) -> float:
    """Yearly cost of the additions, for the given share of a year."""
    if sizing is None:
        return 0.0
    yearly = (
        additions.pv_kwp * sizing.pv_yearly
        + additions.battery_kwh * sizing.battery_kwh_yearly
        + additions.battery_kw * sizing.battery_kw_yearly
    )
    return yearly * share


def make_scenario(
    name: str, request: TwinRequest, calendar: Calendar, prices: Prices, flow: Dispatch, additions: Additions
) -> Scenario:
    """Price a dispatch: the bill to the fen, and the unrounded objective a solver would report."""
    hours = calendar.horizon.hours
    peaks = np.zeros(len(calendar.months))
    np.maximum.at(peaks, calendar.month, flow.imported)
    fixed = float(request.tariff.capacity_yuan_per_month) * len(calendar.months)
    running = hours * float(flow.imported @ prices.buy - flow.exported @ prices.sell) + prices.demand * float(
        peaks.sum()
    )
    capital = capital_yuan(request.sizing, additions, horizon_share(calendar))
    return Scenario(
        name=name,
        kwp=request.pv.kwp + additions.pv_kwp,
        battery=extended(request.battery, additions),
        flow=flow,
        bill=make_bill(calendar, prices, request.tariff, request.feed_in, flow.imported, flow.exported),
        capital_yuan=capital,
        objective_yuan=running + fixed + capital,
    )


def make_kpis(scenario: Scenario, request: TwinRequest) -> Kpis:
    """Work out the key figures. Emissions are location-based; power fed in is not credited."""
    flow, hours = scenario.flow, request.horizon.hours
    pv, fed = float(flow.pv.sum()) * hours, float(flow.exported.sum()) * hours
    bought, lost = float(flow.imported.sum()) * hours, float(flow.curtailed.sum()) * hours
    return Kpis(
        annual_bill_yuan=scenario.bill.total_fen / 100,
        peak_kw=round(float(flow.imported.max()), 3),
        pv_kwh=round(pv, 3),
        import_kwh=round(bought, 3),
        export_kwh=round(fed, 3),
        self_consumption_share=round((pv - fed - lost) / pv, 6) if pv > 0 else 0.0,
        emissions_t=round(bought * float(request.factor.kg_per_kwh) / 1000, 3),
        curtailed_kwh=round(lost, 3),
        capital_yuan=round(scenario.capital_yuan, 2),
        objective_yuan=round(scenario.objective_yuan, 4),
    )


def make_investment(request: TwinRequest, additions: Additions, before: Kpis, after: Kpis, share: float) -> Investment:
    """Simple payback of the additions from a year's saving less upkeep, with and without the subsidy."""
    sizing = request.sizing or Sizing()
    capex = (
        additions.pv_kwp * sizing.pv_yuan_per_kwp
        + additions.battery_kwh * sizing.battery_yuan_per_kwh
        + additions.battery_kw * sizing.battery_yuan_per_kw
    )
    saving = (before.annual_bill_yuan - after.annual_bill_yuan) / share - capex * sizing.upkeep_share
    subsidy = capex * sizing.subsidy_share
    pays = capex > 0 and saving > 0
    return Investment(
        capex_yuan=round(capex, 2),
        subsidy_yuan=round(subsidy, 2),
        yearly_saving_yuan=round(saving, 2),
        payback_years=round(capex / saving, 2) if pays else None,
        payback_years_subsidised=round((capex - subsidy) / saving, 2) if pays else None,
    )
