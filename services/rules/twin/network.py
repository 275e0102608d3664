"""The park's own grid: what hangs where, and what a power flow of every step says about transformers and voltages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.rules.twin.inputs import Floats

LOW_PU, HIGH_PU = 0.93, 1.07
"""GB/T 12325: supply at 10 kV and 380 V keeps within 7 % of the nominal voltage."""
FULL, WARM = 1.0, 0.8
"""Loading above 1 is an overload; above 0.8 a transformer has little room left for growth."""


@dataclass(frozen=True)
class Bus:
    """A node: nominal kV between phases, the share of the park's load that hangs here, and of its PV."""

    name: str
    kv: float
    load_share: float = 0.0
    pv_share: float = 0.0


@dataclass(frozen=True)
class Transformer:
    """Two windings between buses; ``uk`` and ``i0`` as shares of rated values, losses in kW."""

    name: str
    upper: str
    lower: str
    kva: float
    uk: float = 0.06
    load_loss_kw: float = 0.0
    idle_loss_kw: float = 0.0
    i0: float = 0.005


@dataclass(frozen=True)
class Feeder:
    """A cable or line between buses of one voltage; ohms and microfarads per km and phase, amperes it may carry."""

    name: str
    start: str
    end: str
    km: float
    r: float
    x: float
    c: float
    amperes: float


@dataclass(frozen=True)
class Network:
    """A grid fed at its first bus. ``battery_bus`` and ``wind_bus`` name where those are connected."""

    buses: tuple[Bus, ...]
    transformers: tuple[Transformer, ...]
    feeders: tuple[Feeder, ...]
    short_circuit_mva: float = 200.0
    source_pu: float = 1.0
    power_factor: float = 0.92
    battery_bus: str = ""
    wind_bus: str = ""


@dataclass(frozen=True, eq=False)
class Injections:
    """kW and kvar taken from each bus in each step (negative is fed in), shape (steps, buses)."""

    p: Floats
    q: Floats


@dataclass(frozen=True, eq=False)
class FlowResult:
    """A solved power flow: voltages per unit (steps, buses), loading of transformers and feeders, kW of losses."""

    voltage: Floats
    transformer_loading: Floats
    feeder_loading: Floats
    losses_kw: Floats


@dataclass(frozen=True)
class ElementCheck:
    """The worst of a transformer or feeder: its highest loading, in which step, and hours above the two marks."""

    name: str
    peak_loading: float
    at_step: int
    hours_warm: float
    hours_over: float


@dataclass(frozen=True)
class BusCheck:
    """The range of a bus's voltage per unit, and hours outside of what the standard allows."""

    name: str
    lowest_pu: float
    highest_pu: float
    at_step: int
    hours_outside: float


@dataclass(frozen=True)
class GridCheck:
    """What a scenario does to the park's grid."""

    transformers: tuple[ElementCheck, ...]
    feeders: tuple[ElementCheck, ...]
    buses: tuple[BusCheck, ...]
    losses_kwh: float

    @property
    def sound(self) -> bool:
        """Whether nothing is overloaded and every voltage keeps within its limits."""
        elements = (*self.transformers, *self.feeders)
        return not any(item.hours_over for item in elements) and not any(item.hours_outside for item in self.buses)


def injections(network: Network, flows: Mapping[str, Floats]) -> Injections:
    """Share ``load``, ``pv``, ``wind`` and ``battery`` (kW; the battery's positive when it charges) among the buses.

    Loads draw reactive power by the network's power factor; PV, wind and batteries run at unity.
    """
    names = [bus.name for bus in network.buses]
    shares = np.array([[bus.load_share, bus.pv_share] for bus in network.buses])
    totals = shares.sum(axis=0)
    shares = np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0)
    load, pv = flows["load"], flows["pv"]
    p = np.outer(load, shares[:, 0]) - np.outer(pv, shares[:, 1])
    for kind, bus, sign in (("wind", network.wind_bus, -1.0), ("battery", network.battery_bus, 1.0)):
        if kind in flows:
            p[:, names.index(bus) if bus in names else len(names) - 1] += sign * flows[kind]
    tangent = float(np.tan(np.arccos(network.power_factor)))
    return Injections(p, np.outer(load, shares[:, 0]) * tangent)


def check_grid(network: Network, result: FlowResult, hours: float) -> GridCheck:
    """Say how far transformers, feeders and voltages went; ``hours`` is the length of a step."""
    return GridCheck(
        transformers=tuple(
            _element(item.name, column, hours)
            for item, column in zip(network.transformers, result.transformer_loading.T, strict=True)
        ),
        feeders=tuple(
            _element(item.name, column, hours)
            for item, column in zip(network.feeders, result.feeder_loading.T, strict=True)
        ),
        buses=tuple(_bus(bus.name, column, hours) for bus, column in zip(network.buses, result.voltage.T, strict=True)),
        losses_kwh=round(float(result.losses_kw.sum()) * hours, 1),
    )


def _element(name: str, loading: Floats, hours: float) -> ElementCheck:
    worst = int(np.argmax(loading))
    warm, over = (float(np.count_nonzero(loading > mark)) * hours for mark in (WARM, FULL))
    return ElementCheck(name, round(float(loading[worst]), 4), worst, warm, over)


def _bus(name: str, voltage: Floats, hours: float) -> BusCheck:
    worst = int(np.argmax(np.abs(voltage - 1.0)))
    outside = float(np.count_nonzero((voltage < LOW_PU) | (voltage > HIGH_PU))) * hours
    return BusCheck(name, round(float(voltage.min()), 4), round(float(voltage.max()), 4), worst, outside)
