"""Joint facilities: who pays what of a centre that several parks have funded, and what other ways of sharing would give.

A park's share of the capital entitles it to the same share of the hours. Inside its entitlement it pays the variable cost;
above it, variable cost and capital rent with a premium. Of that the variable part is the centre's, the rest goes to the
parks whose unused hours were lent, as does what outsiders pay above the variable cost. So the sum of all nets and of what
outsiders pay is always the cost of the year, to the fen.

Alternatives share the same cost otherwise. ``serial`` is serial cost sharing (Moulin & Shenker, Econometrica 60, 1992), ``shapley``
the Shapley value (Shapley 1953), both of the cost that a centre just large enough for some hours would have: its capital
grows with the six-tenths power of its size (Williams, Chemical Engineering 54, 1947).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from math import factorial, lcm

from billing.rules.money import WHOLE_BP, allocate

SIZE_EXPONENT = Decimal("0.6")
MOST_FOR_SHAPLEY = 14
"""The Shapley value looks at every set of parks; above this number of parks it is left out."""
_PRECISE = Context(prec=40)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A joint facility and a year of its use. ``hours`` and use in hours, exact; shares in basis points of the whole.

    ``reserve_hours`` come off the top before hours are divided: public reserve and maintenance. ``entitled_hours`` by park,
    where they are given, stand instead of its share of the rest: whole minutes, with what it carried over. They sum to the
    rest. Of a part of a year, capital and hours are that part's.
    """

    capital_fen: int | Fraction
    life_years: int
    hours: Fraction
    variable_fen_per_hour: Fraction
    shares_bp: Mapping[str, int]
    use_hours: Mapping[str, Fraction]
    premium_bp: int = 0
    outsider_premium_bp: int = 0
    outsider_hours: Fraction = Fraction(0)
    reserve_hours: Fraction = Fraction(0)
    entitled_hours: Mapping[str, Fraction] | None = None


@dataclass(frozen=True, slots=True)
class ParkSettlement:
    """A park's year in fen: ``net`` = its part of the capital + what is due for its use − what it receives for lent hours."""

    capital_fen: int
    due_fen: int
    received_fen: int
    entitlement_hours: Fraction
    lent_hours: Fraction
    borrowed_hours: Fraction

    @property
    def net_fen(self) -> int:
        """Return what the year costs the park in all."""
        return self.capital_fen + self.due_fen - self.received_fen


@dataclass(frozen=True, slots=True)
class Settlement:
    """A year of a joint facility. The nets and ``outsiders_fen`` sum to ``cost_fen``.

    ``alternatives`` are nets by the names of other ways of sharing; ``shapley`` is missing where there are too many parks.
    """

    parks: Mapping[str, ParkSettlement]
    inside_fen_per_hour: Fraction
    above_fen_per_hour: Fraction
    outsider_fen_per_hour: Fraction
    outsiders_fen: int
    cost_fen: int
    alternatives: Mapping[str, Mapping[str, int]]


def settle(agreement: Agreement) -> Settlement:
    """Settle a year. The agreement is taken as valid: shares sum to 10,000, and no more hours are used than there are."""
    rent = Fraction(agreement.capital_fen) / agreement.life_years / agreement.hours
    variable = agreement.variable_fen_per_hour
    above = (variable + rent) * (WHOLE_BP + agreement.premium_bp) / WHOLE_BP
    outsider = (variable + rent) * (WHOLE_BP + agreement.outsider_premium_bp) / WHOLE_BP
    names = sorted(agreement.shares_bp)
    shares = [agreement.shares_bp[name] for name in names]
    entitled = _entitled(agreement, names)
    used = [agreement.use_hours.get(name, Fraction(0)) for name in names]
    borrowed = [max(Fraction(0), use - own) for use, own in zip(used, entitled, strict=True)]
    lent = _lent(entitled, used, sum(borrowed) + agreement.outsider_hours)
    capital_fen = _half_up(Fraction(agreement.capital_fen) / agreement.life_years)
    inside_fen = [_half_up(variable * (use - extra)) for use, extra in zip(used, borrowed, strict=True)]
    above_fen = [_half_up(above * extra) for extra in borrowed]
    centre_fen = [_half_up(variable * extra) for extra in borrowed]
    outsiders_fen = _half_up(outsider * agreement.outsider_hours)
    outsiders_centre_fen = _half_up(variable * agreement.outsider_hours)
    to_lenders = sum(above_fen) - sum(centre_fen) + outsiders_fen - outsiders_centre_fen
    received = allocate(to_lenders, _weights(lent)) if any(lent) else (0,) * len(names)
    capital = allocate(capital_fen, shares)
    parks = {
        name: ParkSettlement(capital[i], inside_fen[i] + above_fen[i], received[i], entitled[i], lent[i], borrowed[i])
        for i, name in enumerate(names)
    }
    cost_fen = capital_fen + sum(inside_fen) + sum(centre_fen) + outsiders_centre_fen
    return Settlement(
        parks=parks,
        inside_fen_per_hour=variable,
        above_fen_per_hour=above,
        outsider_fen_per_hour=outsider,
        outsiders_fen=outsiders_fen,
        cost_fen=cost_fen,
        alternatives=_alternatives(names, shares, used, capital_fen, variable, cost_fen - outsiders_fen),
    )


def _entitled(agreement: Agreement, names: Sequence[str]) -> list[Fraction]:
    if agreement.entitled_hours is not None:
        return [agreement.entitled_hours[name] for name in names]
    rest = agreement.hours - agreement.reserve_hours
    return [agreement.shares_bp[name] * rest / WHOLE_BP for name in names]


def _lent(entitled: Sequence[Fraction], used: Sequence[Fraction], wanted: Fraction) -> list[Fraction]:
    """Return the hours each park lends: what is wanted, in proportion to what it leaves unused."""
    unused = [max(Fraction(0), own - use) for own, use in zip(entitled, used, strict=True)]
    whole = sum(unused)
    return [wanted * each / whole if whole else Fraction(0) for each in unused]


def _alternatives(
    names: Sequence[str],
    shares: Sequence[int],
    used: Sequence[Fraction],
    capital_fen: int,
    variable: Fraction,
    to_share_fen: int,
) -> dict[str, dict[str, int]]:
    cost = _cost_of(capital_fen, variable, sum(used, Fraction(0)))
    weights: dict[str, Sequence[Fraction | Decimal]] = {
        "shares": [Fraction(share) for share in shares],
        "use": used,
        "serial": serial(used, cost),
    }
    if len(names) <= MOST_FOR_SHAPLEY:
        weights["shapley"] = shapley(used, cost)
    found = {}
    for method, each in weights.items():
        # Nobody used anything: what is left to share is capital, and follows the shares.
        fair = _weights(each) if any(each) else list(shares)
        found[method] = dict(zip(names, allocate(to_share_fen, fair), strict=True))
    return found


def stand_alone(agreement: Agreement) -> dict[str, int]:
    """Return what a centre of its own, just large enough for its hours, would cost each park in the year, in fen."""
    names = sorted(agreement.shares_bp)
    used = [agreement.use_hours.get(name, Fraction(0)) for name in names]
    capital_fen = _half_up(Fraction(agreement.capital_fen) / agreement.life_years)
    cost = _cost_of(capital_fen, agreement.variable_fen_per_hour, sum(used, Fraction(0)))
    return {name: _half_up(Fraction(cost(hours))) for name, hours in zip(names, used, strict=True)}


Cost = Callable[[Fraction], Decimal]


def _cost_of(capital_fen: int, variable: Fraction, whole: Fraction) -> Cost:
    """Return the yearly cost of a centre by the hours it is just large enough for; at ``whole`` it is the real one."""

    def cost(hours: Fraction) -> Decimal:
        if not hours or not whole:
            return Decimal(0)
        size = _PRECISE.power(_decimal(hours / whole), SIZE_EXPONENT)
        return _PRECISE.add(_PRECISE.multiply(capital_fen, size), _decimal(variable * hours))

    return cost


def serial(demands: Sequence[Fraction], cost: Cost) -> list[Decimal]:
    """Return serial cost shares: each further hour is shared by those who demand at least as much.

    With demands in rising order, ``s_k = (n−k+1)·q_k + Σ_{j<k} q_j`` and the k-th pays ``Σ_{i≤k} (C(s_i) − C(s_{i−1})) / (n−i+1)``.
    """
    order = sorted(range(len(demands)), key=lambda i: (demands[i], i))
    shares = [Decimal(0)] * len(demands)
    paid, before, below = Decimal(0), Decimal(0), Fraction(0)
    for rank, index in enumerate(order):
        left = len(demands) - rank
        now = cost(demands[index] * left + below)
        paid = _PRECISE.add(paid, _PRECISE.divide(_PRECISE.subtract(now, before), left))
        shares[index] = paid
        before, below = now, below + demands[index]
    return shares


def shapley(demands: Sequence[Fraction], cost: Cost) -> list[Decimal]:
    """Return the Shapley value: what each adds to the cost, averaged over all orders in which the parks could come."""
    count = len(demands)
    sums = [sum((demands[i] for i in range(count) if mask >> i & 1), Fraction(0)) for mask in range(1 << count)]
    costs = [cost(each) for each in sums]
    values = [Decimal(0)] * count
    for mask in range(1 << count):
        size = mask.bit_count()
        if size == count:
            continue
        weight = _PRECISE.divide(Decimal(factorial(size) * factorial(count - size - 1)), Decimal(factorial(count)))
        for i in range(count):
            if not mask >> i & 1:
                added = _PRECISE.subtract(costs[mask | 1 << i], costs[mask])
                values[i] = _PRECISE.add(values[i], _PRECISE.multiply(weight, added))
    return values


def _weights(values: Sequence[Fraction | Decimal]) -> list[int]:
    """Return whole numbers exactly in the proportion of ``values``."""
    exact = [Fraction(value) for value in values]
    common = lcm(*(each.denominator for each in exact))
    return [each.numerator * (common // each.denominator) for each in exact]


def _decimal(value: Fraction) -> Decimal:
    return _PRECISE.divide(Decimal(value.numerator), Decimal(value.denominator))


def _half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
