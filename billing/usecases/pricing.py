"""What an offering costs, from when. A price is closed and followed by another; the past is never touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
from billing.rules.money import yuan
from billing.rules.rating import rate
from billing.store.programme_queries import lock_prices, prices_at
from billing.store.programmes import Price
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


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

    def gross_fen(self, quantity: int) -> int:
        """Return what ``quantity`` units cost, VAT included."""
        return rate(_charge(self.charge), Decimal(quantity))


class PriceDocument(Document):
    """The part of a price that is a document."""

    charge: ChargeDocument


def set_price(work: Work, *, offering: str, charge: Mapping[str, Any], vat_bp: int, valid_from: datetime) -> PriceView:
    """Let ``offering`` cost ``charge`` from ``valid_from`` on, until the next price that is already set.

    Raises Invalid for a charge that says nothing sensible, for a VAT rate outside 0 to 10,000 basis points and for a
    moment that has passed; Conflict when another price begins at the very same moment.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    _charge(charge)
    if not 0 <= vat_bp <= 10_000:
        raise _refused("vat_bp", "price.vat", msg("增值税率须为 0 至 10000 个基点。请改正税率。"))
    if valid_from < work.now:
        raise _refused("valid_from", "price.backdated", msg("价格不能追溯生效。请选择现在或以后的时间。"))
    row = Price(
        id=new_id(),
        offering=offering,
        charge=dict(charge),
        vat_bp=vat_bp,
        valid_from=valid_from,
        valid_to=None,
        created_by=work.actor.user_id,
    )
    for before in lock_prices(work.session, offering):
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


def price_at(work: Work, *, offering: str, at: datetime) -> PriceView:
    """Return what ``offering`` costs at ``at``. Raises Conflict ``price.missing`` when it has no price then."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = find_prices(work, offerings=[offering], at=at)
    if offering not in found:
        raise no_price(offering)
    return found[offering]


def list_prices(work: Work, *, offerings: Collection[str], at: datetime) -> dict[str, PriceView]:
    """Return the prices at ``at`` of those offerings that have one, in one read."""
    work.actor.require(Permission.READ_CATALOGUE)
    return find_prices(work, offerings=offerings, at=at)


def find_prices(work: Work, *, offerings: Collection[str], at: datetime) -> dict[str, PriceView]:
    """Return prices for billing's own use cases, which have asked for their own permission."""
    return {slug: _view(price) for slug, price in prices_at(work.session, offerings, at).items()}


def no_price(offering: str) -> Conflict:
    """Return the refusal for an offering without a price."""
    return Conflict(
        "price.missing", msg("服务 {offering} 目前没有价格，暂不能租用。请联系平台运营人员。", offering=offering)
    )


def _insert(work: Work, row: Price) -> None:
    """Write a price. Somebody who set one at the same time is met at the exclusion constraint."""
    values = {column.key: getattr(row, column.key) for column in Price.__table__.columns}
    try:
        with work.session.begin_nested():
            work.session.execute(insert(Price).values(values))
    except IntegrityError as error:
        raise _already_set() from error


def _already_set() -> Conflict:
    return Conflict("price.already_set", msg("该服务在同一时间已有价格。请刷新后换一个生效时间。"))


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
    )
