"""From a quantity to an amount. Everything is exact until the amount is rounded, half up, once, at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, localcontext

from billing.rules.charges import (
    ZERO,
    BlockTier,
    Charge,
    Graduated,
    GraduatedPackage,
    GraduatedPercentage,
    Model,
    Package,
    Percentage,
    PerUnit,
    Tier,
    Volume,
)
from billing.rules.money import EXACT, round_half_up

_PERCENT = Decimal("0.01")


def rate(charge: Charge, quantity: Decimal, event_values: Sequence[Decimal] | None = None) -> int:
    """Return what ``quantity`` units cost, in fen; never negative, and nothing at zero use.

    ``event_values`` are the single events' amounts that ``percentage`` looks at; without them the quantity is taken
    for one event. With ``already_units`` the amount is the period's total less what was billed for it before.
    """
    with localcontext(EXACT):
        if quantity <= 0:
            return 0
        values = (quantity,) if event_values is None else tuple(event_values)
        before = (charge.already_units,) if charge.already_units else ()
        total = _period(charge, charge.already_units + quantity, (*before, *values))
        billed = charge.already_billed
        if billed is None:
            billed = _period(charge, charge.already_units, before)
        return max(0, round_half_up(total - billed))


def rate_after(charge: Charge, quantity: Decimal, included: Decimal) -> int:
    """Return what ``quantity`` units cost, in fen, when a plan includes the first ``included`` of them.

    They come off like the charge's own included units; where they cover all, nothing is due, a minimum neither.
    """
    if included >= quantity:
        return 0
    return (
        rate(replace(charge, included_units=charge.included_units + included), quantity)
        if included
        else rate(charge, quantity)
    )


def _period(charge: Charge, units: Decimal, values: Sequence[Decimal]) -> Decimal:
    """Return what a whole period's use comes to, in exact yuan."""
    if units <= 0:
        return ZERO
    amount = _amount(charge.model, units, values, charge.included_units)
    if charge.maximum is not None:
        amount = min(amount, charge.maximum)
    return amount if charge.minimum is None else max(amount, charge.minimum)


def _amount(model: Model, units: Decimal, values: Sequence[Decimal], included: Decimal) -> Decimal:
    if isinstance(model, Percentage):
        return _percentage(model, _after_included(values, included))
    paid = max(ZERO, units - included)
    if not paid:
        return ZERO
    match model:
        case PerUnit():
            amount = paid * model.unit_price
        case Package():
            amount = _blocks(max(ZERO, paid - model.free_units), model.package_size) * model.package_price
        case Graduated():
            amount = _graduated(model.tiers, paid, Decimal(1))
        case GraduatedPercentage():
            amount = _graduated(model.tiers, paid, _PERCENT)
        case Volume():
            tier = next(tier for tier in model.tiers if tier.up_to is None or paid <= tier.up_to)
            amount = paid * tier.unit_price + tier.flat_fee
        case GraduatedPackage():
            amount = _graduated_blocks(model.tiers, paid)
        case _:
            chosen = _block_tier(model.tiers, paid)
            amount = _blocks(paid, chosen.block) * chosen.block_price
    return amount


def _graduated(tiers: Sequence[Tier], units: Decimal, scale: Decimal) -> Decimal:
    """Sum the tiers that are reached; a tier's flat fee is due when its first unit, or part of one, is used."""
    amount, start = ZERO, ZERO
    for tier in tiers:
        if units <= start:
            break
        end = units if tier.up_to is None else min(units, tier.up_to)
        amount += (end - start) * tier.unit_price * scale + tier.flat_fee
        start = end
    return amount


def _blocks(units: Decimal, size: Decimal) -> Decimal:
    """Return how many blocks hold the units; a started one counts."""
    whole, rest = divmod(units, size)
    return whole + (1 if rest else 0)


def _graduated_blocks(tiers: Sequence[BlockTier], units: Decimal) -> Decimal:
    amount = ZERO
    for tier in tiers:
        here = units if tier.max_blocks is None else min(units, tier.block * tier.max_blocks)
        amount += _blocks(here, tier.block) * tier.block_price
        units -= here
        if units <= 0:
            break
    return amount


def _block_tier(tiers: Sequence[BlockTier], units: Decimal) -> BlockTier:
    reach = ZERO
    for tier in tiers:
        if tier.max_blocks is None:
            return tier
        reach += tier.block * tier.max_blocks
        if units <= reach:
            return tier
    return tiers[-1]


def _after_included(values: Sequence[Decimal], included: Decimal) -> list[Decimal]:
    """Return the events' amounts that are left once the included amount is used up, in their order."""
    paid = []
    for value in values:
        covered = min(max(value, ZERO), included)
        included -= covered
        if value - covered:
            paid.append(value - covered)
    return paid


def _percentage(model: Percentage, values: Sequence[Decimal]) -> Decimal:
    """Walk the events in their order: first the free ones, then the paying ones."""
    events_left, amount_left = model.free_events, model.free_amount
    total = ZERO
    for value in values:
        rest = value
        if _free(events_left, amount_left):
            rest = ZERO if amount_left is None else max(ZERO, value - amount_left)
            events_left = None if events_left is None else events_left - 1
            amount_left = None if amount_left is None else max(ZERO, amount_left - value)
            if not rest:
                continue
        total += _event(model, rest)
    return total


def _free(events_left: int | None, amount_left: Decimal | None) -> bool:
    if events_left is None and amount_left is None:
        return False
    return (events_left is None or events_left > 0) and (amount_left is None or amount_left > 0)


def _event(model: Percentage, value: Decimal) -> Decimal:
    amount = value * model.rate_percent * _PERCENT + model.fixed_fee
    if model.event_max is not None:
        amount = min(amount, model.event_max)
    return amount if model.event_min is None else max(amount, model.event_min)
