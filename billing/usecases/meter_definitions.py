"""Meters made and laid down by the operator. A definition is never edited: who wants another one makes another meter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert

from billing.formats.documents import read_document
from billing.formats.usage import MeterDocument
from billing.store.usage import Meter, RatedUsage, UsageEvent
from billing.usecases.usage import MeterView, meter_view
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", re.ASCII)
_BILLS = ("sum", "count")
MOST_TYPE = 64
MOST_PATH = 200
MOST_UNIT = 32


def create_meter(
    work: Work, *, definition: Mapping[str, object], name: str, allow_negative: bool = True, unit: str = ""
) -> MeterView:  # fmt: skip
    """Make a meter of a ``MeterDocument``; it counts the events that are there already, too. ``unit`` is only shown.

    Raises Invalid for a definition that says nothing sensible, Conflict for a slug that is taken, and for a meter that
    would change what deliveries were charged for.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    document = read_document(MeterDocument, definition)
    if not _SLUG.fullmatch(document.slug):
        message = msg("须为小写字母、数字、连字符或下划线，最多 64 个。请改正。")
        raise Invalid("meter.slug", message, errors=[FieldError("slug", "meter.slug", message)])
    _check_lengths(document, unit)
    if document.aggregation in _BILLS and is_charged(work, document.event_type):
        raise Conflict(
            "meter.type_charged", msg("类型 {type} 的事件已用于计费，不能再加合计类计量。", type=document.event_type)
        )
    row = {
        "slug": document.slug,
        "name": (name.strip() or document.slug)[:200],
        "event_type": document.event_type,
        "aggregation": document.aggregation,
        "value_property": document.value_property,
        "group_by": dict(document.group_by),
        "filters": dict(document.filters),
        "allow_negative": allow_negative,
        "unit": unit.strip(),
        "created_at": work.now,
    }
    if rows_written(work.session, insert(Meter).values(row).on_conflict_do_nothing()) == 0:
        raise Conflict("meter.slug_taken", msg("计量 {slug} 已存在；定义不能修改。请另取名称。", slug=document.slug))
    audit.record(work, "meter.create", "meter", document.slug, event_type=document.event_type)
    return read_meter(work, slug=document.slug)


def archive_meter(work: Work, *, slug: str) -> None:
    """Lay a meter down: it is not listed any more and asks nothing of new events. What it counted can still be asked."""
    work.actor.require(Permission.RUN_PLATFORM)
    laid_down = update(Meter).where(Meter.slug == slug, Meter.archived_at.is_(None)).values(archived_at=work.now)
    if rows_written(work.session, laid_down):
        audit.record(work, "meter.archive", "meter", slug)
        return
    read_meter(work, slug=slug)


def read_meter(work: Work, *, slug: str) -> MeterView:
    """Return a meter, also one that was laid down. Raises NotFound."""
    work.actor.require(Permission.READ_USAGE)
    row = work.session.execute(select(Meter).where(Meter.slug == slug)).scalar_one_or_none()
    if row is None:
        raise NotFound("meter.not_found", msg("没有找到计量 {slug}。请核对名称。", slug=slug))
    return meter_view(row)


def _check_lengths(document: MeterDocument, unit: str) -> None:
    """Refuse what a stored meter has no room for: an event's own type may be longer."""
    for field, text, most in (
        ("event_type", document.event_type, MOST_TYPE),
        ("value_property", document.value_property or "", MOST_PATH),
        ("unit", unit.strip(), MOST_UNIT),
    ):
        if len(text) > most:
            message = msg("最多 {most} 个字符。请缩短。", most=most)
            raise Invalid("meter.too_long", message, errors=[FieldError(field, "meter.too_long", message)])


def is_charged(work: Work, event_type: str) -> bool:
    """Tell whether a delivery was charged from an event of a type, for use cases of billing."""
    charged = exists().where(
        RatedUsage.tenant_id == UsageEvent.tenant_id,
        RatedUsage.event_source == UsageEvent.source,
        RatedUsage.event_id == UsageEvent.event_id,
        UsageEvent.type == event_type,
    )
    return bool(work.session.execute(select(charged)).scalar_one())
