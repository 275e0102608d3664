"""Cell temperature of PV modules by M. Fuentes' energy balance, the thermal model of PVWatts.

(M. K. Fuentes, "A Simplified Thermal Model for Flat-Plate Photovoltaic Arrays", SAND85-0330, 1987.) The balance is
solved for all hours at once by fixed-point iteration instead of hour after hour: a module's time constant of some
seven minutes leaves nothing of the hour before but the ramp of the sun, so the hours hardly depend on each other.
"""

from __future__ import annotations

import numpy as np

from services.rules.twin.inputs import Floats

OPEN_RACK_NOCT = 45.0
ROOF_MOUNT_NOCT = 49.0
_KELVIN = 273.15
_STEFAN_BOLTZMANN = 5.669e-8
_EMISSIVITY = 0.84
_ABSORPTIVITY = 0.83
_HEAT_CAPACITY = 11_000.0  # J/(m2 K)
_LENGTH = 0.5  # hydraulic diameter of the module in m
_TILT_SINE = 0.5  # Fuentes writes 30 degrees into the free convection
_MODULE_HEIGHT, _WIND_HEIGHT = 5.0, 9.144
_REYNOLDS_LIMIT = 1.2e5
_NOCT_AIR, _NOCT_SKY, _NOCT_SUN = 293.15, 282.21, 800.0
_ITERATIONS = 12
_STEP_SECONDS = 3600.0


def _convection(mean: Floats, wind: Floats, difference: Floats, *, turbulent: bool) -> Floats:
    """Return the mixed coefficient in W/(m2 K) of one side; ``mean`` is the film temperature in K."""
    density = 353.0 / mean
    viscosity = 0.24237e-6 * mean**0.76 / density
    reynolds = wind * _LENGTH / viscosity
    forced = 0.8600 / reynolds**0.5 * density * wind * 1007 / 0.71**0.67
    if turbulent:
        rough = 0.0282 / reynolds**0.2 * density * wind * 1007 / 0.71**0.4
        forced = np.where(reynolds > _REYNOLDS_LIMIT, rough, forced)
    grashof = 9.8 / mean * difference * _LENGTH**3 / viscosity**2 * _TILT_SINE
    free = 0.21 * (grashof * 0.71) ** 0.32 * (2.1695e-4 * mean**0.84) / _LENGTH
    result: Floats = (free**3 + forced**3) ** (1 / 3)
    return result


def _mounting(noct: float) -> tuple[float, float, float]:
    """Return ground temperature ratio, total over top convection, and heat capacity, from the rating at NOCT."""
    hot, rise = noct + _KELVIN, noct + _KELVIN - _NOCT_AIR
    film, wind, gap = np.array([(hot + _NOCT_AIR) / 2]), np.array([1.0]), np.array([rise])
    top = float(_convection(film, wind, gap, turbulent=False)[0])
    radiated = _EMISSIVITY * _STEFAN_BOLTZMANN
    ground_film = radiated * (hot**2 + _NOCT_AIR**2) * (hot + _NOCT_AIR)
    absorbed = _ABSORPTIVITY * _NOCT_SUN
    back = (absorbed - radiated * (hot**4 - _NOCT_SKY**4) - top * rise) / ((ground_film + top) * rise)
    ground = min(max((hot**4 - back * (hot**4 - _NOCT_AIR**4)) ** 0.25, _NOCT_AIR), hot)
    total = (absorbed - radiated * (2 * hot**4 - _NOCT_SKY**4 - ground**4)) / (top * rise)
    capacity = _HEAT_CAPACITY * (1 + max(hot - 321.15, 0) / 12)
    return (ground - _NOCT_AIR) / rise, total, capacity


def cell_temperature(radiation: Floats, air: Floats, wind: Floats, noct: float = OPEN_RACK_NOCT) -> Floats:
    """Return degrees C of the cells at the end of each hour.

    ``radiation`` in the plane in W/m2, ``air`` in degrees C, ``wind`` in m/s at 10 m; ``noct`` is the installed
    nominal operating cell temperature: 45 in an open rack, 49 close to a roof.
    """
    ratio, total, capacity = _mounting(noct)
    outside = air + _KELVIN
    sky = 0.68 * (0.0552 * outside**1.5) + 0.32 * outside
    breeze = wind * (_MODULE_HEIGHT / _WIND_HEIGHT) ** 0.2 + 1e-4
    sun = radiation * _ABSORPTIVITY
    before = np.concatenate([[0.0], sun[:-1]])
    radiated = _EMISSIVITY * _STEFAN_BOLTZMANN
    module = outside + sun / 30
    for _ in range(_ITERATIONS):
        convection = total * _convection((module + outside) / 2, breeze, np.abs(module - outside), turbulent=True)
        to_sky = radiated * (module**2 + sky**2) * (module + sky)
        ground = outside + ratio * (module - outside)
        to_ground = radiated * (module**2 + ground**2) * (module + ground)
        losses = convection + to_sky + to_ground
        decay = -losses / capacity * _STEP_SECONDS
        kept = np.where(decay > -10, np.exp(np.maximum(decay, -10)), 0.0)
        last = np.concatenate([[_NOCT_AIR], module[:-1]])
        gained = convection * outside + to_sky * sky + to_ground * ground + before + (sun - before) / decay
        module = last * kept + ((1 - kept) * gained + sun - before) / losses
    result: Floats = module - _KELVIN
    return result
