"""Metered months for the ledger, and a site's hours: from the readings that monitoring keeps."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from services.rules.carbon.factors import NATION, Factor
from services.rules.carbon.hourly import METERED, Hours, Metered, kwh_of, match_hours, total_of
from services.rules.carbon.records import Category
from services.rules.catalogue import Delivery
from services.rules.monitoring.meters import Measures
from services.rules.monitoring.series import Series, coarser
from services.store.carbon import CarbonRecord
from services.store.entering import enter_file
from services.usecases import site_months
from services.usecases.carbon_factors import factor_table
from services.usecases.carbon_records import RecordView, RecordWish, all_records, read_record, write_record
from services.usecases.readings import read_series
from services.usecases.site_meters import MeterView, read_meter
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import add_months, first_moment, local_day
from tenants.usecases import audit

MOST_DAYS = 31
_HOUR = 4
"""Quarters of an hour."""


@dataclass(frozen=True)
class HoursView:
    """A site's hours and the factor by which the bought ones emit."""

    meter: MeterView
    own_meter: MeterView | None
    factor: Factor
    hours: Hours


def record_month(
    work: Work, *, site_id: UUID, meter_id: UUID, month: date, category: Category, region: str = NATION
) -> RecordView:
    """Write what a meter counted in a month into the ledger, with its series as the evidence.

    A month that is recorded already is corrected when late readings changed it, and left alone when not. Nothing is
    filled in: Conflict ``carbon.gaps`` names how much is missing. Raises Invalid for a meter or month that does not
    fit, NotFound.
    """
    work.actor.require(Permission.RECORD_CARBON)
    site_months.require_running(work, site_id=site_id, delivery=Delivery.CARBON)
    meter = _fitting(work, site_id, meter_id, category)
    end = add_months(month, 1, 1)
    if month.day != 1 or end > local_day(work.now):
        raise _wrong("month", msg("须为已经结束的自然月。"))
    series = read_series(work, meter=meter, start=first_moment(month), end=first_moment(end))
    metered = total_of(series, meter.unit)
    if metered.missing:
        text = msg(
            "仪表“{name}”该月有 {hours} 小时没有读数，不能登记。请补传读数，或按账单手工登记。",
            name=meter.name,
            hours=f"{metered.missing / _HOUR:g}",
        )
        raise Conflict("carbon.gaps", text)
    before = _recorded(work, site_id, meter_id, month)
    if before is not None and before.quantity == metered.quantity and before.category is category:
        return before
    wish = RecordWish(
        category=category,
        item=METERED[category][1],
        start=month,
        end=end,
        quantity=metered.quantity,
        unit=metered.unit,
        region=region,
        evidence_id=_evidence(work, meter, month, series),
        note=str(_note(meter, metered, corrected=before is not None)),
    )
    row = write_record(
        work,
        site_id,
        wish,
        factor_table(work),
        source="meter",
        meter_id=meter_id,
        replaces=None if before is None else before.id,
    )
    site_months.note_activity(work, site_id=site_id, delivery=Delivery.CARBON)
    audit.record(work, "carbon.meter", "carbon_record", row["id"], site_id=site_id, meter_id=meter_id)
    return read_record(work, record_id=row["id"])


def read_hours(
    work: Work,
    *,
    site_id: UUID,
    meter_id: UUID,
    own_meter_id: UUID | None,
    start: date,
    days: int = 7,
    region: str = NATION,
) -> HoursView:
    """Return a site's hours from the day ``start``: bought power, its own, emissions and the share that is matched.

    Raises Invalid for a meter or span that does not fit, NotFound.
    """
    work.actor.require(Permission.READ_CARBON)
    if not 1 <= days <= MOST_DAYS or not date(2000, 1, 1) <= start <= local_day(work.now):
        raise _wrong("start", msg("请选择过去的日期，至多 {most} 天。", most=MOST_DAYS))
    meter = _fitting(work, site_id, meter_id, Category.ELECTRICITY)
    own = None if own_meter_id is None else _fitting(work, site_id, own_meter_id, Category.OWN_GREEN, "own_meter_id")
    begin, end = first_moment(start), first_moment(start + timedelta(days=days))
    bought = coarser(read_series(work, meter=meter, start=begin, end=end), _HOUR)
    beside = None if own is None else coarser(read_series(work, meter=own, start=begin, end=end), _HOUR)
    factor = factor_table(work).grid(start.year, region=region)
    hours = match_hours(
        bought.start,
        kwh_of(bought, meter.unit),
        None if beside is None or own is None else kwh_of(beside, own.unit),
        factor.kg,
    )
    return HoursView(meter, own, factor, hours)


def _fitting(work: Work, site_id: UUID, meter_id: UUID, category: Category, field: str = "meter_id") -> MeterView:
    """Return a meter of the site that measures what the heading is of."""
    meter = read_meter(work, meter_id=meter_id)
    wanted = METERED.get(category)
    if wanted is None:
        raise _wrong("category", msg("只有外购电力、自发自用绿电和外购热力可以由仪表登记。"))
    if meter.site_id != site_id:
        raise _wrong(field, msg("该仪表不属于本站点。"))
    if meter.measures is not wanted[0] or (meter.measures is Measures.HEAT and meter.unit == ""):
        raise _wrong(field, msg("该仪表测的不是这类能源。请另选。"))
    return meter


def _recorded(work: Work, site_id: UUID, meter_id: UUID, month: date) -> RecordView | None:
    """Return the record of a meter's month that counts now."""
    known = select(CarbonRecord.id).where(
        CarbonRecord.tenant_id == work.actor.require_tenant(),
        CarbonRecord.meter_id == meter_id,
        CarbonRecord.starts_on == month,
        CarbonRecord.source == "meter",
    )
    first = set(work.session.execute(known).scalars())
    if not first:
        return None
    records = {view.id: view for view in all_records(work, site_id)}
    found = records[next(iter(first))]
    while found.replaced_by is not None:  # by whomever: a person may have corrected what the meter said
        found = records[found.replaced_by]
    return found


def _evidence(work: Work, meter: MeterView, month: date, series: Series) -> UUID:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(("start", meter.unit, "flags"))
    for at, value, flags in zip(series.at, series.values, series.flags, strict=True):
        writer.writerow((datetime.fromtimestamp(int(at), UTC).isoformat(), repr(float(value)), int(flags)))
    file = enter_file(
        work.session,
        work.actor.require_tenant(),
        kind="input",
        source_id=None,
        name=f"{meter.code}-{month:%Y-%m}.csv",
        media_type="text/csv",
        content=stream.getvalue().encode(),
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    return UUID(str(file["id"]))


def _note(meter: MeterView, metered: Metered, *, corrected: bool) -> Message:
    share = f"{Decimal(metered.not_measured) / metered.steps * 100:.1f}"
    if corrected:
        return msg("仪表 {code}：读数有变，重新登记（{share} % 的时段非直接测得）", code=meter.code, share=share)
    return msg("仪表 {code}（{share} % 的时段非直接测得）", code=meter.code, share=share)


def _wrong(field: str, message: Message) -> Invalid:
    code = f"carbon.{field}"
    return Invalid(code, message, errors=[FieldError(field, code, message)])
