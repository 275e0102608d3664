"""What an offering costs whom, from when. A price is closed and followed by another; the past is never touched.

A price may be for parks of a tier, a class of region or a division only; where several hold for a park, the most
specific one does (``rules.prices``). Orders keep the id of their price, so what was used is rated by it for good.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from billing.formats.charge import ChargeDocument
from billing.formats.documents import Document, read_document
from billing.rules import charges
from billing.rules.money import WHOLE_BP, yuan
from billing.rules.prices import EVERYBODY, PriceScope
from billing.rules.rating import rate, rate_after
from billing.store.programme_queries import lock_prices, offering_of_price, prices_at, prices_of
from billing.store.programmes import Price
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.regions import RegionClass, check_region
from tenants.usecases import audit

NOBODY: Mapping[str, Any] = {}
"""The facts of no park in particular: only prices for everybody hold."""


@dataclass(frozen=True)
class PriceView:
    """A price. ``unit_price`` is what the first unit costs, in yuan; ``charge`` is the contract's whole model."""

    id: UUID
    offering: str
    charge: Mapping[str, Any]
    vat_bp: int
    unit_price: Decimal
    valid_from: datetime
    valid_to: datetime | None
    scope: PriceScope = EVERYBODY

    @property
    def withdrawn(self) -> bool:
        """Tell whether it was taken back before its time came."""
        return self.valid_to == self.valid_from

    def gross_fen(self, quantity: int, included: int = 0) -> int:
        """Return what ``quantity`` units cost, VAT included, when the first ``included`` of them cost nothing."""
        return rate_after(_charge(self.charge), Decimal(quantity), Decimal(included))


class PriceDocument(Document):
    """The part of a price that is a document."""

    charge: ChargeDocument


def set_price(
    work: Work,
    *,
    offering: str,
    charge: Mapping[str, Any],
    vat_bp: int,
    valid_from: datetime,
    scope: PriceScope = EVERYBODY,
) -> PriceView:
    """Let ``offering`` cost ``charge`` the parks of ``scope`` from ``valid_from`` on, until its next price there.

    Raises Invalid with every wrong field (a charge that says nothing sensible, a VAT rate outside 0 to 10,000 basis
    points, a moment that has passed, an unknown tier or region); Conflict when another price of the scope begins at
    the very same moment.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    _charge(charge)
    with Faults() as faults:
        faults.take("vat_bp", _check_vat, vat_bp)
        faults.take("valid_from", _check_begin, valid_from, work.now)
        faults.take("tier", _check_tier, scope.tier)
        faults.take("region_class", _check_region_class, scope.region_class)
        faults.take("region", _check_region, scope.region)
    row = Price(
        id=new_id(),
        offering=offering,
        tier=scope.tier,
        region_class=scope.region_class,
        region=scope.region,
        charge=dict(charge),
        vat_bp=vat_bp,
        valid_from=valid_from,
        valid_to=None,
        created_by=work.actor.user_id,
    )
    for before in _running(work, offering, scope):
        if before.valid_from == valid_from:
            raise _already_set()
        if before.valid_from < valid_from and (before.valid_to is None or before.valid_to > valid_from):
            before.valid_to = valid_from
        if before.valid_from > valid_from and row.valid_to is None:
            row.valid_to = before.valid_from
    work.session.flush()
    _insert(work, row)
    audit.record(work, "price.set", "price", row.id, offering=offering, valid_from=valid_from.isoformat())
    return _view(row)


def end_price(work: Work, *, price_id: UUID, at: datetime) -> PriceView:
    """Let a price hold until ``at`` only; one whose time has not come by then is withdrawn, as if it had not been set.

    Withdrawn, it leaves its time to the price of its scope that it would have followed. Raises NotFound, Invalid for a
    moment that has passed, Conflict ``price.ended`` for a price that ends before that anyhow.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    if at < work.now:
        raise _refused("at", "price.backdated", msg("价格不能追溯停用。请选择现在或以后的时间。"))
    offering = offering_of_price(work.session, price_id)
    if offering is None:
        raise NotFound("price.not_found", msg("没有找到该价格。请核对价格编号。"))
    prices = lock_prices(work.session, offering)
    row = next(price for price in prices if price.id == price_id)
    if row.valid_to is not None and row.valid_to <= at:
        raise Conflict("price.ended", msg("该价格在此之前已经停用，无需再次停用。"))
    if at <= row.valid_from:
        _withdraw(work, row, prices)
    else:
        row.valid_to = at
    work.session.flush()
    audit.record(work, "price.end", "price", row.id, offering=offering, valid_to=str(row.valid_to))
    return _view(row)


def price_at(
    work: Work, *, offering: str, at: datetime, facts: Mapping[str, Any] = NOBODY
) -> PriceView:  # fmt: skip
    """Return what ``offering`` costs a park of such facts at ``at``; Conflict ``price.missing`` when it has no price."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = find_prices(work, offerings=[offering], at=at, facts=facts)
    if offering not in found:
        raise no_price(offering)
    return found[offering]


def list_prices(
    work: Work, *, offerings: Collection[str], at: datetime, facts: Mapping[str, Any] = NOBODY
) -> dict[str, PriceView]:
    """Return the prices at ``at`` of those offerings that have one for a park of such facts, in one read."""
    work.actor.require(Permission.READ_CATALOGUE)
    return find_prices(work, offerings=offerings, at=at, facts=facts)


def price_history(work: Work, *, offering: str) -> tuple[PriceView, ...]:
    """Return every price that an offering had, has or will have, scope by scope, the newest first."""
    work.actor.require(Permission.READ_CATALOGUE)
    return tuple(_view(price) for price in prices_of(work.session, offering))


def find_prices(
    work: Work, *, offerings: Collection[str], at: datetime, facts: Mapping[str, Any]
) -> dict[str, PriceView]:
    """Return prices for billing's own use cases, which have asked for their own permission."""
    best: dict[str, Price] = {}
    for price in prices_at(work.session, offerings, at):
        other = best.get(price.offering)
        if _scope(price).holds_for(facts) and (other is None or _scope(price).rank > _scope(other).rank):
            best[price.offering] = price
    return {slug: _view(price) for slug, price in best.items()}


def is_priced(work: Work, offering: str) -> bool:
    """Tell whether any park may rent ``offering`` now."""
    return bool(prices_at(work.session, [offering], work.now))


def no_price(offering: str) -> Conflict:
    """Return the refusal for an offering without a price."""
    return Conflict(
        "price.missing", msg("服务 {offering} 目前没有价格，暂不能租用。请联系平台运营人员。", offering=offering)
    )


def _running(work: Work, offering: str, scope: PriceScope) -> list[Price]:
    """Return an offering's prices of one scope in time order, under lock; what was withdrawn is none."""
    prices = lock_prices(work.session, offering)
    return [price for price in prices if _scope(price) == scope and price.valid_to != price.valid_from]


def _withdraw(work: Work, row: Price, prices: Sequence[Price]) -> None:
    """Take back a price that has not begun, and give its time to the one before it."""
    end, row.valid_to = row.valid_to, row.valid_from
    work.session.flush()  # its time is free before another price takes it
    for before in prices:
        meets = before.valid_to == row.valid_from and before.valid_from < row.valid_from
        if meets and _scope(before) == _scope(row):
            before.valid_to = end


def _insert(work: Work, row: Price) -> None:
    """Write a price. Somebody who set one at the same time is met at the exclusion constraint."""
    values = {column.key: getattr(row, column.key) for column in Price.__table__.columns}
    try:
        with work.savepoint():
            work.session.execute(insert(Price).values(values))
    except IntegrityError as error:
        raise _already_set() from error


def _already_set() -> Conflict:
    return Conflict("price.already_set", msg("该服务在同一时间已有同一适用范围的价格。请刷新后换一个生效时间。"))


def _check_vat(vat_bp: int) -> None:
    if not 0 <= vat_bp <= WHOLE_BP:
        raise Invalid("price.vat", msg("增值税率须为 0 至 10000 个基点。请改正税率。"))


def _check_begin(valid_from: datetime, now: datetime) -> None:
    if valid_from < now:
        raise Invalid("price.backdated", msg("价格不能追溯生效。请选择现在或以后的时间。"))


def _check_tier(tier: str) -> None:
    if tier not in {"", *Tier}:
        raise Invalid("price.unknown_tier", msg("没有这个层级。请从列表中选择，或留空表示不限。"))


def _check_region_class(region_class: str) -> None:
    if region_class not in {"", *RegionClass}:
        raise Invalid("price.unknown_region_class", msg("没有这类地区。请从列表中选择，或留空表示不限。"))


def _check_region(code: str) -> None:
    if code:
        check_region(code)


def _refused(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])


def _charge(document: Mapping[str, Any]) -> charges.Charge:
    return read_document(PriceDocument, {"charge": document}).charge.to_rules()


def _view(price: Price) -> PriceView:
    model = _charge(price.charge)
    first = model.model.unit_price if isinstance(model.model, charges.PerUnit) else yuan(rate(model, Decimal(1)))
    return PriceView(
        id=price.id,
        offering=price.offering,
        charge=price.charge,
        vat_bp=price.vat_bp,
        unit_price=first,
        valid_from=price.valid_from,
        valid_to=price.valid_to,
        scope=_scope(price),
    )


def _scope(price: Price) -> PriceScope:
    return PriceScope(price.tier, price.region_class, price.region)
