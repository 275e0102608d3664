"""What to do, in the order of what it brings. Each item's saving is what it adds to the ones before it, so they sum."""

from __future__ import annotations

from dataclasses import dataclass

from services.rules.twin.scenarios import Kpis, Scenario
from services.rules.twin.sizing_program import Additions
from tenants.kernel.messages import Message, msg

_WORTH_SAYING_YUAN = 1.0


@dataclass(frozen=True)
class Advice:
    """One measure: yuan saved a year after its own capital, and tonnes of CO2 avoided (may be negative)."""

    code: str
    text: Message
    saving_yuan: float
    avoided_t: float


def rank_advice(
    as_is: Kpis, optimised: Kpis, with_pv: Kpis, sized: Kpis, additions: Additions, best: Scenario
) -> tuple[Advice, ...]:
    """Return the measures, the one with most yuan first. ``with_pv`` is today's operation with the added PV only."""
    pv_saving = as_is.annual_bill_yuan - with_pv.annual_bill_yuan - with_pv.capital_yuan
    pv_avoided = as_is.emissions_t - with_pv.emissions_t
    run_saving = as_is.annual_bill_yuan - optimised.annual_bill_yuan
    run_avoided = as_is.emissions_t - optimised.emissions_t
    all_saving = as_is.annual_bill_yuan - sized.annual_bill_yuan - sized.capital_yuan
    all_avoided = as_is.emissions_t - sized.emissions_t
    found = [
        Advice("dispatch", _dispatch_text(best), run_saving, run_avoided),
        Advice(
            "pv",
            msg("新增光伏 {kwp} kWp，优先自用，余量按规定上网。", kwp=f"{additions.pv_kwp:,.0f}"),
            pv_saving,
            pv_avoided,
        ),
        Advice(
            "battery",
            msg(
                "新增储能 {kwh} kWh / {kw} kW，谷段与光伏富余时充电，尖峰段放电，并压低月最大需量。",
                kwh=f"{additions.battery_kwh:,.0f}",
                kw=f"{additions.battery_kw:,.0f}",
            ),
            all_saving - run_saving - pv_saving,
            all_avoided - run_avoided - pv_avoided,
        ),
    ]
    if not additions.battery_kwh and additions.pv_kwp:  # no battery is added: what is left belongs to the PV
        found[1] = Advice("pv", found[1].text, all_saving - run_saving, all_avoided - run_avoided)
        found.pop()
    if not additions.pv_kwp:
        found.pop(1)
    if not additions.pv_kwp and not additions.battery_kwh:
        found = found[:1]
    worth = [item for item in found if item.saving_yuan >= _WORTH_SAYING_YUAN]
    return tuple(sorted(worth, key=lambda item: (-item.saving_yuan, item.code)))


def _dispatch_text(best: Scenario) -> Message:
    return msg(
        "按优化曲线运行现有储能（{kwh} kWh），替代固定时段充放电，使充电避开当月最大需量时刻。",
        kwh=f"{best.battery.kwh:,.0f}",
    )
