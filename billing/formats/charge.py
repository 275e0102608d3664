"""The contract's ``Charge``: prices in yuan and quantities as decimal strings."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from billing.formats.documents import Document
from billing.formats.fields import Amount
from billing.rules import charges

_MANY = 200
_ZERO = Decimal(0)
Positive = Annotated[Amount, Field(gt=0)]


class Around(Document):
    """What goes around every model."""

    included_units: Amount = _ZERO
    minimum: Amount | None = None
    maximum: Amount | None = None
    already_units: Amount = _ZERO
    already_billed: Amount | None = None

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Around:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise PydanticCustomError("charge.minimum_above_maximum", "minimum above maximum")
        return self

    def around(self, model: charges.Model) -> charges.Charge:
        """Return the charge of a model with what goes around it."""
        return charges.Charge(
            model, self.included_units, self.minimum, self.maximum, self.already_units, self.already_billed
        )


class TierDocument(Document):
    """A tier of prices per unit."""

    up_to: Positive | None
    unit_price: Amount = _ZERO
    flat_fee: Amount = _ZERO


class PercentTierDocument(Document):
    """A tier of rates."""

    up_to: Positive | None
    rate_percent: Amount
    flat_fee: Amount = _ZERO


class BlockTierDocument(Document):
    """A tier of blocks."""

    block: Positive
    max_blocks: Annotated[int, Field(ge=1, le=10**12)] | None
    block_price: Amount


def _check_reach(limits: list[Decimal | None]) -> None:
    """Refuse tiers that do not rise to one last tier without an end: some quantity would have no price."""
    if not limits or limits[-1] is not None or None in limits[:-1]:
        raise PydanticCustomError("charge.last_tier", "only the last tier is open")
    ends = [limit for limit in limits if limit is not None]
    if any(one >= other for one, other in pairwise(ends)):
        raise PydanticCustomError("charge.tiers_rise", "tiers must rise")


class PerUnitDocument(Around):
    """``per_unit``."""

    model: Literal["per_unit"]
    unit_price: Amount

    def to_rules(self) -> charges.Charge:
        """Return the rules' charge."""
        return self.around(charges.PerUnit(self.unit_price))


class PackageDocument(Around):
    """``package``."""

    model: Literal["package"]
    package_size: Positive
    package_price: Amount
    free_units: Amount = _ZERO

    def to_rules(self) -> charges.Charge:
        """Return the rules' charge."""
        return self.around(charges.Package(self.package_size, self.package_price, self.free_units))


class TieredDocument(Around):
    """``graduated`` and ``volume``."""

    model: Literal["graduated", "volume"]
    tiers: list[TierDocument] = Field(min_length=1, max_length=_MANY)

    @model_validator(mode="after")
    def _reach(self) -> TieredDocument:
        _check_reach([tier.up_to for tier in self.tiers])
        return self

    def to_rules(self) -> charges.Charge:
        """Return the rules' charge."""
        tiers = tuple(charges.Tier(tier.up_to, tier.unit_price, tier.flat_fee) for tier in self.tiers)
        return self.around(charges.Graduated(tiers) if self.model == "graduated" else charges.Volume(tiers))


class BlocksDocument(Around):
    """``graduated_package`` and ``volume_package``."""

    model: Literal["graduated_package", "volume_package"]
    tiers: list[BlockTierDocument] = Field(min_length=1, max_length=_MANY)

    @model_validator(mode="after")
    def _reach(self) -> BlocksDocument:
        if self.tiers[-1].max_blocks is not None or any(tier.max_blocks is None for tier in self.tiers[:-1]):
            raise PydanticCustomError("charge.last_tier", "only the last tier is open")
        return self

    def to_rules(self) -> charges.Charge:
        """Return the rules' charge."""
        tiers = tuple(charges.BlockTier(tier.block, tier.max_blocks, tier.block_price) for tier in self.tiers)
        graduated = self.model == "graduated_package"
        return self.around(charges.GraduatedPackage(tiers) if graduated else charges.VolumePackage(tiers))


class PercentageDocument(Around):
    """``percentage``."""

    model: Literal["percentage"]
    rate_percent: Amount
    fixed_fee: Amount = _ZERO
    free_events: Annotated[int, Field(ge=0, le=10**12)] | None = None
    free_amount: Amount | None = None
    event_min: Amount | None = None
    event_max: Amount | None = None

    @model_validator(mode="after")
    def _event_min_below_max(self) -> PercentageDocument:
        if self.event_min is not None and self.event_max is not None and self.event_min > self.event_max:
            raise PydanticCustomError("charge.minimum_above_maximum", "minimum above maximum")
        return self

    def to_rules(self) -> charges.Charge:
        """Return the rules' charge."""
        return self.around(
            charges.Percentage(
                self.rate_percent, self.fixed_fee, self.free_events, self.free_amount, self.event_min, self.event_max
            )
        )


class GraduatedPercentageDocument(Around):
    """``graduated_percentage``."""

    model: Literal["graduated_percentage"]
    tiers: list[PercentTierDocument] = Field(min_length=1, max_length=_MANY)

    @model_validator(mode="after")
    def _reach(self) -> GraduatedPercentageDocument:
        _check_reach([tier.up_to for tier in self.tiers])
        return self

    def to_rules(self) -> charges.Charge:
        """Return the rules' charge."""
        tiers = tuple(charges.Tier(tier.up_to, tier.rate_percent, tier.flat_fee) for tier in self.tiers)
        return self.around(charges.GraduatedPercentage(tiers))


ChargeDocument = Annotated[
    PerUnitDocument
    | PackageDocument
    | TieredDocument
    | BlocksDocument
    | PercentageDocument
    | GraduatedPercentageDocument,
    Field(discriminator="model"),
]
