"""Reads and writes of use that is charged in arrears."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules.meters import Meter
from billing.rules.periods import parse_month
from billing.store import usage
from billing.store.credit_notes import CreditNote
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.metered import METERED, LateUsage, MeteredCredit, MeteredMonth, MeteredUsage
from billing.store.programmes import Price
from billing.store.rollups import MeterProgress
from billing.store.settlements import meter_of
from billing.store.usage import RatedUsage
from tenants.kernel.writing import array_of_ids

PieceKey = tuple[UUID, str, UUID, datetime]
"""Park, meter, price and start: what tells a part of a month from every other."""


@dataclass(frozen=True)
class ChargedMeter:
    """A meter that something is charged by, and its prices."""

    meter: Meter
    name: str
    prices: tuple[Price, ...]


@dataclass(frozen=True)
class Before:
    """What was charged of a part of a month so far: its last quantity, the sum, and up to when its price is fixed."""

    key: PieceKey
    number: int
    quantity: Decimal
    fen: int
    span_to: datetime
    taken_at: datetime
    period: str


def charged_meters(session: Session, start: datetime, end: datetime) -> tuple[ChargedMeter, ...]:
    """Return the meters that have a price between two moments, by slug, each with those prices."""
    query = (
        select(usage.Meter, Price)
        .join(Price, Price.offering == func.concat(METERED, usage.Meter.slug))
        .where(
            Price.valid_from < end,
            or_(Price.valid_to.is_(None), (Price.valid_to > start) & (Price.valid_to > Price.valid_from)),
        )
        .order_by(usage.Meter.slug, Price.valid_from, Price.id)
        .execution_options(populate_existing=True)
    )
    found: dict[str, tuple[usage.Meter, list[Price]]] = {}
    for meter, price in session.execute(query):
        found.setdefault(meter.slug, (meter, []))[1].append(price)
    return tuple(ChargedMeter(meter_of(row), row.name, tuple(prices)) for row, prices in found.values())


def meters_charged_in(session: Session, period: str) -> tuple[ChargedMeter, ...]:
    """Return the meters that have a price in a month."""
    month = parse_month(period)
    assert month is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    return charged_meters(session, month.start, month.end)


def begin_months(session: Session, meters: Iterable[str], period: str, at: datetime) -> None:
    """Note that a month's use of some meters begins to be charged, once."""
    rows = [{"meter": slug, "period": period, "begun_at": at} for slug in meters]
    if rows:
        session.execute(insert(MeteredMonth).values(rows).on_conflict_do_nothing())


def end_months(session: Session, period: str, at: datetime) -> None:
    """Note that all parks are charged a month's use of the meters that it began to be charged for."""
    session.execute(
        update(MeteredMonth)
        .where(MeteredMonth.period == period, MeteredMonth.charged_at.is_(None))
        .values(charged_at=at)
    )


def meters_to_charge(session: Session, period: str) -> tuple[ChargedMeter, ...]:
    """Return the meters that have a price in a month whose use is not charged to all parks yet."""
    done = select(MeteredMonth.meter).where(MeteredMonth.period == period, MeteredMonth.charged_at.is_not(None))
    charged = set(session.execute(done).scalars())
    return tuple(each for each in meters_charged_in(session, period) if each.meter.slug not in charged)


def hold_rollups(session: Session, meters: Iterable[str]) -> None:
    """Let nobody roll up these meters until the transaction ends, so that what they roll up later is known to be late."""
    query = select(MeterProgress.meter).where(MeterProgress.meter.in_(sorted(meters))).order_by(MeterProgress.meter)
    session.execute(query.with_for_update(read=True))


def charged_before(
    session: Session, parks: Collection[UUID], periods: Collection[str], meters: Collection[str]
) -> list[Before]:  # fmt: skip
    """Return what was charged of parts of some months; what a refused credit note asked for counts as charged."""
    refused = (
        select(func.coalesce(func.sum(MeteredCredit.amount_fen), 0))
        .join(
            CreditNote,
            (CreditNote.tenant_id == MeteredCredit.tenant_id) & (CreditNote.id == MeteredCredit.credit_note_id),
        )
        .where(
            MeteredCredit.tenant_id == MeteredUsage.tenant_id,
            MeteredCredit.metered_id == MeteredUsage.id,
            CreditNote.status == "refused",
        )
        .correlate(MeteredUsage)
        .scalar_subquery()
    )
    query = (
        select(MeteredUsage, refused)
        .where(
            MeteredUsage.tenant_id == func.any(array_of_ids(parks)),
            MeteredUsage.period.in_(sorted(periods)),
            MeteredUsage.meter.in_(sorted(meters)),
        )
        .order_by(MeteredUsage.number)
    )
    found: dict[PieceKey, Before] = {}
    for row, refused_fen in session.execute(query):
        key = (row.tenant_id, row.meter, row.price_id, row.span_from)
        fen = row.charged_fen + int(refused_fen) + (found[key].fen if key in found else 0)
        found[key] = Before(key, row.number, row.quantity, fen, row.span_to, row.taken_at, row.period)
    return list(found.values())


def late_months(session: Session, parks: Collection[UUID]) -> dict[tuple[UUID, str, str], int]:
    """Return, by park, meter and month, where something has come late that nobody looked at, and how often by now."""
    query = select(LateUsage.tenant_id, LateUsage.meter, LateUsage.period, LateUsage.noted).where(
        LateUsage.tenant_id == func.any(array_of_ids(parks)), LateUsage.seen < LateUsage.noted
    )
    return {(row[0], row[1], row[2]): row[3] for row in session.execute(query)}


def parks_with_late_use(session: Session) -> set[UUID]:
    """Return the parks for which something has come late that nobody looked at."""
    return set(
        session.execute(select(LateUsage.tenant_id).distinct().where(LateUsage.seen < LateUsage.noted)).scalars()
    )


def note_seen(session: Session, looked: Mapping[tuple[UUID, str, str], int]) -> None:
    """Note that what had come late was looked at."""
    if looked:
        places = [(*key, noted) for key, noted in looked.items()]
        matches = tuple_(LateUsage.tenant_id, LateUsage.meter, LateUsage.period, LateUsage.noted).in_(places)
        session.execute(
            update(LateUsage).where(matches).values(seen=LateUsage.noted),
            execution_options={"synchronize_session": False},
        )


def invoiced_parks(session: Session, parks: Collection[UUID], period: str) -> set[UUID]:
    """Return those of some parks that have a month's invoice."""
    query = select(Invoice.tenant_id).where(
        Invoice.tenant_id == func.any(array_of_ids(parks)), Invoice.period == period, Invoice.status != "void"
    )
    return set(session.execute(query).scalars())


def current_snapshot(session: Session) -> str:
    """Return the name of a snapshot of the database as it is now."""
    return session.execute(select(cast(func.pg_current_snapshot(), Text))).scalar_one()


@dataclass(frozen=True)
class CreditableRow:
    """A line that was charged for a part of a month: its usage, and the invoice that it stands on, if any."""

    usage: RatedUsage
    invoice_id: UUID | None
    invoice_status: str | None
    line: int | None


def lines_of_piece(session: Session, key: PieceKey) -> Sequence[CreditableRow]:
    """Return the lines that a part of a month was charged by, the newest first."""
    park_id, meter, price_id, span_from = key
    query = (
        select(RatedUsage, Invoice.id, Invoice.status, InvoiceLine.line)
        .join(
            MeteredUsage,
            (MeteredUsage.tenant_id == RatedUsage.tenant_id) & (MeteredUsage.id == RatedUsage.order_line_id),
        )
        .outerjoin(
            InvoiceLine,
            (InvoiceLine.tenant_id == RatedUsage.tenant_id)
            & (InvoiceLine.rated_usage_id == RatedUsage.id)
            & ~InvoiceLine.voided,
        )
        .outerjoin(Invoice, (Invoice.tenant_id == InvoiceLine.tenant_id) & (Invoice.id == InvoiceLine.invoice_id))
        .where(
            MeteredUsage.tenant_id == park_id,
            MeteredUsage.meter == meter,
            MeteredUsage.price_id == price_id,
            MeteredUsage.span_from == span_from,
        )
        .order_by(MeteredUsage.number.desc())
    )
    return [CreditableRow(*row) for row in session.execute(query)]


def insert_credit(session: Session, values: Mapping[str, Any]) -> None:
    """Write which credit note was asked for what a correction has lowered."""
    session.execute(insert(MeteredCredit).values(values))


def metered_of_month(session: Session, period: str) -> Sequence[tuple[MeteredUsage, UUID | None]]:
    """Return what was charged of a month in arrears, with its rated usage where it has one."""
    query = (
        select(MeteredUsage, RatedUsage.id)
        .outerjoin(
            RatedUsage,
            (RatedUsage.tenant_id == MeteredUsage.tenant_id) & (RatedUsage.order_line_id == MeteredUsage.id),
        )
        .where(MeteredUsage.period == period)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def metered_row(session: Session, tenant_id: UUID, row_id: UUID) -> MeteredUsage | None:
    """Return what was charged by one row."""
    query = select(MeteredUsage).where(MeteredUsage.tenant_id == tenant_id, MeteredUsage.id == row_id)
    return session.execute(query).scalar_one_or_none()


def lowered_after(session: Session, row: MeteredUsage) -> int:
    """Return what was asked back, after a row, of the part of a month that it charged."""
    query = select(func.coalesce(func.sum(-MeteredUsage.charged_fen), 0)).where(
        MeteredUsage.tenant_id == row.tenant_id,
        MeteredUsage.meter == row.meter,
        MeteredUsage.price_id == row.price_id,
        MeteredUsage.span_from == row.span_from,
        MeteredUsage.number > row.number,
        MeteredUsage.charged_fen < 0,
    )
    return int(session.execute(query).scalar_one())


def rows_counting(session: Session, tenant_id: UUID, event_type: str, moment: datetime) -> Sequence[MeteredUsage]:
    """Return what a park was charged by meters of a type for the parts of months that a moment is in, in order."""
    query = (
        select(MeteredUsage)
        .join(usage.Meter, usage.Meter.slug == MeteredUsage.meter)
        .where(
            MeteredUsage.tenant_id == tenant_id,
            usage.Meter.event_type == event_type,
            MeteredUsage.span_from <= moment,
            MeteredUsage.span_to > moment,
        )
        .order_by(MeteredUsage.meter, MeteredUsage.taken_at, MeteredUsage.number)
    )
    return session.execute(query).scalars().all()


def meters_by_slug(session: Session, slugs: Collection[str]) -> dict[str, Meter]:
    """Return some meters as the rules know them."""
    query = select(usage.Meter).where(usage.Meter.slug.in_(sorted(slugs)))
    return {row.slug: meter_of(row) for row in session.execute(query).scalars()}
