"""全额上网: all PV is fed in through a meter of its own, beside a park that is optimised without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from services.gateways.twin_model import Site
from services.gateways.twin_optimum import Optimum, optimise
from services.rules.twin.inputs import FeedIn, TwinRequest
from services.rules.twin.scenarios import Scenario, horizon_share, make_scenario
from services.rules.twin.sizing_program import Additions, sized_for
from services.rules.twin.tariff import step_prices
from services.rules.twin.variations import varied

_WITH_ADDED_PV = {"with_pv", "sized"}

Progress = Callable[[str, float], None]


def optimise_beside(request: TwinRequest, site: Site, progress: Progress) -> Optimum:
    """Work out all answers of a park whose PV neither lowers what it buys nor fills its battery.

    More such PV is worth its cost or not by itself, whatever the park does: all that may be added, or none.
    """
    sizing = request.sizing
    own = replace(
        request,
        pv=replace(request.pv, kwp=0.0),
        feed_in=FeedIn(),
        sizing=None if sizing is None else replace(sizing, pv_max_kwp=0.0),
    )
    nothing = np.zeros_like(site.prices.sell)
    solved = optimise(own, replace(site, prices=replace(site.prices, sell=nothing), may_export=False), progress)
    additions = replace(solved.additions, pv_kwp=_worth_adding(request, site))

    def beside(scenario: Scenario, asked: TwinRequest, *, added: bool) -> Scenario:
        batteries = solved.additions if scenario.name == "sized" else Additions()
        built = replace(batteries, pv_kwp=additions.pv_kwp if added else 0.0)
        fed = (asked.pv.kwp + sized_for(built, asked.sizing).pv_kwp) * site.unit
        flow = replace(scenario.flow, pv=scenario.flow.pv + fed, exported=scenario.flow.exported + fed)
        return make_scenario(scenario.name, asked, site.calendar, site.prices, flow, built)

    as_is, optimised, sized = (beside(item, request, added=item.name in _WITH_ADDED_PV) for item in solved.scenarios)
    return replace(
        solved,
        scenarios=(as_is, optimised, sized),
        with_pv=beside(solved.with_pv, request, added=True),
        advised={
            name: beside(item, request, added=item.name in _WITH_ADDED_PV) for name, item in solved.advised.items()
        },
        additions=additions,
        worth=replace(solved.worth, pv=site.prices.sell * site.calendar.horizon.hours),
        varied=tuple(
            (_other(scenario, varied(request, wish), site, additions), varied(request, wish))
            for (scenario, _), wish in zip(solved.varied, request.variations, strict=True)
        ),
    )


def _other(scenario: Scenario, asked: TwinRequest, site: Site, additions: Additions) -> Scenario:
    """Return a scenario of other prices with the PV that was found worth adding, where it asks for the built plant."""
    wish = next(item for item in asked.variations if item.name == scenario.name)
    built = additions if wish.plant == "sized" else Additions()
    fed = (asked.pv.kwp + sized_for(built, asked.sizing).pv_kwp) * site.unit
    flow = replace(scenario.flow, pv=scenario.flow.pv + fed, exported=scenario.flow.exported + fed)
    prices = step_prices(site.calendar, asked.tariff, asked.feed_in, asked.carbon_yuan_per_kwh)
    return make_scenario(scenario.name, asked, site.calendar, prices, flow, built)


def _worth_adding(request: TwinRequest, site: Site) -> float:
    """Return kWp worth adding: what a kWp earns over its ageing life against what it costs a year."""
    sizing = request.sizing
    if sizing is None:
        return 0.0
    earns = float(site.unit @ site.prices.sell) * request.horizon.hours * sizing.pv_share
    return sizing.pv_max_kwp if earns > sizing.pv_yearly * horizon_share(site.calendar) else 0.0
