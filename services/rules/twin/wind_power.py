"""Power of wind turbines from a power curve, the wind at the hub, and the density of the air (IEC 61400-12-1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.rules.twin.inputs import Floats

STANDARD_DENSITY = 1.225
_GENERIC_POINTS = 25


@dataclass(frozen=True)
class WindPlant:
    """``count`` turbines of one kind.

    ``curve`` holds (m/s, kW) of one turbine at standard density, speeds rising; outside of it nothing is generated.
    ``shear`` is the exponent of the power law between the anemometer's and the hub's height; ``losses`` covers wakes,
    cables, outages and icing.
    """

    count: int
    rated_kw: float
    hub_height: float
    curve: tuple[tuple[float, float], ...]
    shear: float = 0.14
    losses: float = 0.1


def generic_curve(
    rated_kw: float, cut_in: float, rated_speed: float, cut_out: float
) -> tuple[tuple[float, float], ...]:
    """Return a curve that rises with the cube of the wind from cut-in to rated speed, and is flat up to cut-out."""
    speeds = np.linspace(cut_in, rated_speed, _GENERIC_POINTS)
    power = rated_kw * (speeds**3 - cut_in**3) / (rated_speed**3 - cut_in**3)
    rising = tuple((float(speed), float(kw)) for speed, kw in zip(speeds, power, strict=True))
    return (*rising, (cut_out, rated_kw))


def hub_wind(wind: Floats, measured_height: float, plant: WindPlant) -> Floats:
    """Return m/s at the hub by the power law of wind shear."""
    result: Floats = wind * (plant.hub_height / measured_height) ** plant.shear
    return result


def wind_power(speed: Floats, density: Floats, plant: WindPlant) -> Floats:
    """Return kW of the whole plant at hub wind ``speed`` (m/s) in air of ``density`` (kg/m3).

    The curve is read at the speed that carries the same energy at standard density, ``v (rho / rho0)^(1/3)``
    (IEC 61400-12-1, pitch-controlled turbines); cut-out follows the true wind.
    """
    speeds, power = (np.array(column) for column in zip(*plant.curve, strict=True))
    equal = speed * (density / STANDARD_DENSITY) ** (1 / 3)
    one = np.interp(np.minimum(equal, speeds[-1]), speeds, power, left=0.0)
    one = np.where(speed > speeds[-1], 0.0, one)
    result: Floats = np.clip(one, 0, None) * plant.count * (1 - plant.losses)
    return result
