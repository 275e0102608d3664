"""Charges by meter: what the use that a meter counts costs, charged in arrears with the month's invoice.

A charge is a price whose offering is the meter, so it has all that prices have: any charge model, scopes by tier and
region, a beginning that is never in the past, an end, a withdrawal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.formats.documents import read_document
from billing.rules.arrears import NOT_CHARGEABLE, looks_at_events
from billing.rules.charges import Charge
from billing.rules.meters import Aggregation
from billing.rules.prices import EVERYBODY, PriceScope
from billing.store.metered import offering_of
from billing.store.programme_queries import offering_of_price
from billing.usecases import pricing
from billing.usecases.meter_definitions import is_charged, read_meter
from billing.usecases.pricing import PriceDocument, PriceView
from billing.usecases.usage import MeterView
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_OFFERING = 64


@dataclass(frozen=True)
class MeterCharges:
    """A meter and every charge that it had, has or will have: scope by scope, the newest first."""

    meter: MeterView
    prices: tuple[PriceView, ...]


def set_charge(
    work: Work,
    *,
    meter: str,
    charge: Mapping[str, Any],
    vat_bp: int,
    valid_from: datetime | None = None,
    scope: PriceScope = EVERYBODY,
) -> PriceView:
    """Let what a meter counts cost ``charge`` from a moment on (None: from now on), for parks that subscribe to a tier.

    Raises NotFound for an unknown meter; Conflict ``meter.type_charged`` for one that counts what deliveries were
    charged for, so that nothing is billed twice; Invalid as ``pricing.set_price`` does, for a meter that is not asked for
    quantities, and for a charge by the event on a meter that does not add amounts up.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    found = read_meter(work, slug=meter)
    _check_meter(work, found)
    model = read_document(PriceDocument, {"charge": charge}).charge.to_rules()
    _check_charge(model, found)
    begin = work.now if valid_from is None else valid_from
    return pricing.set_price(
        work, offering=offering_of(meter), charge=charge, vat_bp=vat_bp, valid_from=begin, scope=scope
    )  # fmt: skip


def end_charge(work: Work, *, meter: str, price_id: UUID, at: datetime | None = None) -> PriceView:
    """Let a charge hold until ``at`` (None: now) only; one that has not begun is withdrawn. Raises as ``end_price``, and
    NotFound for a price that is not of this meter.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    if offering_of_price(work.session, price_id) != offering_of(meter):
        raise NotFound("price.not_found", msg("没有找到该价格。请核对价格编号。"))
    return pricing.end_price(work, price_id=price_id, at=at or work.now)


def read_charges(work: Work, *, meter: str) -> MeterCharges:
    """Return a meter with its charges. Raises NotFound."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = read_meter(work, slug=meter)
    return MeterCharges(found, pricing.price_history(work, offering=offering_of(meter)))


def _check_meter(work: Work, meter: MeterView) -> None:
    if meter.archived_at is not None:
        raise Conflict("meter.archived", msg("计量 {slug} 已停用，不能再计费。", slug=meter.slug))
    if meter.aggregation in NOT_CHARGEABLE:
        raise _refused("meter", "meter.not_chargeable", msg("加权计量不能计费。请改用其他计量。"))
    if len(offering_of(meter.slug)) > MOST_OFFERING:
        most = MOST_OFFERING - len(offering_of(""))
        raise _refused("meter", "meter.too_long", msg("计费的计量代码最多 {most} 个字符。请新建计量。", most=most))
    if is_charged(work, meter.event_type):
        raise Conflict(
            "meter.type_charged",
            msg("类型 {type} 的事件已按交付逐笔计费，不能再按计量计费。", type=meter.event_type),
        )


def _check_charge(charge: Charge, meter: MeterView) -> None:
    if charge.already_units or charge.already_billed is not None:
        raise _refused(
            "charge",
            "charge.already",
            msg("已计用量由系统按账期核算，不能写在价格里。请删去 already_units 与 already_billed。"),
        )
    if looks_at_events(charge) and meter.aggregation != Aggregation.SUM:
        raise _refused("charge", "charge.per_event", msg("按笔的费用只适用于合计类计量。请改用其他计费模式。"))


def _refused(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])


__all__ = ["MeterCharges", "end_charge", "read_charges", "set_charge"]
