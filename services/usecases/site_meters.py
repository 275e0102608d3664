"""Meters of sites: entered, closed, listed; virtual ones are formulas over meters that exist, and never change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import null, select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.monitoring.meters import (
    DEEPEST,
    INTERVALS,
    MOST_TERMS,
    Measures,
    MeterRule,
    Readings,
    Stamps,
    Term,
    depth_of,
)
from services.store.readings import SiteMeter
from services.usecases import sites
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.usecases import audit

LONGEST_CODE = 64
LONGEST_NAME = 100


@dataclass(frozen=True)
class TermView:
    """A part of a virtual meter."""

    meter_id: UUID
    factor: Decimal


@dataclass(frozen=True)
class MeterView:
    """A meter of a site. ``terms`` are those of a virtual one; ``last_value`` is as it was sent."""

    id: UUID
    site_id: UUID
    code: str
    name: str
    measures: Measures
    unit: str
    readings: Readings
    stamps: Stamps
    interval_minutes: int
    multiplier: Decimal
    highest: Decimal | None
    register_limit: Decimal | None
    terms: tuple[TermView, ...]
    is_main: bool
    last_at: datetime | None
    last_value: Decimal | None
    last_received_at: datetime | None
    created_at: datetime
    closed_at: datetime | None

    @property
    def is_virtual(self) -> bool:
        """Tell whether it is made of others."""
        return bool(self.terms)

    @property
    def rule(self) -> MeterRule:
        """How its readings are read."""
        return MeterRule(
            self.measures,
            self.readings,
            self.stamps,
            self.interval_minutes,
            float(self.multiplier),
            None if self.highest is None else float(self.highest),
            None if self.register_limit is None else float(self.register_limit),
        )


@dataclass(frozen=True)
class MeterWish:
    """A meter as a park enters it; with ``terms`` it is a virtual one, of this or other sites' meters."""

    code: str
    name: str
    measures: str = Measures.ELECTRICITY
    unit: str = ""
    readings: str = Readings.INTERVAL
    stamps: str = Stamps.START
    interval_minutes: int = 15
    multiplier: float = 1.0
    highest: float | None = None
    register_limit: float | None = None
    terms: Sequence[tuple[UUID, float]] = ()
    is_main: bool = False


def add_meter(work: Work, *, site_id: UUID, wish: MeterWish) -> MeterView:
    """Enter a meter of a site. Raises Invalid for wrong fields, Conflict ``meter.code_taken``."""
    work.actor.require(Permission.MANAGE_SITE)
    tenant_id = work.actor.require_tenant()
    sites.read_site(work, site_id=site_id)
    terms, depth = _terms(work, tenant_id, wish)
    row = {
        "tenant_id": tenant_id,
        "id": new_id(),
        "site_id": site_id,
        **_checked(wish),
        "formula": [{"meter_id": str(term.meter_id), "factor": str(term.factor)} for term in terms] or null(),
        "depth": depth,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(SiteMeter).values(row).on_conflict_do_nothing()):
        raise Conflict("meter.code_taken", msg("本园区已有编号为“{code}”的仪表。请换一个编号。", code=row["code"]))
    audit.record(work, "site_meter.add", "site_meter", row["id"], code=row["code"])
    return read_meter(work, meter_id=row["id"])


def close_meter(work: Work, *, meter_id: UUID) -> MeterView:
    """Take no more readings of a meter; what it measured stays. A repeat changes nothing."""
    work.actor.require(Permission.MANAGE_SITE)
    where = (SiteMeter.tenant_id == work.actor.require_tenant(), SiteMeter.id == meter_id)
    closed = update(SiteMeter).where(*where, SiteMeter.closed_at.is_(None)).values(closed_at=work.now, is_main=False)
    if rows_written(work.session, closed):
        audit.record(work, "site_meter.close", "site_meter", meter_id)
    return read_meter(work, meter_id=meter_id)


def watch_meter(work: Work, *, meter_id: UUID, is_main: bool) -> MeterView:
    """Say whether a baseline, anomalies and a forecast are made of a meter."""
    work.actor.require(Permission.MANAGE_SITE)
    found = read_meter(work, meter_id=meter_id)
    if is_main and (found.measures.is_weather or found.closed_at is not None):
        raise Conflict("meter.not_watchable", msg("天气仪表和已停用的仪表不能设为重点监测。"))
    where = (SiteMeter.tenant_id == work.actor.require_tenant(), SiteMeter.id == meter_id)
    work.session.execute(update(SiteMeter).where(*where).values(is_main=is_main))
    audit.record(work, "site_meter.watch", "site_meter", meter_id, is_main=is_main)
    return read_meter(work, meter_id=meter_id)


def read_meter(work: Work, *, meter_id: UUID) -> MeterView:
    """Return a meter of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_SITE)
    row = work.session.execute(
        select(SiteMeter).where(SiteMeter.id == meter_id, *_own(work)).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound("meter.not_found", msg("没有找到该仪表。请从站点页打开。"))
    return _view(row)


def list_meters(work: Work, *, site_id: UUID | None = None) -> tuple[MeterView, ...]:
    """Return the meters of a site (NotFound for another park's), or of all the acting park's, by code."""
    work.actor.require(Permission.READ_SITE)
    if site_id is not None:
        sites.read_site(work, site_id=site_id)
    query = select(SiteMeter).where(*_own(work)).order_by(SiteMeter.code, SiteMeter.id)
    if site_id is not None:
        query = query.where(SiteMeter.site_id == site_id)
    rows = work.session.execute(query.execution_options(populate_existing=True)).scalars()
    return tuple(map(_view, rows))


def meters_by_code(work: Work, *, codes: Sequence[str]) -> dict[str, MeterView]:
    """Return some of the acting park's meters by what their devices call them."""
    work.actor.require(Permission.READ_SITE)
    query = select(SiteMeter).where(SiteMeter.tenant_id == work.actor.require_tenant(), SiteMeter.code.in_(codes))
    return {row.code: _view(row) for row in work.session.execute(query).scalars()}


def _terms(work: Work, tenant_id: UUID, wish: MeterWish) -> tuple[tuple[Term, ...], int]:
    """Return a formula's terms and depth, none and 0 for a real meter."""
    if not wish.terms:
        return (), 0
    faults = Faults()
    if len(wish.terms) > MOST_TERMS:
        faults.add("terms", "meter.terms", msg("虚拟仪表最多由 {most} 个仪表组成。", most=MOST_TERMS))
        faults.refuse()
    ids = [meter_id for meter_id, _ in wish.terms]
    query = select(SiteMeter.id, SiteMeter.depth, SiteMeter.readings, SiteMeter.unit)
    known = {
        row.id: row
        for row in work.session.execute(query.where(SiteMeter.tenant_id == tenant_id, SiteMeter.id.in_(ids)))
    }
    terms = []
    for number, (meter_id, factor) in enumerate(wish.terms):
        row = known.get(meter_id)
        if row is None or ids.count(meter_id) > 1:
            faults.add(f"terms[{number}]", "meter.term", msg("没有此仪表，或它在公式中出现了两次。"))
        elif (row.readings == Readings.INSTANT) != (wish.readings == Readings.INSTANT) or row.unit != wish.unit:
            faults.add(f"terms[{number}]", "meter.term_kind", msg("组成仪表的单位与读数方式须与虚拟仪表一致。"))
        if not math.isfinite(factor) or not 0 < abs(factor) <= 1e6:
            faults.add(f"terms[{number}]", "meter.factor", msg("系数须为不等于 0 的数，1 为相加，-1 为相减。"))
        else:
            terms.append(Term(meter_id, Decimal(str(factor))))
    faults.refuse()
    depth = depth_of(terms, {meter_id: row.depth for meter_id, row in known.items()})
    if depth > DEEPEST:
        raise Conflict("meter.too_deep", msg("虚拟仪表最多叠加 {most} 层。请直接引用下层仪表。", most=DEEPEST))
    return tuple(terms), depth


def _checked(wish: MeterWish) -> dict[str, Any]:
    faults = Faults()
    code, name = wish.code.strip(), wish.name.strip()
    if not code or len(code) > LONGEST_CODE or "/" in code or not code.isprintable():
        faults.add("code", "meter.code", msg("仪表编号须为 1 至 64 个字符，不含斜线。"))
    if not name or len(name) > LONGEST_NAME:
        faults.add("name", "meter.name", msg("名称须为 1 至 {most} 个字。", most=LONGEST_NAME))
    measures = faults.take("measures", _one_of, Measures, wish.measures)
    readings = faults.take("readings", _one_of, Readings, wish.readings)
    stamps = faults.take("stamps", _one_of, Stamps, wish.stamps)
    unit = wish.unit.strip()
    if measures is not None and unit not in measures.units:
        wanted = "、".join(each or "—" for each in measures.units)
        faults.add("unit", "meter.unit", msg("单位须为：{units}。", units=wanted))
    if wish.interval_minutes not in INTERVALS:
        faults.add("interval_minutes", "meter.interval", msg("读数间隔须为 1、5、10、15、30 或 60 分钟。"))
    for field in ("multiplier", "highest", "register_limit"):
        value = getattr(wish, field)
        if value is not None and not 1e-6 <= value <= 1e7 and not (field != "multiplier" and 0 < value <= 1e12):
            faults.add(field, "meter.positive", msg("须为大于 0 的数。"))
    if measures is not None and measures.is_weather and wish.is_main:
        faults.add("is_main", "meter.not_watchable", msg("天气仪表不能设为重点监测。"))
    faults.refuse()
    return {
        "code": code,
        "name": name,
        "measures": measures,
        "unit": unit,
        "readings": readings,
        "stamps": stamps,
        "interval_minutes": wish.interval_minutes,
        "multiplier": wish.multiplier,
        "highest": wish.highest,
        "register_limit": wish.register_limit,
        "is_main": wish.is_main,
    }


def _one_of(kind: Any, value: str) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        wanted = "、".join(each.value for each in kind)
        raise Invalid("meter.choice", msg("须为以下之一：{wanted}。", wanted=wanted)) from error


def _own(work: Work) -> tuple[Any, ...]:
    return () if work.actor.tenant_id is None else (SiteMeter.tenant_id == work.actor.tenant_id,)


def _view(row: SiteMeter) -> MeterView:
    terms = tuple(TermView(UUID(each["meter_id"]), Decimal(each["factor"])) for each in row.formula or ())
    return MeterView(
        id=row.id,
        site_id=row.site_id,
        code=row.code,
        name=row.name,
        measures=Measures(row.measures),
        unit=row.unit,
        readings=Readings(row.readings),
        stamps=Stamps(row.stamps),
        interval_minutes=row.interval_minutes,
        multiplier=row.multiplier,
        highest=row.highest,
        register_limit=row.register_limit,
        terms=terms,
        is_main=row.is_main,
        last_at=row.last_at,
        last_value=row.last_value,
        last_received_at=row.last_received_at,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )
