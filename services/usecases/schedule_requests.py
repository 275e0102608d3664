"""A park's request for a schedule, from what it sent to what the engine takes.

The three forms of a twin's request (``twin_requests``), for at most seven days, and beside them the month's peak so far,
a wished cap, and a PV forecast. Checked in full before anything is sold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import numpy as np
from pydantic import Field

from services.formats.documents import Document, read_document
from services.rules.demo_park import demo_week
from services.rules.twin.inputs import TwinRequest
from services.rules.twin.schedule import MOST_DAYS, ScheduleRequest
from services.usecases.twin_requests import TwinDocument, read_park_request
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.work import Work

Kilowatts = Annotated[float, Field(ge=0, le=1e7)]


class DemandDocument(Document):
    """The month's highest metered kW before the schedule begins, and the kW that it should not pass."""

    so_far_kw: Kilowatts = 0.0
    cap_kw: Annotated[float, Field(gt=0, le=1e7)] | None = None


class ScheduleDocument(TwinDocument):
    """A schedule as a park asks for it."""

    demand: DemandDocument = DemandDocument()
    pv_forecast_kw: Annotated[tuple[Kilowatts, ...], Field(max_length=MOST_DAYS * 96)] | None = None


def read_schedule_request(
    work: Work, given: Mapping[str, Any], *, tenant_id: UUID, where: str = "request"
) -> tuple[dict[str, Any], ScheduleRequest]:
    """Return the request in its full form, and what the engine takes.

    Raises Invalid that names every wrong field below ``where``, or the rows of the load file.
    """
    asked = read_document(ScheduleDocument, given, where=where, code="schedule.invalid")
    park = read_park_request(work, asked, demo_week(), tenant_id=tenant_id, where=where)
    _check(asked, park, where)
    forecast = None if asked.pv_forecast_kw is None else np.array(asked.pv_forecast_kw, dtype=np.float64)
    request = ScheduleRequest(park, asked.demand.so_far_kw, asked.demand.cap_kw, forecast)
    return asked.model_dump(mode="json", exclude_none=True), request


def _check(asked: ScheduleDocument, park: TwinRequest, where: str) -> None:
    """Refuse what a schedule cannot be made of."""
    below = f"{where}.park" if asked.park is not None else f"{where}.site"
    wrong: dict[str, Message] = {}
    hours = park.horizon.steps * park.horizon.hours
    if hours > MOST_DAYS * 24 + 1:
        field = where if asked.demo else f"{below}.period" if asked.park is not None else f"{where}.artefact_id"
        wrong[field] = msg("排程最多 {days} 天，请只提交要排程的日子。", days=MOST_DAYS)
    if not park.processes and not (park.battery.kwh > 0 and park.battery.kw > 0):
        wrong[f"{below}.processes"] = msg("请至少填写一道可移动的工序或一套储能，否则没有可优化的内容。")
    if asked.pv_forecast_kw is not None and len(asked.pv_forecast_kw) != park.horizon.steps:
        wrong[f"{where}.pv_forecast_kw"] = msg(
            "应有 {steps} 个值，实有 {count} 个。", steps=park.horizon.steps, count=len(asked.pv_forecast_kw)
        )
    if wrong:
        errors = [FieldError(field, "schedule.field", message) for field, message in wrong.items()]
        raise Invalid("schedule.invalid", msg("请求中有 {count} 处需要修改。", count=len(wrong)), errors=errors)
