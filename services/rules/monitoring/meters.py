"""What a meter of a site measures, how its readings are meant, and what a virtual meter is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

MOST_TERMS = 50
DEEPEST = 5
"""How many virtual meters may stand on one another."""
INTERVALS = (1, 5, 10, 15, 30, 60)
"""Minutes between the readings that a meter is expected to send."""


class Measures(StrEnum):
    """What is measured."""

    ELECTRICITY = "electricity"
    COOLING = "cooling"
    HEAT = "heat"
    GAS = "gas"
    WATER = "water"
    TEMPERATURE = "temperature"
    HUMIDITY = "humidity"
    OTHER = "other"

    @property
    def units(self) -> tuple[str, ...]:
        """Return the units that its readings may have, the usual one first."""
        return _UNITS[self]

    @property
    def is_weather(self) -> bool:
        """Tell whether it is what baselines are normalised by."""
        return self in {Measures.TEMPERATURE, Measures.HUMIDITY}


_UNITS = {
    Measures.ELECTRICITY: ("kWh", "kW", "MWh"),
    Measures.COOLING: ("kWh", "kW", "MWh", "GJ"),
    Measures.HEAT: ("kWh", "kW", "MWh", "GJ"),
    Measures.GAS: ("m3",),
    Measures.WATER: ("m3",),
    Measures.TEMPERATURE: ("°C",),
    Measures.HUMIDITY: ("%",),
    Measures.OTHER: ("", "A", "V", "Pa", "ppm"),
}


class Readings(StrEnum):
    """How readings are meant."""

    INTERVAL = "interval"
    """The amount of one interval."""
    CUMULATIVE = "cumulative"
    """A register that counts up; its resets and roll-overs are found."""
    INSTANT = "instant"
    """A level at the moment of the stamp, such as kW or °C."""


class Stamps(StrEnum):
    """Which end of an interval its stamp is. Other readings are stamped when they are taken."""

    START = "start"
    END = "end"


@dataclass(frozen=True)
class Term:
    """A part of a virtual meter: a meter and what it is multiplied by (−1 takes it off)."""

    meter_id: UUID
    factor: Decimal


@dataclass(frozen=True)
class MeterRule:
    """What is known of a meter when its readings are read.

    ``multiplier`` is applied to each reading (transformer ratios). ``highest`` is the largest amount a reading of an
    interval, or level, can be (for a register: its growth in an hour). A register rolls over at ``register_limit``.
    """

    measures: Measures
    readings: Readings
    stamps: Stamps
    interval_minutes: int
    multiplier: float = 1.0
    highest: float | None = None
    register_limit: float | None = None

    @property
    def is_level(self) -> bool:
        """Tell whether a longer step shows its mean instead of its sum."""
        return self.readings is Readings.INSTANT


def depth_of(terms: Sequence[Term], depths: Mapping[UUID, int]) -> int:
    """Return how many virtual meters stand on one another below one of ``terms``, itself included.

    ``depths`` holds those of the meters it names (0 for a real one). A formula names meters that exist already and is
    never changed, so there are no circles by construction.
    """
    return 1 + max(depths[term.meter_id] for term in terms)
