"""The same park under other prices, another load or another plant: a scenario that a run is asked for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from services.rules.twin.inputs import TwinRequest, Variation

_PRICE = Decimal("0.000001")


def varied(request: TwinRequest, variation: Variation) -> TwinRequest:
    """Return the request as the variation changes it. Prices keep six digits, so that bill and optimum agree."""
    tariff = request.tariff
    prices = {
        period: (price * variation.price_factors.get(period, Decimal(1))).quantize(_PRICE)
        for period, price in tariff.prices.items()
    }
    battery = replace(
        request.battery,
        kwh=request.battery.kwh * variation.battery_factor,
        kw=request.battery.kw * variation.battery_factor,
    )
    carbon = request.carbon_yuan_per_t if variation.carbon_yuan_per_t is None else variation.carbon_yuan_per_t
    return replace(
        request,
        tariff=replace(tariff, prices=prices, demand_yuan_per_kw=(tariff.demand_yuan_per_kw * variation.demand_factor)),
        feed_in=replace(request.feed_in, price=(request.feed_in.price * variation.feed_in_factor).quantize(_PRICE)),
        load=replace(request.load, kw=request.load.kw * variation.load_factor),
        pv=replace(request.pv, kwp=request.pv.kwp * variation.pv_factor),
        battery=battery,
        carbon_yuan_per_t=carbon,
    )
