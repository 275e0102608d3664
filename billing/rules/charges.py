"""Charge models: what a price list can say. Prices are exact decimals in yuan, quantities exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PerUnit:
    """Every unit costs the same."""

    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Package:
    """Whole packages are paid; the first ``free_units`` are free."""

    package_size: Decimal
    package_price: Decimal
    free_units: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and including ``up_to`` (counted from zero; None: all the rest), and a fee for its first unit."""

    up_to: Decimal | None
    unit_price: Decimal
    flat_fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Graduated:
    """Each unit costs what its own tier says."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """All units cost what the tier of the total says."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class BlockTier:
    """``max_blocks`` blocks of ``block`` units (None: all the rest); a started block is paid whole."""

    block: Decimal
    max_blocks: int | None
    block_price: Decimal


@dataclass(frozen=True, slots=True)
class GraduatedPackage:
    """Blocks fill one tier after the other."""

    tiers: tuple[BlockTier, ...]


@dataclass(frozen=True, slots=True)
class VolumePackage:
    """All units are sold in the blocks of the tier of the total; tiers reach as far as their blocks, end to end."""

    tiers: tuple[BlockTier, ...]


@dataclass(frozen=True, slots=True)
class Percentage:
    """A share of each event's amount and a fee per event.

    The first ``free_events`` events, or the first ``free_amount`` yuan, are free: where both are given, until either is
    used up. A paying event costs at least ``event_min`` and at most ``event_max``, its fee included.
    """

    rate_percent: Decimal
    fixed_fee: Decimal = ZERO
    free_events: int | None = None
    free_amount: Decimal | None = None
    event_min: Decimal | None = None
    event_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class GraduatedPercentage:
    """Each part of the amount bears the rate of its own tier; ``unit_price`` of a tier is the rate in percent."""

    tiers: tuple[Tier, ...]


Model = PerUnit | Package | Graduated | Volume | GraduatedPackage | VolumePackage | Percentage | GraduatedPercentage


@dataclass(frozen=True, slots=True)
class Charge:
    """A model and what goes around it.

    ``included_units`` cost nothing. ``minimum`` (once anything was used) and ``maximum`` hold for the period's total.
    ``already_units`` and ``already_billed`` are what the period has metered and billed before; without the latter it
    is what ``already_units`` come to.
    """

    model: Model
    included_units: Decimal = ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    already_units: Decimal = ZERO
    already_billed: Decimal | None = None
