"""The terms of a subsidy programme's version, and the order they are applied to. Data, not code; amounts in fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from billing.rules.conditions import AllOf, Condition, Facts, Tree
from billing.rules.periods import DEFAULT_ZONE, Days, local_day

CLAIM_DAYS = 365
"""How long after the delivery a later award can be claimed, where its version does not say."""


class Mode(StrEnum):
    """When the park gets the money."""

    INSTANT = "instant"
    REIMBURSE = "reimburse"
    AUTO = "auto"


class Base(StrEnum):
    """What a rate is applied to."""

    GROSS = "gross"
    NET_OF_VAT = "net_of_vat"


class Shortfall(StrEnum):
    """What happens when a ceiling or a fund cannot carry the whole claim."""

    PARTIAL = "partial"
    ALL_OR_NOTHING = "all_or_nothing"


class Payee(StrEnum):
    """Whom the fund pays."""

    PROVIDER = "provider"
    TENANT = "tenant"


class StackingMode(StrEnum):
    """How programmes of one group meet on one line."""

    SUM = "SUM"
    MAX = "MAX"
    EXCLUSIVE = "EXCLUSIVE"


class CapScope(StrEnum):
    """What a ceiling counts, in the order in which ceilings are applied."""

    ORDER = "order"
    ENTITY_YEAR = "entity_year"
    CONTROLLER_YEAR = "controller_year"
    PROVIDER_POOL = "provider_pool"
    FUND_YEAR = "fund_year"
    SCHEME = "scheme"

    @property
    def yearly(self) -> bool:
        """Tell whether the count starts anew with each cap year."""
        return self.value.endswith("_year")


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate and when it applies."""

    rate_bp: int
    when: tuple[Condition, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """A ceiling on what one programme gives within a scope."""

    scope: CapScope
    amount_fen: int
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Funder:
    """A fund and its share of every award."""

    fund: str
    share_bp: int


@dataclass(frozen=True, slots=True)
class Stacking:
    """How a programme meets others of its group."""

    group: str
    mode: StackingMode
    combined_cap_bp: int | None = None
    combined_cap_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Rolling:
    """A ceiling on what a controller gets in any ``years`` together, from all programmes of one register."""

    register: str
    years: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a programme. Versions are never edited; the highest one in its window counts."""

    programme: str
    version: int
    mode: Mode
    base: Base
    window: Days
    rates: tuple[Rate, ...]
    funders: tuple[Funder, ...]
    shortfall: Shortfall
    payee: Payee = Payee.PROVIDER
    eligible: Tree = field(default_factory=AllOf)
    caps: tuple[Cap, ...] = ()
    rolling: Rolling | None = None
    price_limit_fen: int | None = None
    stacking: Stacking | None = None
    timezone: str = DEFAULT_ZONE
    year_starts: str = "01-01"
    currency: str = "CNY"
    claim_days: int = CLAIM_DAYS
    """Until how many days after the delivery an award that comes later can be claimed; ``instant`` ones need none."""

    @property
    def order_key(self) -> tuple[str, int]:
        """The stable order in which policies are applied, however they were handed in."""
        return self.programme, self.version

    def in_window(self, moment: date | datetime) -> bool:
        """Tell whether the policy's window contains the day of ``moment`` in the policy's zone."""
        return local_day(moment, self.timezone) in self.window


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One priced line; its facts override the order's."""

    offering: str
    gross_fen: int
    vat_bp: int
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What programmes may know of an order. ``moment`` is an aware moment or a plain day."""

    moment: date | datetime
    lines: tuple[OrderLine, ...]
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Used:
    """What was taken before this order, in fen: for any programme, or (taking precedence) for one by name.

    ``rolling`` is what the controller was granted by register, in the years that count.
    """

    flat: Mapping[CapScope, int] = field(default_factory=dict)
    by_programme: Mapping[str, Mapping[CapScope, int]] = field(default_factory=dict)
    rolling: Mapping[str, int] = field(default_factory=dict)

    def taken(self, programme: str, scope: CapScope) -> int:
        """Return what counts against one ceiling of one programme."""
        return self.by_programme.get(programme, {}).get(scope, self.flat.get(scope, 0))
