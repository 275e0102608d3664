"""Meters of sites and their readings: taken in as JSON, CSV or from an MQTT broker's webhook, read as series with flags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import numpy as np
from flask import Response, request
from pydantic import Field

from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment, Parameters
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.requests import takes_files
from marketplace.doors.texts import translate
from services.formats.readings import Batch, read_csv_batch, read_json_batch, read_mqtt_batch
from services.rules.monitoring.series import Flag, coarser
from services.usecases import readings as use_cases
from services.usecases import site_meters as meters
from tenants.kernel.work import Work

site_meters = noun("site_meters", "Meters of sites, and what they have read.")

STEPS = {"15m": 1, "1h": 4, "1d": 96}
_VALUE = {
    "type": "array",
    "minItems": 2,
    "maxItems": 3,
    "description": '[stamp, value] or [stamp, value, "estimated"]',
    "items": {},
}
_BATCH = {
    "type": "object",
    "required": ["series"],
    "properties": {
        "series": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["meter", "values"],
                "properties": {
                    "meter": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The meter's code"},
                    "values": {"type": "array", "items": _VALUE},
                },
            },
        }
    },
}
_MESSAGE = {
    "type": "object",
    "required": ["topic", "payload"],
    "properties": {
        "topic": {"type": "string", "description": "Its last level is the meter's code"},
        "payload": {"description": "A number, {value, at?, estimated?} or a list; as JSON, JSON text or base64 of it"},
        "timestamp": {"type": "integer", "description": "Milliseconds since 1970: the stamp of values without one"},
    },
}


def _documented(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "openapi_extensions": {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    }


class MeterTerm(Body):
    """A part of a virtual meter; −1 takes it off."""

    meter_id: UUID
    factor: float = 1.0


class MeterBody(Body):
    """A meter of a site. With ``terms`` it is virtual: a sum of others, which is never changed."""

    code: str = Field(min_length=1, max_length=64, description="What its device calls it; unique in the park")
    name: str = Field(min_length=1, max_length=100)
    measures: str = Field(
        "electricity", description="electricity, cooling, heat, gas, water, temperature, humidity, other"
    )
    unit: str = Field("kWh", max_length=16)
    readings: str = Field("interval", description="interval, cumulative or instant")
    stamps: str = Field("start", description="start or end: which end of its interval a stamp is")
    interval_minutes: int = Field(15, strict=True)
    multiplier: float = Field(1.0, description="What each reading is multiplied by")
    highest: float | None = Field(None, description="Largest reading, or growth of a register in an hour, that can be")
    register_limit: float | None = Field(None, description="Where a register rolls over")
    terms: Annotated[list[MeterTerm], Field(max_length=50)] = Field(default_factory=list)
    is_main: bool = Field(False, description="Whether baseline, anomalies and forecast are made of it")

    def wish(self) -> meters.MeterWish:
        """Return it as the use case takes it."""
        given = self.model_dump(exclude={"terms"})
        return meters.MeterWish(**given, terms=[(term.meter_id, term.factor) for term in self.terms])


class Watched(Body):
    """Whether a meter is watched."""

    is_main: bool


class TermAnswer(Answer):
    """A part of a virtual meter."""

    meter_id: UUID
    factor: float


class SiteMeter(Answer):
    """A meter of a site."""

    id: UUID
    site_id: UUID
    code: str
    name: str
    measures: str
    unit: str
    readings: str
    stamps: str
    interval_minutes: int
    multiplier: float
    highest: float | None
    register_limit: float | None
    terms: list[TermAnswer]
    is_main: bool
    last_at: Moment | None
    last_value: float | None
    last_received_at: Moment | None
    created_at: Moment
    closed_at: Moment | None


class SiteMeters(Answer):
    """Meters by code."""

    items: list[SiteMeter]
    next_cursor: str | None = None


class Refused(Answer):
    """A reading that was not taken."""

    field: str
    code: str
    detail: str


class TakenReadings(Answer):
    """What became of a batch. Readings that replaced another of the same stamp have a new version."""

    accepted: int
    replaced: int
    unchanged: int
    refused_count: int
    refused: list[Refused] = Field(description="The first fifty")


class IntakeQuery(Parameters):
    """How a batch with wrong readings is met."""

    partial: bool = Field(False, description="Take what can be right and answer what was refused")


class CsvQuery(IntakeQuery):
    """Whose file it is."""

    meter: str | None = Field(None, max_length=64, description="The meter's code, for a file time,value")


class SeriesQuery(Parameters):
    """Which part of a series, and how coarse."""

    from_: Instant | None = Field(None, alias="from", description="A week before the end, if not given")
    to: Instant | None = Field(None, description="Now, if not given")
    step: Literal["15m", "1h", "1d"] = "15m"


class SeriesAnswer(Answer):
    """A series of equal steps; null is missing. ``flags`` are sums of the bits that ``flag_bits`` names."""

    start: Moment
    step_seconds: int
    is_level: bool
    unit: str
    coverage: float
    values: list[float | None]
    flags: list[int]
    flag_bits: dict[str, int]


class VersionQuery(Parameters):
    """Which reading."""

    at: Instant | None = Field(None, description="Its stamp; the last hundred replaced readings, if not given")


class ReadingVersion(Answer):
    """A value that a reading has had."""

    at: Moment
    version: int
    value: float
    estimated: bool
    received_at: Moment
    replaced_at: Moment | None


class ReadingVersions(Answer):
    """The values of a reading, the one that stands last."""

    items: list[ReadingVersion]
    next_cursor: str | None = None


@site_meters.get("/sites/<id>/meters", **call(SiteMeters))
def list_site_meters(path: ById) -> Response:
    """List a site's meters."""
    with working() as work:
        found = meters.list_meters(work, site_id=path.id)
        return show(SiteMeters(items=[SiteMeter.of(each) for each in found]))


@site_meters.post("/sites/<id>/meters", **call(SiteMeter, status=201))
def add_site_meter(path: ById, body: MeterBody, header: Idempotent) -> Response:
    """Enter a meter of a site."""
    return command(
        "site_meter.add",
        header,
        body,
        lambda work: SiteMeter.of(meters.add_meter(work, site_id=path.id, wish=body.wish())),
        status=201,
        about={"site": str(path.id)},
    )


@site_meters.get("/site-meters/<id>", **call(SiteMeter))
def read_site_meter(path: ById) -> Response:
    """Read a meter."""
    return read(SiteMeter, lambda work: meters.read_meter(work, meter_id=path.id))


@site_meters.post("/site-meters/<id>/watching", **call(SiteMeter))
def watch_site_meter(path: ById, body: Watched, header: Idempotent) -> Response:
    """Say whether baseline, anomalies and forecast are made of a meter."""
    return command(
        "site_meter.watch",
        header,
        body,
        lambda work: SiteMeter.of(meters.watch_meter(work, meter_id=path.id, is_main=body.is_main)),
        about={"meter": str(path.id)},
    )


@site_meters.post("/site-meters/<id>/closing", **call(SiteMeter))
def close_site_meter(path: ById, header: Idempotent) -> Response:
    """Take no more readings of a meter."""
    return command(
        "site_meter.close",
        header,
        None,
        lambda work: SiteMeter.of(meters.close_meter(work, meter_id=path.id)),
        about={"meter": str(path.id)},
    )


@site_meters.post("/readings", **call(TakenReadings), **_documented(_BATCH))
@takes_files
def send_readings(query: IntakeQuery) -> Response:
    """Take in readings by meter, up to 200,000 at once.

    The same value again changes nothing, another value of the same stamp is a new version. One wrong reading refuses
    the batch, unless ``partial``.
    """
    return _take(read_json_batch(request.get_json()), partial=query.partial)


@site_meters.post(
    "/readings/mqtt", **call(TakenReadings), **_documented({"oneOf": [_MESSAGE, {"type": "array", "items": _MESSAGE}]})
)
@takes_files
def send_mqtt_readings(query: IntakeQuery) -> Response:
    """Take in what an MQTT broker's webhook sends: a message or a list. The platform runs no broker of its own."""
    return _take(read_mqtt_batch(request.get_json()), partial=query.partial)


@site_meters.post("/readings/csv", **call(TakenReadings), **file_body("text/csv"))
@takes_files
def send_csv_readings(query: CsvQuery) -> Response:
    """Take in a CSV file: ``meter,time,value``, or ``time`` and a column for each meter's code."""
    return _take(read_csv_batch(sent_file().content, meter=query.meter), partial=query.partial)


@site_meters.get("/site-meters/<id>/series", **call(SeriesAnswer))
def read_meter_series(path: ById, query: SeriesQuery) -> Response:
    """Read a meter's series on a grid, with a flag for everything that was done to it."""

    def ask(work: Work) -> dict[str, object]:
        meter = meters.read_meter(work, meter_id=path.id)
        end = query.to or work.now
        fine = use_cases.read_series(work, meter=meter, start=query.from_ or end - timedelta(days=7), end=end)
        series = coarser(fine, STEPS[query.step]) if STEPS[query.step] > 1 else fine
        return {
            "start": datetime.fromtimestamp(series.start, UTC),
            "step_seconds": series.step,
            "is_level": series.is_level,
            "unit": meter.unit,
            "coverage": round(series.coverage, 4),
            "values": [None if np.isnan(value) else round(value, 6) for value in series.values.tolist()],
            "flags": series.flags.tolist(),
            "flag_bits": {flag.name.lower(): int(flag) for flag in Flag if flag.name},
        }

    return read(SeriesAnswer, ask)


@site_meters.get("/site-meters/<id>/versions", **call(ReadingVersions))
def list_reading_versions(path: ById, query: VersionQuery) -> Response:
    """List the values that a reading has had, or the readings that were replaced last."""
    with working() as work:
        found = use_cases.list_versions(work, meter_id=path.id, at=query.at)
        return show(ReadingVersions(items=[ReadingVersion.of(each) for each in found]))


def _take(batch: Batch, *, partial: bool) -> Response:
    with working() as work:
        taken = use_cases.take_in(work, batch=batch, partial=partial)
    refused = [
        Refused(field=each.field, code=each.code, detail=translate(each.message, reader_language()))
        for each in taken.refused
    ]
    return show(
        TakenReadings(
            accepted=taken.accepted,
            replaced=taken.replaced,
            unchanged=taken.unchanged,
            refused_count=taken.refused_count,
            refused=refused,
        )
    )
