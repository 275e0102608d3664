"""Instruments of providers: what they take, how they may be booked, by whom, and when they are down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.catalogue import Delivery
from services.rules.qualifications import LONGEST_NAME as LONGEST_QUALIFICATION
from services.rules.qualifications import LONGEST_TRAINING
from services.rules.slots import Hours
from services.store.bookings import Reservation, in_the_way
from services.store.catalogue import Instrument
from services.usecases.catalogue import OfferingView, read_offering, refuse_fields
from services.usecases.instrument_versions import keep_version
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit
from tenants.usecases.named_parks import NamedPark, read_named_parks

USUAL = Hours(9, 17, 60)
MOST_PARKS = 200
"""Parks that one private instrument may name."""
MOST_METHODS = 50
LONGEST_NAME = 200
LONGEST_LINE = 100
_LIMITS = tuple(each.name for each in fields(Hours) if each.name not in {"opens", "closes"})


@dataclass(frozen=True)
class Facts:
    """What an instrument is, and where: facility, address, methods, standards and kinds of samples it takes.

    ``qualification`` is what a person must hold to use it, ``training`` how to come by it; both empty for nothing.
    """

    name: str
    region_code: str
    facility: str = ""
    location: str = ""
    methods: tuple[str, ...] = ()
    standards: tuple[str, ...] = ()
    sample_kinds: tuple[str, ...] = ()
    qualification: str = ""
    training: str = ""

    def tidy(self) -> Facts:
        """Return them without white space around them and without empty lines."""
        tidied: dict[str, Any] = {
            name: _lines(value) if isinstance(value, tuple) else value.strip() for name, value in asdict(self).items()
        }
        return Facts(**tidied)

    def wrong(self) -> dict[str, Message]:
        """Return what is wrong, by field."""
        wrong: dict[str, Message] = {}
        if not self.name.strip() or len(self.name) > LONGEST_NAME:
            wrong["name"] = msg("须为 1 至 {limit} 个字符。", limit=LONGEST_NAME)
        if len(self.region_code) != 6 or not self.region_code.isascii() or not self.region_code.isdecimal():
            wrong["region_code"] = msg("须为六位行政区划代码。")
        for name in ("facility", "location"):
            if len(getattr(self, name)) > LONGEST_NAME:
                wrong[name] = msg("不超过 {limit} 个字符。", limit=LONGEST_NAME)
        for name in ("methods", "standards", "sample_kinds"):
            lines = getattr(self, name)
            if len(lines) > MOST_METHODS or any(len(line) > LONGEST_LINE for line in lines):
                wrong[name] = msg("最多 {most} 项，每项不超过 {limit} 个字符。", most=MOST_METHODS, limit=LONGEST_LINE)
        return wrong | self._wrong_qualification()

    def _wrong_qualification(self) -> dict[str, Message]:
        limits = {"qualification": LONGEST_QUALIFICATION, "training": LONGEST_TRAINING}
        wrong: dict[str, Message] = {
            name: msg("不超过 {limit} 个字符。", limit=limit)
            for name, limit in limits.items()
            if len(getattr(self, name)) > limit
        }
        if self.qualification.strip() and not self.training.strip():
            wrong["training"] = msg("请说明使用人如何取得该资质，如培训的时间、地点和联系人。")
        if self.training.strip() and not self.qualification.strip():
            wrong["qualification"] = msg("请填写资质的名称，或清空培训方式。")
        return wrong


@dataclass(frozen=True)
class InstrumentView:
    """An instrument and how it may be booked (Asia/Shanghai, working days)."""

    id: UUID
    provider_id: UUID
    offering: str
    facts: Facts
    hours: Hours
    parks: tuple[NamedPark, ...] | None = None
    """Who may book it, None for everybody. A park is told of itself alone."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.facts.name

    @property
    def region_code(self) -> str:
        """The administrative division it stands in."""
        return self.facts.region_code

    @property
    def methods(self) -> tuple[str, ...]:
        """What it measures by."""
        return self.facts.methods

    @property
    def units(self) -> int:
        """How many like units it stands for."""
        return self.hours.units

    @property
    def slot_minutes(self) -> int:
        """Length of a slot."""
        return self.hours.slot_minutes


def visible(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Return what confines instruments to those that ``actor`` may know of: open ones, its own, those that name it. What acts
    for a park by itself knows what the park does.
    """
    if actor.tenant_id is None and (actor.may(Permission.MANAGE_CATALOGUE) or actor.organisation_id is None):
        return ()
    whose = actor.tenant_id or actor.organisation_id
    return (or_(Instrument.parks.is_(None), Instrument.provider_id == whose, Instrument.parks.contains([whose])),)


def list_instruments(work: Work, *, offering: str | None = None, own: bool = False) -> tuple[InstrumentView, ...]:
    """Return the instruments that the acting person may know of, by name; ``own``: the acting provider's."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(Instrument).where(*visible(work.actor)).order_by(Instrument.name, Instrument.id)
    if offering is not None:
        query = query.where(Instrument.offering == offering)
    if own:
        query = query.where(Instrument.provider_id == work.actor.organisation_id)
    views = tuple(instrument_view(row) for row in work.session.execute(query).scalars())
    return tuple(_named(work, view) for view in views)


def read_instrument(work: Work, *, instrument_id: UUID, offering: str | None = None) -> InstrumentView:
    """Return one instrument, of an offering if named; NotFound for none, or a private one of others."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(Instrument).where(Instrument.id == instrument_id, *visible(work.actor))
    if offering is not None:
        query = query.where(Instrument.offering == offering)
    row = work.session.execute(query).scalar_one_or_none()
    if row is None:
        raise _no_instrument()
    return _named(work, instrument_view(row))


def read_booked(work: Work, *, instrument_id: UUID) -> tuple[InstrumentView, bool]:
    """Return an instrument of which the acting park has an open booking, and whether it may still book it: a provider may
    have closed it to the park since. NotFound for any other that it may not know of.
    """
    work.actor.require(Permission.READ_ORDER)
    row = work.session.execute(select(Instrument).where(Instrument.id == instrument_id)).scalar_one_or_none()
    if row is None:
        raise _no_instrument()
    view = _named(work, instrument_view(row))
    return view, row.parks is None or work.actor.tenant_id in row.parks


def add_instrument(
    work: Work,
    *,
    offering: str,
    name: str,
    region_code: str,
    methods: Sequence[str] = (),
    hours: Hours = USUAL,
    parks: Sequence[str] | None = None,
) -> InstrumentView:
    """Put an instrument behind anybody's inspection offering (operators), as ``install`` does behind an own one."""
    work.actor.require(Permission.MANAGE_CATALOGUE)
    facts = Facts(name, region_code, methods=tuple(methods))
    return _install(work, read_offering(work, slug=offering), facts, hours, parks, {})


def install(
    work: Work, *, offering: str, facts: Facts, hours: Hours = USUAL, parks: Sequence[str] | None = None
) -> InstrumentView:
    """Put an instrument behind an own inspection offering; ``parks`` by their credit codes, None for all.

    Slots are whole hours long, because hours are what is metered, and fill the opening hours exactly. Raises Invalid
    with every wrong field.
    """
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    offered = read_offering(work, slug=offering)
    wrong: dict[str, Message] = {}
    if offered.provider_id != work.actor.organisation_id:
        wrong["offering"] = msg("请选择本机构的检验检测服务。")
    return _install(work, offered, facts, hours, parks, wrong)


def _install(
    work: Work,
    offered: OfferingView,
    facts: Facts,
    hours: Hours,
    parks: Sequence[str] | None,
    wrong: dict[str, Message],
) -> InstrumentView:
    """Enter an instrument unless something is ``wrong``, with what is found wrong here."""
    wrong |= _wrong_terms(hours) | facts.wrong()
    if offered.delivery is not Delivery.INSPECTION:
        wrong["offering"] = msg("只有检验检测类服务可以登记仪器。")
    named = _find_parks(work, parks, wrong)
    refuse_fields(wrong)
    instrument_id = new_id()
    row = {
        "provider_id": offered.provider_id,
        "id": instrument_id,
        "offering": offered.slug,
        **_terms(hours, facts, named),
    }
    work.session.execute(insert(Instrument).values(row))
    _keep(work, offered.provider_id, instrument_id, facts, hours, named)
    audit.record(work, "instrument.add", "instrument", instrument_id, offering=offered.slug)
    return read_instrument(work, instrument_id=instrument_id)


def change_instrument(
    work: Work,
    *,
    instrument_id: UUID,
    methods: Sequence[str] | None = None,
    hours: Hours,
    parks: Sequence[str] | None,
    facts: Facts | None = None,
) -> InstrumentView:
    """Set what an own instrument is and how it may be booked from now on; what is booked stays as it was booked.

    ``facts`` None keeps them; ``methods`` then replaces the methods alone. Every change is kept as a version.

    ``parks`` are credit codes of those that may see and book it, None for everybody. Raises NotFound for another
    provider's, Invalid with every wrong field, Conflict ``instrument.unit_in_use`` for a unit to be given up that is
    booked or in maintenance from now on.
    """
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    before = lock_own(work, instrument_id)
    facts = facts or (before.facts if methods is None else replace(before.facts, methods=tuple(methods)))
    wrong = _wrong_terms(hours) | facts.wrong()
    named = _find_parks(work, parks, wrong)
    refuse_fields(wrong)
    if hours.units < before.units:
        _check_given_up(work, before, hours.units)
    work.session.execute(
        update(Instrument)
        .where(Instrument.provider_id == before.provider_id, Instrument.id == instrument_id)
        .values(_terms(hours, facts, named))
        .execution_options(synchronize_session=False)
    )
    work.session.expire_all()
    _keep(work, before.provider_id, instrument_id, facts, hours, named)
    audit.record(work, "instrument.change", "instrument", instrument_id, private=named is not None, units=hours.units)
    return read_instrument(work, instrument_id=instrument_id)


def lock_own(work: Work, instrument_id: UUID) -> InstrumentView:
    """Return an own instrument, locked against reservations until the end of the work; NotFound for another's."""
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    query = select(Instrument).where(
        Instrument.id == instrument_id, Instrument.provider_id == work.actor.organisation_id
    )
    row = work.session.execute(query.with_for_update()).scalar_one_or_none()
    if row is None:
        raise _no_instrument()
    return instrument_view(row)


def instrument_view(row: Instrument) -> InstrumentView:
    """Return the view of an instrument's row, its parks by id alone."""
    hours = Hours(row.opens_hour, row.closes_hour, **{name: getattr(row, name) for name in _LIMITS})
    parks = None if row.parks is None else tuple(NamedPark(park_id, "", "") for park_id in row.parks)
    facts = Facts(
        row.name,
        row.region_code,
        row.facility,
        row.location,
        tuple(row.methods),
        tuple(row.standards),
        tuple(row.sample_kinds),
        row.qualification,
        row.training,
    )
    return InstrumentView(row.id, row.provider_id, row.offering, facts, hours, parks)


def _named(work: Work, view: InstrumentView) -> InstrumentView:
    """Return the view with its parks by name: all of them to whom it belongs, a park's own to a park."""
    if view.parks is None:
        return view
    ids = {each.id for each in view.parks}
    if work.actor.tenant_id is not None:
        ids &= {work.actor.tenant_id}
    return replace(view, parks=read_named_parks(work, ids=ids))


def _terms(hours: Hours, facts: Facts, parks: list[UUID] | None) -> dict[str, Any]:
    return {
        **_plain(facts),
        "opens_hour": hours.opens,
        "closes_hour": hours.closes,
        **{name: getattr(hours, name) for name in _LIMITS},
        "parks": parks,
    }


def _lines(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line.strip() for line in given if line.strip())


def _plain(facts: Facts) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(facts.tidy()).items()}


def _keep(
    work: Work, provider_id: UUID, instrument_id: UUID, facts: Facts, hours: Hours, parks: list[UUID] | None
) -> None:
    names = None if parks is None else [str(each) for each in parks]
    document = _plain(facts) | asdict(hours) | {"parks": names}
    keep_version(work, provider_id=provider_id, instrument_id=instrument_id, document=document)


def _wrong_terms(hours: Hours) -> dict[str, Message]:
    wrong: dict[str, Message] = {}
    problem = hours.problem()
    if problem in {"hours", "slot_minutes"}:
        wrong[problem] = msg("开放时间须在 0 至 24 点之间，每档须为整小时并恰好分满开放时间。")
    elif problem is not None:
        wrong[problem] = msg("数值超出允许范围，或与其他限制矛盾。请核对。")
    return wrong


def _find_parks(work: Work, usccs: Sequence[str] | None, wrong: dict[str, Message]) -> list[UUID] | None:
    """Return the parks of these credit codes, noting in ``wrong`` those that no park has."""
    if usccs is None:
        return None
    wanted = {code.strip().upper() for code in usccs if code.strip()}
    if not wanted or len(wanted) > MOST_PARKS:
        wrong["parks"] = msg("不公开的仪器须指定 1 至 {most} 个园区。", most=MOST_PARKS)
        return []
    found = read_named_parks(work, usccs=wanted)
    if missing := wanted - {each.uscc for each in found}:
        wrong["parks"] = msg("没有使用该统一社会信用代码的园区：{codes}。", codes="、".join(sorted(missing)[:5]))
    return sorted(each.id for each in found)


def _check_given_up(work: Work, instrument: InstrumentView, units: int) -> None:
    query = select(func.max(Reservation.unit)).where(
        Reservation.provider_id == instrument.provider_id,
        Reservation.instrument_id == instrument.id,
        in_the_way(work.now),
        Reservation.unit > units,
        func.upper(Reservation.during) > work.now,
    )
    if (highest := work.session.execute(query).scalar_one()) is not None:
        raise Conflict(
            "instrument.unit_in_use",
            msg("第 {unit} 台还有预约或维护，暂不能减少台数。请待其结束或先行取消。", unit=highest),
        )


def _no_instrument() -> NotFound:
    return NotFound("instrument.not_found", msg("没有找到该仪器。请重新查询可预约时段。"))
