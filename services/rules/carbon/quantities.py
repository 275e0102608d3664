"""Quantities of activities: units people read off bills and meters, turned into the unit that a factor is per."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from services.rules.carbon.factors import Base, Factor
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

GJ_PER_KWH = Decimal("0.0036")
"""By definition: 1 kWh is 3.6 MJ."""
BASE_DIGITS = Decimal("0.000001")
"""The digits that a converted quantity keeps; what is stored is what is multiplied."""
HIGHEST = Decimal(10) ** 12
_NORMAL_PER_ROW = Decimal(10_000)

_DIRECT: Mapping[str, tuple[Base, Decimal]] = {
    "t": (Base.TONNE, Decimal(1)),
    "kg": (Base.TONNE, Decimal("0.001")),
    "Nm3": (Base.NORMAL_CUBIC_METRE, Decimal(1)),
    "10^4Nm3": (Base.NORMAL_CUBIC_METRE, _NORMAL_PER_ROW),
    "kWh": (Base.KWH, Decimal(1)),
    "MWh": (Base.KWH, Decimal(1000)),
    "10^4kWh": (Base.KWH, Decimal(10_000)),
    "GJ": (Base.GJ, Decimal(1)),
    "MJ": (Base.GJ, Decimal("0.001")),
}
LITRE = "L"
UNITS: Sequence[str] = (*_DIRECT, LITRE)
"""Every unit that a quantity may be given in. Nm³ is the standard state of the factor's own source."""


def units_for(factor: Factor) -> tuple[str, ...]:
    """Return the units in which an activity with ``factor`` may be given."""
    return tuple(unit for unit in UNITS if _ratio(unit, factor, Decimal(1)) is not None)


def to_base(quantity: Decimal, unit: str, factor: Factor, density_kg_per_l: Decimal | None = None) -> Decimal:
    """Return ``quantity`` in the unit of ``factor``, to six decimals.

    Heat in kWh becomes GJ; a fuel in GJ becomes its amount by its net calorific value; litres need the density in kg/L
    that the supplier states, because no default is put in its place. Raises Invalid at ``quantity``, ``unit`` or
    ``density_kg_per_l``.
    """
    if not quantity.is_finite() or not 0 <= quantity <= HIGHEST:
        raise _wrong("quantity", "carbon.quantity", msg("数量须为 0 至 {most} 之间的数字。", most=HIGHEST))
    if unit == LITRE and density_kg_per_l is None:
        text = msg("以升计的数量须填写密度（kg/L），见供应商的质量证明。")
        raise _wrong("density_kg_per_l", "carbon.density", text)
    if density_kg_per_l is not None and not Decimal("0.3") <= density_kg_per_l <= Decimal("1.5"):
        raise _wrong("density_kg_per_l", "carbon.density", msg("密度须在 0.3 至 1.5 kg/L 之间。"))
    ratio = _ratio(unit, factor, density_kg_per_l)
    if ratio is None:
        allowed = "、".join(units_for(factor))
        text = msg("此活动不能以“{unit}”计。请改用：{allowed}。", unit=unit, allowed=allowed)
        raise _wrong("unit", "carbon.unit", text)
    return (quantity * ratio).quantize(BASE_DIGITS, ROUND_HALF_UP)


def grams(base_quantity: Decimal, factor: Factor) -> int:
    """Return whole grams of CO2 equivalent: the one place where an emission is rounded."""
    return int((base_quantity * factor.kg * 1000).to_integral_value(ROUND_HALF_UP))


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a whole number by weights so that the parts sum to it: the largest remainders get what is left over.

    The weights' sum must be above zero; of equal remainders the first wins.
    """
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    behind = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in behind[: total - sum(parts)]:
        parts[place] += 1
    return parts


def _ratio(unit: str, factor: Factor, density: Decimal | None) -> Decimal | None:
    """Return base units per ``unit``; None where there is no way from one to the other."""
    if unit == LITRE:
        return density / 1000 if factor.base is Base.TONNE and density is not None else None
    found = _DIRECT.get(unit)
    if found is None:
        return None
    base, ratio = found
    if base is factor.base:
        return ratio
    in_gj = ratio * GJ_PER_KWH if base is Base.KWH else ratio if base is Base.GJ else None
    if in_gj is None:
        return None
    if factor.base is Base.GJ:
        return in_gj
    if factor.base is Base.KWH:
        return None  # electricity is not bought by the gigajoule
    if factor.fuel is None or base is not Base.GJ or factor.fuel.ncv_gj == 0:
        return None
    per_row = _NORMAL_PER_ROW if factor.base is Base.NORMAL_CUBIC_METRE else Decimal(1)
    return in_gj / factor.fuel.ncv_gj * per_row


def _wrong(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])
