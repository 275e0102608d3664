"""Funds in words that pages and API both say: places, envelopes, columns of the register, which entries are wanted."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from billing.rules.money import yuan
from billing.usecases.fund_exports import Register
from billing.usecases.funds import EntryFilter
from marketplace.doors.codes import REGION_CLASSES
from marketplace.doors.texts import translate
from marketplace.formats.tables import Cell, Table
from tenants.kernel.clock import CHINA
from tenants.kernel.messages import Message, msg
from tenants.rules.regions import region_name

PLACES = {
    "appropriated": msg("财政拨款"),
    "transferred": msg("范围间调剂"),
    "carried": msg("跨年结转"),
    "available": msg("可用"),
    "held": msg("预占"),
    "captured": msg("已核销"),
    "disbursed": msg("已拨付"),
    "returned": msg("已退回"),
}
GENERAL = msg("全部园区")
_HEADER = (
    msg("时间"), msg("范围代码"), msg("范围"), msg("从"), msg("到"), msg("金额（元）"), msg("事由"), msg("预占编号"), msg("园区编号"), msg("经办人编号"),
    msg("流水编号"), msg("对方流水编号"),
)  # fmt: skip


def envelope_name(envelope: str, language: str) -> str:
    """Return what an envelope is allotted to: all parks, a class of regions, a city or county by its full name."""
    if not envelope:
        return translate(GENERAL, language)
    known: Message | None = REGION_CLASSES.get(envelope)
    return region_name(envelope) if known is None else translate(known, language)


def register_table(register: Register, language: str) -> Table:
    """Return a fund's register as a table; money in yuan, times as China's clocks show them."""
    rows: list[list[Cell]] = [
        [
            each.at.astimezone(CHINA).isoformat(timespec="seconds"),
            each.envelope,
            envelope_name(each.envelope, language),
            translate(PLACES[each.source], language),
            translate(PLACES[each.destination], language),
            yuan(each.amount_fen),
            each.reason,
            *(str(one or "") for one in (each.hold_id, each.tenant_id, each.user_id, each.id, each.counterpart_id)),
        ]
        for each in register.entries
    ]
    return Table(register.slug, [translate(title, language) for title in _HEADER], rows)


def entries_of_days(place: str | None, envelope: str | None, first: date | None, last: date | None) -> EntryFilter:
    """Return the filter of a place, an envelope and whole days in China, both named days included."""
    return EntryFilter(
        place=place,
        envelope=envelope,
        start=None if first is None else datetime.combine(first, time(), CHINA),
        end=None if last is None else datetime.combine(last + timedelta(days=1), time(), CHINA),
    )
