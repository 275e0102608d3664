"""How ``park.json`` gives the load: one file, values, meters' files that are added up, or a generated profile."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from services.formats.park_parts import FileName, Name, Part, Share, known_zone
from services.rules.twin.meters import MeterSpec, Missing, Stamp, Unit


class MixPart(Part):
    """Shares of the demo park's firms."""

    textile: Share = 0.45
    food: Share = 0.30
    workshops: Share = 0.25

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.textile + self.food + self.workshops <= 0:
            raise ValueError("mix")
        return self


class ProfilePart(Part):
    """A generated load."""

    annual_kwh: float = Field(gt=0, le=1e10)
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    mix: MixPart = MixPart()


class MeterPart(Part):
    """One meter's file: two columns, time and value, in any order of rows.

    Stamps without an offset are local to ``timezone`` (the site's by default). Intervals may be shorter than the step.
    ``ratio`` multiplies every value (current and voltage transformers). Gaps up to ``longest_gap_minutes`` are filled
    as ``missing`` says and counted in the report; longer ones are refused. A register that falls was reset or
    exchanged: with ``resets`` it counts on from zero (or rolls over at ``rollover``), otherwise it is refused.
    """

    csv: FileName
    name: Name | None = None
    unit: Unit = Unit.KW
    stamp: Stamp = Stamp.START
    interval_minutes: Literal[5, 10, 15, 30, 60] | None = None
    timezone: str | None = None
    ratio: float = Field(default=1, gt=0, le=1e6)
    missing: Missing = Missing.REFUSE
    longest_gap_minutes: int = Field(default=180, ge=5, le=7 * 1440)
    resets: bool = False
    rollover: float | None = Field(default=None, gt=0, le=1e12)

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        return None if value is None else known_zone(value)


class LoadPart(Part):
    """Exactly one way to give the load.

    ``csv`` is a file with one row per step (time,kw or time,kwh); ``meters`` are files that are added up.
    """

    csv: FileName | None = None
    values_kw: tuple[Annotated[float, Field(ge=0, le=1e7)], ...] | None = None
    profile: ProfilePart | None = None
    meters: Annotated[tuple[MeterPart, ...], Field(min_length=1, max_length=50)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(item is not None for item in (self.csv, self.values_kw, self.profile, self.meters)) != 1:
            raise ValueError("load")
        return self


def meter_of(part: MeterPart, number: int, step_minutes: int, zone: str) -> MeterSpec:
    """Return how to read the ``number``-th meter's file; its interval is the step where nothing else is said."""
    return MeterSpec(
        name=part.name or f"{number + 1}",
        unit=part.unit,
        stamp=part.stamp,
        interval=part.interval_minutes or step_minutes,
        timezone=part.timezone or zone,
        ratio=part.ratio,
        missing=part.missing,
        longest_gap=part.longest_gap_minutes,
        resets=part.resets,
        rollover=part.rollover,
    )
