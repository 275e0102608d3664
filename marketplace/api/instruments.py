"""Instruments: how they may be booked, which their provider keeps, and when they are down."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment, Name, Parameters, Slug
from marketplace.doors.identity import working
from services.rules.qualifications import LONGEST_NAME, LONGEST_TRAINING
from services.rules.slots import FURTHEST, LONGEST_BUFFER, MOST_SLOTS, MOST_UNITS, Hours
from services.usecases import instrument_versions, maintenance
from services.usecases import instruments as use_cases
from services.usecases.instruments import MOST_METHODS, MOST_PARKS, Facts, InstrumentView
from tenants.kernel.work import Work

instruments = noun("instruments", "Instruments that can be booked, their limits and their maintenance.")

Hour = Annotated[int, Field(ge=0, le=24, strict=True, description="Full hour, Asia/Shanghai")]
RegionCode = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Buffer = Annotated[int, Field(ge=0, le=LONGEST_BUFFER, strict=True)]


class InstrumentTerms(Body):
    """How an instrument may be booked. Buffers belong to the booking's exclusion, not to its price."""

    name: Name | None = Field(None, description="Null keeps all that says what the instrument is")
    facility: str = Field("", max_length=200)
    location: str = Field("", max_length=200)
    region_code: RegionCode | None = None
    methods: list[str] = Field(default_factory=list, max_length=MOST_METHODS)
    standards: list[str] = Field(default_factory=list, max_length=MOST_METHODS)
    sample_kinds: list[str] = Field(default_factory=list, max_length=MOST_METHODS)
    qualification: str = Field(
        "", max_length=LONGEST_NAME, description="What a person must hold to use it; with training, or both empty"
    )
    training: str = Field("", max_length=LONGEST_TRAINING, description="How to come by the qualification")
    opens_hour: Hour
    closes_hour: Hour
    slot_minutes: int = Field(ge=60, le=1440, strict=True, description="Whole hours, filling the opening hours exactly")
    min_slots: int = Field(1, ge=1, le=MOST_SLOTS, strict=True)
    max_slots: int = Field(MOST_SLOTS, ge=1, le=MOST_SLOTS, strict=True)
    before_minutes: Buffer = 0
    after_minutes: Buffer = 0
    min_notice_minutes: int = Field(0, ge=0, le=FURTHEST.days * 1440, strict=True)
    max_notice_days: int = Field(FURTHEST.days, ge=1, le=FURTHEST.days, strict=True)
    units: int = Field(1, ge=1, le=MOST_UNITS, strict=True, description="Like units; a booking takes a free one")
    park_usccs: list[str] | None = Field(
        None, max_length=MOST_PARKS, description="Credit codes of the only parks that may see and book it; null for all"
    )

    @property
    def hours(self) -> Hours:
        """The terms as the rules of slots take them."""
        names = {each.name for each in fields(Hours)} - {"opens", "closes"}
        return Hours(self.opens_hour, self.closes_hour, **self.model_dump(include=names))

    @property
    def facts(self) -> Facts | None:
        """What the instrument is, None where no name is given."""
        if self.name is None:
            return None
        lists = (tuple(self.methods), tuple(self.standards), tuple(self.sample_kinds))
        return Facts(
            self.name, self.region_code or "", self.facility, self.location, *lists, self.qualification, self.training
        )


class NewInstrument(InstrumentTerms):
    """An instrument behind an own inspection offering."""

    offering: Slug
    name: Name
    region_code: RegionCode


class NamedParkAnswer(Answer):
    """A park that may book a private instrument."""

    id: UUID
    name: str
    uscc: str


class Instrument(Answer):
    """An instrument and its terms; ``parks`` is null where everybody may book, and tells a park of itself alone."""

    id: UUID
    offering: str
    name: str
    facility: str
    location: str
    region_code: str
    methods: list[str]
    standards: list[str]
    sample_kinds: list[str]
    qualification: str
    training: str
    opens_hour: int
    closes_hour: int
    slot_minutes: int
    min_slots: int
    max_slots: int
    before_minutes: int
    after_minutes: int
    min_notice_minutes: int
    max_notice_days: int
    units: int
    parks: list[NamedParkAnswer] | None

    @classmethod
    def shown(cls, view: InstrumentView) -> Instrument:
        """Return the answer that shows ``view``."""
        hours = view.hours
        return cls(
            id=view.id,
            offering=view.offering,
            name=view.name,
            facility=view.facts.facility,
            location=view.facts.location,
            region_code=view.region_code,
            methods=list(view.methods),
            standards=list(view.facts.standards),
            sample_kinds=list(view.facts.sample_kinds),
            qualification=view.facts.qualification,
            training=view.facts.training,
            opens_hour=hours.opens,
            closes_hour=hours.closes,
            slot_minutes=hours.slot_minutes,
            min_slots=hours.min_slots,
            max_slots=hours.max_slots,
            before_minutes=hours.before_minutes,
            after_minutes=hours.after_minutes,
            min_notice_minutes=hours.min_notice_minutes,
            max_notice_days=hours.max_notice_days,
            units=hours.units,
            parks=None if view.parks is None else [NamedParkAnswer.of(each) for each in view.parks],
        )


class Instruments(Answer):
    """Instruments by name."""

    items: list[Instrument]
    next_cursor: str | None = None


class InstrumentVersion(Answer):
    """A version of an instrument, and which fields differ from the one before."""

    version: int
    document: dict[str, Any]
    changed: list[str]
    changed_by: str
    changed_at: Moment


class InstrumentVersions(Answer):
    """Versions, the newest first."""

    items: list[InstrumentVersion]
    next_cursor: str | None = None


class InstrumentFilter(Parameters):
    """Which instruments."""

    offering: Slug | None = None


class MaintenancePlan(Body):
    """When an instrument is down, and why."""

    starts_at: Instant
    ends_at: Instant
    reason: str = Field(min_length=1, max_length=200)
    unit: int | None = Field(None, ge=1, le=MOST_UNITS, description="Null for every unit")


class Maintenance(Answer):
    """A time at which a unit is down."""

    id: UUID
    instrument_id: UUID
    unit: int
    starts_at: Moment
    ends_at: Moment
    reason: str


class Maintenances(Answer):
    """Maintenance by its start."""

    items: list[Maintenance]
    next_cursor: str | None = None


class Ended(Answer):
    """Maintenance that holds no time any more."""

    id: UUID


@instruments.get("/instruments", **call(Instruments))
def list_instruments(query: InstrumentFilter) -> Response:
    """List the instruments that the caller may book, or keeps."""
    with working() as work:
        found = use_cases.list_instruments(work, offering=query.offering)
    return show(Instruments(items=[Instrument.shown(each) for each in found]))


@instruments.post("/instruments", **call(Instrument, status=201))
def add_instrument(body: NewInstrument, header: Idempotent) -> Response:
    """Put an instrument behind an own inspection offering."""
    facts = body.facts
    if facts is None:
        raise AssertionError("a new instrument has a name")

    def carry_out(work: Work) -> Instrument:
        made = use_cases.install(work, offering=body.offering, facts=facts, hours=body.hours, parks=body.park_usccs)
        return Instrument.shown(made)

    return command("instrument.add", header, body, carry_out, status=201)


@instruments.get("/instruments/<id>", **call(Instrument))
def read_instrument(path: ById) -> Response:
    """Read an instrument."""
    with working() as work:
        return show(Instrument.shown(use_cases.read_instrument(work, instrument_id=path.id)))


@instruments.put("/instruments/<id>", **call(Instrument))
def change_instrument(path: ById, body: InstrumentTerms) -> Response:
    """Set how an own instrument may be booked from now on."""
    with working() as work:
        changed = use_cases.change_instrument(
            work,
            instrument_id=path.id,
            methods=body.methods,
            hours=body.hours,
            parks=body.park_usccs,
            facts=body.facts,
        )
    return show(Instrument.shown(changed))


@instruments.get("/instruments/<id>/versions", **call(InstrumentVersions))
def list_versions(path: ById) -> Response:
    """List the versions of an own instrument."""
    with working() as work:
        found = instrument_versions.list_versions(work, instrument_id=path.id)
    return show(InstrumentVersions(items=[InstrumentVersion.of(each) for each in found]))


@instruments.get("/instruments/<id>/maintenance", **call(Maintenances))
def list_maintenance(path: ById) -> Response:
    """List when an instrument is down, now or later."""
    with working() as work:
        found = maintenance.list_maintenance(work, instrument_id=path.id)
    return show(Maintenances(items=[Maintenance.of(each) for each in found]))


@instruments.post("/instruments/<id>/maintenance", **call(Maintenances, status=201))
def plan_maintenance(path: ById, body: MaintenancePlan, header: Idempotent) -> Response:
    """Take units of an own instrument out of use; refused where they are booked."""

    def carry_out(work: Work) -> Maintenances:
        made = maintenance.plan_maintenance(
            work,
            instrument_id=path.id,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            reason=body.reason,
            unit=body.unit,
        )
        return Maintenances(items=[Maintenance.of(each) for each in made])

    return command("instrument.maintenance", header, body, carry_out, status=201, about={"id": str(path.id)})


@instruments.post("/maintenance/<id>/end", **call(Ended))
def end_maintenance(path: ById, header: Idempotent) -> Response:
    """Give a unit back before its maintenance was to end."""

    def carry_out(work: Work) -> Ended:
        maintenance.end_maintenance(work, maintenance_id=path.id)
        return Ended(id=path.id)

    return command("instrument.maintenance_end", header, None, carry_out, about={"id": str(path.id)})
