"""The three answers of a run, as is, optimised and sized, and their key figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.inputs import Battery, Floats, Sizing, TwinRequest
from services.rules.twin.sizing_program import Additions, sized_for
from services.rules.twin.tariff import Bill, Prices, make_bill

_YEAR_HOURS = 8760


@dataclass(frozen=True, eq=False)
class Scenario:
    """One way to run the park. ``capital_yuan`` is the yearly cost of what was added, for the horizon's share.

    ``objective_yuan`` is all that was minimised, unrounded: the bill, the capital, the battery's wear, and what
    emissions are held to cost.
    """

    name: str
    kwp: float
    battery: Battery
    flow: Dispatch
    bill: Bill
    capital_yuan: float
    wear_yuan: float
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
    wear_yuan: float
    objective_yuan: float


@dataclass(frozen=True)
class Investment:
    """What the additions cost and when they have paid for themselves; None when they never do.

    The net present value is over the life of the longest-lived part, shorter-lived ones renewed at the same price.
    """

    capex_yuan: float
    subsidy_yuan: float
    yearly_saving_yuan: float
    payback_years: float | None
    payback_years_subsidised: float | None
    npv_yuan: float
    npv_yuan_subsidised: float


def horizon_share(calendar: Calendar) -> float:
    """Share of a year of 8,760 hours."""
    return calendar.horizon.steps * calendar.horizon.hours / _YEAR_HOURS


def extended(battery: Battery, additions: Additions) -> Battery:
    """Return the battery with what is added to it (effective capacities)."""
    return replace(battery, kwh=battery.kwh + additions.battery_kwh, kw=battery.kw + additions.battery_kw)


def month_peaks(calendar: Calendar, imported: Floats) -> Floats:
    """Return the highest kW bought in each month."""
    peaks = np.zeros(len(calendar.months))
    np.maximum.at(peaks, calendar.month, imported)
    return peaks


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
    peaks = month_peaks(calendar, flow.imported)
    fixed = float(request.tariff.capacity_yuan_per_month) * len(calendar.months)
    running = hours * float(flow.imported @ prices.buy - flow.exported @ prices.sell) + prices.demand * float(
        peaks.sum()
    )
    capital = capital_yuan(request.sizing, additions, horizon_share(calendar))
    battery = extended(request.battery, sized_for(additions, request.sizing))
    wear = hours * battery.wear_yuan_per_kwh * float(flow.discharge.sum())
    emissions = hours * prices.carbon * float(flow.imported.sum())
    return Scenario(
        name=name,
        kwp=request.pv.kwp + additions.pv_kwp,
        battery=battery,
        flow=flow,
        bill=make_bill(calendar, prices, request.tariff, request.feed_in, flow.imported, flow.exported),
        capital_yuan=capital,
        wear_yuan=wear,
        objective_yuan=running + fixed + capital + wear + emissions,
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
        wear_yuan=round(scenario.wear_yuan, 2),
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
    npv = _net_present_value(sizing, additions, capex, saving)
    return Investment(
        capex_yuan=round(capex, 2),
        subsidy_yuan=round(subsidy, 2),
        yearly_saving_yuan=round(saving, 2),
        payback_years=round(capex / saving, 2) if pays else None,
        payback_years_subsidised=round((capex - subsidy) / saving, 2) if pays else None,
        npv_yuan=round(npv, 2),
        npv_yuan_subsidised=round(npv + subsidy, 2),
    )


def _net_present_value(sizing: Sizing, additions: Additions, capex: float, saving: float) -> float:
    """Yearly saving less the annuities, over the longest life, at today's value. ``saving`` is after upkeep."""
    if not capex:
        return 0.0
    lives = [sizing.pv_life_years] * (additions.pv_kwp > 0) + [sizing.battery_life_years] * (
        additions.battery_kwh + additions.battery_kw > 0
    )
    rate, years = sizing.discount_rate, max(lives)
    value = years if rate == 0 else (1 - (1 + rate) ** -years) / rate
    return (saving + capex * sizing.upkeep_share - capital_yuan(sizing, additions, 1.0)) * value
