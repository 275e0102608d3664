"""The contract's settle command: a joint facility, a year of its use, and who pays what."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from billing.formats.documents import Document, read_document
from billing.formats.fields import BasisPoints, Fen, Name, parse_decimal, parse_scalar
from billing.rules.cost_sharing import Agreement, Settlement
from billing.rules.money import WHOLE_BP
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

MOST_PARKS = 100


def _hours(value: object) -> Decimal:
    """Return a number or a decimal string, exact."""
    scalar = parse_scalar(value)
    return parse_decimal(f"{scalar:f}" if isinstance(scalar, Decimal) else scalar)


Hours = Annotated[Decimal, BeforeValidator(_hours), Field(ge=0, le=100_000)]
Premium = Annotated[int, Field(ge=0, le=100 * WHOLE_BP)]


class AgreementDocument(Document):
    """What the parks have agreed on, and what was used. Hours may have fractions."""

    capital_fen: Fen
    life_years: Annotated[int, Field(ge=1, le=100)]
    hours: Annotated[Decimal, BeforeValidator(_hours), Field(gt=0, le=100_000)]
    variable_fen_per_hour: Annotated[Decimal, BeforeValidator(_hours), Field(ge=0, le=10**12)]
    shares_bp: Annotated[dict[Name, BasisPoints], Field(min_length=1, max_length=MOST_PARKS)]
    use_hours: Annotated[dict[Name, Hours], Field(max_length=MOST_PARKS)] = Field(default_factory=dict)
    premium_bp: Premium = 0
    outsider_premium_bp: Premium = 0
    outsider_hours: Hours = Decimal(0)
    reserve_hours: Hours = Decimal(0)
    entitlement_hours: Annotated[dict[Name, Hours], Field(max_length=MOST_PARKS)] | None = None


def read_agreement(document: object) -> Agreement:
    """Return the agreement in ``document``. Raises Invalid with the path of every fault."""
    parsed = read_document(AgreementDocument, document)
    errors = list(_faults(parsed))
    if errors:
        raise Invalid(
            "document.invalid", msg("输入有 {count} 处错误。请按所列字段逐一改正。", count=len(errors)), errors=errors
        )
    return Agreement(
        capital_fen=parsed.capital_fen,
        life_years=parsed.life_years,
        hours=Fraction(parsed.hours),
        variable_fen_per_hour=Fraction(parsed.variable_fen_per_hour),
        shares_bp=parsed.shares_bp,
        use_hours={park: Fraction(hours) for park, hours in parsed.use_hours.items()},
        premium_bp=parsed.premium_bp,
        outsider_premium_bp=parsed.outsider_premium_bp,
        outsider_hours=Fraction(parsed.outsider_hours),
        reserve_hours=Fraction(parsed.reserve_hours),
        entitled_hours=_fractions(parsed.entitlement_hours),
    )


def _fractions(hours: dict[str, Decimal] | None) -> dict[str, Fraction] | None:
    return None if hours is None else {park: Fraction(each) for park, each in hours.items()}


def _faults(parsed: AgreementDocument) -> Iterator[FieldError]:
    total = sum(parsed.shares_bp.values())
    if total != WHOLE_BP:
        wrong = msg("各园区份额合计为 {total}，须为 10000（即 100%）。请调整份额。", total=total)
        yield FieldError("shares_bp", "sharing.shares_do_not_sum", wrong)
    for park in sorted(set(parsed.use_hours) - set(parsed.shares_bp)):
        wrong = msg("园区 {park} 没有份额。请为其写明份额，或计入外部使用。", park=park)
        yield FieldError(f"use_hours.{park}", "sharing.no_share", wrong)
    if parsed.reserve_hours > parsed.hours:
        wrong = msg("公共预留不能超过全年机时 {hours}。请改正。", hours=f"{parsed.hours:f}")
        yield FieldError("reserve_hours", "sharing.reserve_too_large", wrong)
        return
    used = sum(parsed.use_hours.values(), Decimal(0)) + parsed.outsider_hours
    free = parsed.hours - parsed.reserve_hours
    if used > free:
        wrong = msg("使用 {used} 小时，超过可分配的 {free} 小时。请核对机时。", used=f"{used:f}", free=f"{free:f}")
        yield FieldError("use_hours", "sharing.more_than_there_is", wrong)
    own = parsed.entitlement_hours
    if own is not None and (set(own) != set(parsed.shares_bp) or sum(own.values()) != free):
        wrong = msg("应得机时须逐一列出各园区，合计为可分配的 {free} 小时。请改正。", free=f"{free:f}")
        yield FieldError("entitlement_hours", "sharing.entitlements_do_not_sum", wrong)


def settlement_json(settlement: Settlement) -> dict[str, Any]:
    """Return a settlement as the contract writes it; hours as numbers, prices rounded half up to the fen."""
    return {
        "parks": {
            name: {
                "due_fen": park.due_fen,
                "net_fen": park.net_fen,
                "capital_fen": park.capital_fen,
                "received_fen": park.received_fen,
                "entitlement_hours": _number(park.entitlement_hours),
                "lent_hours": _number(park.lent_hours),
                "borrowed_hours": _number(park.borrowed_hours),
            }
            for name, park in settlement.parks.items()
        },
        "prices_fen_per_hour": {
            "inside": _fen(settlement.inside_fen_per_hour),
            "above": _fen(settlement.above_fen_per_hour),
            "outsider": _fen(settlement.outsider_fen_per_hour),
        },
        "outsiders_fen": settlement.outsiders_fen,
        "cost_fen": settlement.cost_fen,
        "alternatives": {name: dict(nets) for name, nets in settlement.alternatives.items()},
    }


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else round(float(value), 6)


def _fen(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
