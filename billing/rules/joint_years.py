"""A year of a joint facility: whose hours are whose, what is used, lent and borrowed, and what it costs.

An account is a party's for one calendar year of one version of the agreement. Where the version covers only a part of the
year, capital and hours are those of that part, by days. Hours carried over from the year before come off the top of the
new one, so that entitlements sum to the hours that there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from uuid import UUID

from billing.rules.cost_sharing import Agreement
from billing.rules.joint_agreements import Share, Terms
from billing.rules.money import allocate

HOUR = 60


@dataclass(frozen=True, slots=True)
class Opening:
    """What a party may use in a year, in whole minutes; ``entitled_minutes`` has ``carried_minutes`` in it."""

    park_id: UUID
    entitled_minutes: int
    carried_minutes: int
    overdraw_minutes: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account with what was used and what was released for lending, in whole minutes."""

    opening: Opening
    used_minutes: int
    released_minutes: int

    @property
    def borrowed_minutes(self) -> int:
        """Return what was used above the entitlement."""
        return max(0, self.used_minutes - self.opening.entitled_minutes)

    @property
    def left_minutes(self) -> int:
        """Return what is still the park's own to use at the price inside its entitlement."""
        return max(0, self.opening.entitled_minutes - self.used_minutes - self.released_minutes)

    @property
    def most_minutes(self) -> int:
        """Return what the park may still use at all: up to its overdraw cap, without what it released."""
        opening = self.opening
        return max(0, opening.entitled_minutes + opening.overdraw_minutes - self.used_minutes - self.released_minutes)


@dataclass(frozen=True, slots=True)
class Part:
    """The days ``[start, end)`` of a calendar year that a version covers."""

    year: int
    start: date
    end: date

    @property
    def share(self) -> Fraction:
        """Return the part of the whole year, by days."""
        return Fraction((self.end - self.start).days, (date(self.year + 1, 1, 1) - date(self.year, 1, 1)).days)

    def of(self, minutes: int) -> int:
        """Return the part of a year's minutes, rounded down."""
        return int(minutes * self.share)


def part_of(terms: Terms, year: int) -> Part | None:
    """Return the days of a calendar year that a version covers; None where it covers none."""
    start, end = max(terms.valid_from, date(year, 1, 1)), min(terms.valid_to, date(year + 1, 1, 1))
    return Part(year, start, end) if start < end else None


def years_of(terms: Terms) -> range:
    """Return the calendar years that a version touches."""
    last = terms.valid_to.year if terms.valid_to > date(terms.valid_to.year, 1, 1) else terms.valid_to.year - 1
    return range(terms.valid_from.year, last + 1)


def open_accounts(
    terms: Terms, parties: Sequence[Share], part: Part, carried: Mapping[UUID, int] | None = None
) -> tuple[Opening, ...]:
    """Return the funding parties' accounts: what each carried over, and its share of the rest by largest remainder.

    ``carried`` in minutes by park. Where it comes to more than there is, it is cut in proportion.
    """
    funding = [each for each in parties if each.share_bp]
    shared = part.of(terms.shared_minutes)
    over = [(carried or {}).get(each.park_id, 0) for each in funding]
    if sum(over) > shared:
        over = list(allocate(shared, over))
    own = allocate(shared - sum(over), [each.share_bp for each in funding])
    cap = part.of(terms.overdraw_minutes)
    return tuple(
        Opening(each.park_id, minutes + more, more, cap) for each, minutes, more in zip(funding, own, over, strict=True)
    )


def year_of_use(
    terms: Terms, parties: Sequence[Share], part: Part, accounts: Sequence[Account], outsider_minutes: int
) -> Agreement:
    """Return the year as the settle command's rule takes it: in exact hours, with the accounts' own entitlements."""
    shared = sum(each.opening.entitled_minutes for each in accounts)
    hours = terms.year_minutes * part.share / HOUR
    return Agreement(
        capital_fen=terms.capital_fen * part.share,
        life_years=terms.life_years,
        hours=hours,
        variable_fen_per_hour=Fraction(terms.variable_fen_per_hour),
        shares_bp={str(each.park_id): each.share_bp for each in parties if each.share_bp},
        use_hours={str(each.opening.park_id): Fraction(each.used_minutes, HOUR) for each in accounts},
        premium_bp=terms.premium_bp,
        outsider_premium_bp=terms.outsider_premium_bp,
        outsider_hours=Fraction(outsider_minutes, HOUR),
        reserve_hours=hours - Fraction(shared, HOUR),
        entitled_hours={str(each.opening.park_id): Fraction(each.opening.entitled_minutes, HOUR) for each in accounts},
    )


def carry_over(terms: Terms, account: Account, lent_minutes: Fraction) -> int:
    """Return the minutes that the next year takes over: unused and not lent, up to the agreed cap, rounded down."""
    unused = account.opening.entitled_minutes - account.used_minutes - lent_minutes
    return min(terms.carry_over_minutes, max(0, int(unused)))
