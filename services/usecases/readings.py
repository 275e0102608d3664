"""Readings: taken in by the batch, each stamp of a meter once, and read as a series with its flags.

A reading that comes again with another value replaces the one that stood, which is kept as a version; the same value
again changes nothing. Late readings are taken whenever they come, as long as the site is rented now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
from sqlalchemy import select

from services.formats.readings import Batch
from services.rules.catalogue import Delivery
from services.rules.monitoring.series import STEP, Samples, Series, combine, make_series
from services.store.reading_intake import samples_of, take_readings
from services.store.readings import Reading, ReadingVersion
from services.usecases import site_months
from services.usecases.site_meters import MeterView, meters_by_code, read_meter
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

OLDEST = timedelta(days=3 * 366)
NEWEST = timedelta(hours=1)
"""How far ahead of our clock a device's may be."""
MARGIN = timedelta(days=2)
"""How far beyond a series' ends readings are looked at, for registers and gaps at its edges."""
LONGEST = timedelta(days=3 * 366)


@dataclass(frozen=True)
class Intake:
    """What became of a batch. ``refused`` names the first fifty readings that were not taken."""

    accepted: int
    replaced: int
    unchanged: int
    refused_count: int
    refused: tuple[FieldError, ...]


@dataclass(frozen=True)
class VersionView:
    """A value of a reading: the one that stands, or one that was replaced at ``replaced_at``."""

    at: datetime
    version: int
    value: Decimal
    estimated: bool
    received_at: datetime
    replaced_at: datetime | None


def take_in(work: Work, *, batch: Batch, partial: bool = False) -> Intake:
    """Take a batch in: all of it, or with ``partial`` what of it can be right.

    Raises Invalid ``reading.refused`` naming what is wrong, Conflict ``site.not_rented`` for a site that nothing is
    rented for now. Of two readings of one stamp in a batch the last one counts.
    """
    work.actor.require(Permission.UPLOAD_DATA)
    tenant_id = work.actor.require_tenant()
    known = meters_by_code(work, codes=batch.codes)
    meter, at, values, estimated = batch.columns()
    good = np.ones(len(at), dtype=bool)
    _refuse_unknown(batch, known, meter, good)
    _refuse_times(work, batch, at, good)
    if batch.refused_count and not partial:
        raise Invalid(
            "reading.refused",
            msg("本批有 {count} 条读数不能接收，整批未写入。请修改后重发。", count=batch.refused_count),
            errors=batch.refused,
        )
    places = np.flatnonzero(good)
    order = places[np.lexsort((places, at[places], meter[places]))]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (np.diff(meter[order]) != 0) | (np.diff(at[order]) != 0)
    chosen = order[last]
    repeated = len(order) - len(chosen)
    if not len(chosen):
        return Intake(0, 0, repeated, batch.refused_count, tuple(batch.refused))
    used = np.unique(meter[chosen])
    meters = [known[batch.codes[index]] for index in used]
    _note_sites(work, meters)
    rank = np.searchsorted(used, meter[chosen])
    taken = take_readings(
        work.connection,
        tenant_id,
        [each.id for each in meters],
        rank,
        at[chosen],
        values[chosen],
        estimated[chosen],
        work.now,
    )
    return Intake(
        taken.accepted, taken.replaced, taken.unchanged + repeated, batch.refused_count, tuple(batch.refused)
    )  # fmt: skip


def read_series(work: Work, *, meter: MeterView, start: datetime, end: datetime) -> Series:
    """Return a meter's 15-minute series of ``[start, end)``; of a virtual one the sum of its parts'."""
    work.actor.require(Permission.READ_SITE)
    if end - start > LONGEST or end <= start:
        raise Invalid("series.span", msg("时间范围须在三年以内，且结束晚于开始。"))
    first = int(start.timestamp()) // STEP * STEP
    until = -(-int(end.timestamp()) // STEP) * STEP
    return _series(work, meter, first, until)


def list_versions(work: Work, *, meter_id: UUID, at: datetime | None = None) -> tuple[VersionView, ...]:
    """Return the values that a reading has had, the one that stands last; without ``at`` the last hundred replaced ones."""
    work.actor.require(Permission.READ_SITE)
    meter = read_meter(work, meter_id=meter_id)
    if at is None:
        return _replaced(work, meter.id)
    old = select(ReadingVersion).where(ReadingVersion.meter_id == meter.id, ReadingVersion.at == at)
    now = select(Reading).where(Reading.meter_id == meter.id, Reading.at == at)
    found = [
        VersionView(row.at, row.version, row.value, row.estimated, row.received_at, row.replaced_at)
        for row in work.session.execute(old.order_by(ReadingVersion.version)).scalars()
    ]
    found += [
        VersionView(row.at, row.version, row.value, row.estimated, row.received_at, None)
        for row in work.session.execute(now).scalars()
    ]
    return tuple(found)


def _replaced(work: Work, meter_id: UUID) -> tuple[VersionView, ...]:
    query = select(ReadingVersion).where(ReadingVersion.meter_id == meter_id)
    newest = query.order_by(ReadingVersion.replaced_at.desc(), ReadingVersion.at.desc()).limit(100)
    return tuple(
        VersionView(row.at, row.version, row.value, row.estimated, row.received_at, row.replaced_at)
        for row in work.session.execute(newest).scalars()
    )


def _series(work: Work, meter: MeterView, first: int, until: int) -> Series:
    if meter.is_virtual:
        parts = [
            (float(term.factor), _series(work, read_meter(work, meter_id=term.meter_id), first, until))
            for term in meter.terms
        ]
        return combine(parts)
    since, to = datetime.fromtimestamp(first, UTC) - MARGIN, datetime.fromtimestamp(until, UTC) + MARGIN
    tenant = work.actor.require_tenant()
    at, values, estimated = samples_of(work.connection, tenant, meter.id, since, to)
    samples = Samples(
        np.rint(np.array(at, dtype=np.float64)).astype(np.int64),
        np.array(values, dtype=np.float64),
        np.array(estimated, dtype=np.bool_),
    )
    return make_series(meter.rule, samples, first, until)


def _note_sites(work: Work, meters: list[MeterView]) -> None:
    """Refuse sites that nothing is rented for; note that monitoring has worked for those that rent it."""
    for site_id in sorted({meter.site_id for meter in meters}):
        running = site_months.require_any(work, site_id=site_id)
        if Delivery.MONITORING in running:
            site_months.note_activity(work, site_id=site_id, delivery=Delivery.MONITORING)


def _refuse_unknown(
    batch: Batch, known: Mapping[str, MeterView], meter: np.ndarray, good: np.ndarray
) -> None:  # fmt: skip
    for index, code in enumerate(batch.codes):
        found = known.get(code)
        if found is not None and found.closed_at is None and not found.is_virtual:
            continue
        wrong = (
            ("meter.unknown", msg("没有编号为“{code}”的仪表。请先在站点页添加。", code=code))
            if found is None
            else ("meter.closed", msg("仪表“{code}”已停用或是虚拟仪表，不接收读数。", code=code))
        )
        _refuse_all(batch, np.flatnonzero(meter == index), good, *wrong)


def _refuse_times(work: Work, batch: Batch, at: np.ndarray, good: np.ndarray) -> None:
    oldest, newest = (int((work.now + by).timestamp() * 1e6) for by in (-OLDEST, NEWEST))
    wrong = msg("时间须在过去三年内，且不晚于现在一小时以上。请检查设备时钟。")
    _refuse_all(batch, np.flatnonzero(good & ((at < oldest) | (at > newest))), good, "reading.time", wrong)


def _refuse_all(batch: Batch, places: np.ndarray, good: np.ndarray, code: str, message: Message) -> None:
    good[places] = False
    for place in places[:50].tolist():
        batch.refuse(batch.places[place] if batch.places else f"readings[{place}]", code, message)
    batch.refused_count += max(0, len(places) - 50)
