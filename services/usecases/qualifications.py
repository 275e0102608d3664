"""Qualifications of persons, for parks: asking for one, how it stands, and refusing who has none on the day of a slot.

A qualification is known by its provider and its name, so one grant is good for all instruments that name it. What a
provider decides, see ``qualification_decisions``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import psycopg
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from services.rules.qualifications import (
    LONGEST_EVIDENCE,
    Asked,
    QualificationState,
    QualificationStep,
    state_on,
    valid_until,
)
from services.store.qualifications import QualificationDecision, QualificationRequest
from services.usecases.artefacts import ArtefactContent, file_of, open_artefact
from services.usecases.instruments import InstrumentView, read_instrument
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit, onboarding, people

UNQUALIFIED = "MK012"
"""The error state of the policies that keep the unqualified out."""


@dataclass(frozen=True)
class StepView:
    """A step of a named person of the provider; ``valid_until`` is the last day of a grant."""

    number: int
    step: QualificationStep
    valid_until: date | None
    reason: str
    taken_by: UUID
    taken_by_name: str
    taken_at: datetime


@dataclass(frozen=True)
class QualificationView:
    """A person's request with what became of it, and how it stands today."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    provider_name: str
    qualification: str
    person_id: UUID
    person_name: str
    number: int
    evidence: str
    artefact_id: UUID | None
    asked_at: datetime
    steps: tuple[StepView, ...]
    state: QualificationState

    @property
    def valid_until(self) -> date | None:
        """The last day of its grant, None where it has none or none any more."""
        return _asked(self).holds_until


@dataclass(frozen=True)
class Standing:
    """What an instrument asks for, and how the acting person stands with it today."""

    instrument_id: UUID
    qualification: str
    training: str
    state: QualificationState
    valid_until: date | None


def ask(work: Work, *, instrument_id: UUID, evidence: str, artefact_id: UUID | None = None) -> QualificationView:
    """Ask an instrument's provider for the qualification that it names, for the acting person.

    ``artefact_id`` is a file of the own park. Raises NotFound for an instrument or file that is not there, Invalid without
    evidence or for an instrument that asks for nothing, Conflict ``qualification.open`` while an earlier request waits.
    """
    work.actor.require(Permission.ASK_QUOTE)
    person, park_id = work.actor.require_person(), work.actor.require_tenant()
    instrument = read_instrument(work, instrument_id=instrument_id)
    words = evidence.strip()
    _check_wish(instrument, words)
    if artefact_id is not None:
        open_artefact(work, artefact_id=artefact_id)
    earlier = _of_person(work, park_id, instrument, person)
    if any(each.state is QualificationState.REQUESTED for each in earlier):
        raise _open_still()
    request_id, provider_id = new_id(), instrument.provider_id
    row = {
        "tenant_id": park_id,
        "id": request_id,
        "provider_id": provider_id,
        "provider_name": onboarding.park_names(work, park_ids=[provider_id]).get(provider_id, "—"),
        "qualification": instrument.facts.qualification,
        "person_id": person,
        "person_name": people.acting_name(work)[:200],
        "number": max((each.number for each in earlier), default=0) + 1,
        "evidence": words,
        "artefact_id": artefact_id,
        "asked_at": work.now,
    }
    if not rows_written(work.session, insert(QualificationRequest).values(row).on_conflict_do_nothing()):
        raise _open_still()
    audit.record(work, "qualification.ask", "qualification", request_id, qualification=row["qualification"])
    return read_request(work, request_id=request_id)


def list_requests(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[QualificationView]:
    """Return the requests that concern the acting person, the latest first: those to the own provider, those of the own
    park for who manages its members, else the person's own.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(QualificationRequest).where(*_reach(work))
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(tuple_(QualificationRequest.asked_at, QualificationRequest.id) < before)
    query = query.order_by(QualificationRequest.asked_at.desc(), QualificationRequest.id.desc())
    rows = work.session.execute(query.limit(check_limit(limit) + 1)).scalars().all()
    views = _views(work, rows)
    return page_of(views, limit, lambda each: each, lambda each: (each.asked_at, each.id))


def read_request(work: Work, *, request_id: UUID) -> QualificationView:
    """Return a request that concerns the acting person, see ``list_requests``; NotFound for any other."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(QualificationRequest).where(QualificationRequest.id == request_id, *_reach(work))
    found = _views(work, work.session.execute(query).scalars().all())
    if not found:
        raise NotFound("qualification.not_found", msg("没有找到该资质申请。请从“上机资质”页中打开。"))
    return found[0]


def open_evidence(work: Work, *, request_id: UUID) -> ArtefactContent:
    """Return the file that a request came with; NotFound where there is none, or the request is another's."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = read_request(work, request_id=request_id)
    if found.artefact_id is None:
        raise NotFound("qualification.no_file", msg("该申请没有附文件。"))
    return file_of(work, found.park_id, found.artefact_id)


def standings(work: Work, *, instruments: Collection[InstrumentView]) -> dict[UUID, Standing]:
    """Return how the acting person of a park stands today with each of the instruments that ask for a qualification."""
    work.actor.require(Permission.READ_CATALOGUE)
    asking = [each for each in instruments if each.facts.qualification]
    park_id, person = work.actor.tenant_id, work.actor.user_id
    if park_id is None or not asking:
        return {}
    known: dict[tuple[UUID, str], list[Asked]] = {}
    if person is not None:
        mine = (QualificationRequest.tenant_id == park_id, QualificationRequest.person_id == person)
        for each in _views(work, work.session.execute(select(QualificationRequest).where(*mine)).scalars().all()):
            known.setdefault((each.provider_id, each.qualification), []).append(_asked(each))
    today = work.now.astimezone(CHINA).date()
    found: dict[UUID, Standing] = {}
    for one in asking:
        facts, asked = one.facts, known.get((one.provider_id, one.facts.qualification), [])
        found[one.id] = Standing(
            one.id, facts.qualification, facts.training, state_on(asked, today), valid_until(asked)
        )
    return found


def refuse_unqualified(
    work: Work, *, instrument: InstrumentView, at: datetime, person: UUID | None, where: str | None = None
) -> None:
    """Raise Conflict ``booking.not_qualified``, with the remedy, for a person of the acting park that may not use an
    instrument on the day of ``at``; ``where`` is the field that named the person.
    """
    work.actor.require(Permission.ASK_QUOTE)
    refuser(work, instrument, person, where)(at)


def refuser(
    work: Work, instrument: InstrumentView, person: UUID | None, where: str | None = None
) -> Callable[[datetime], None]:
    """Return what refuses moments as ``refuse_unqualified`` does, for use cases that have asked for their own permission."""
    needed = instrument.facts
    if not needed.qualification:
        return _let_in
    park_id = work.actor.require_tenant()
    asked = [] if person is None else [_asked(each) for each in _of_person(work, park_id, instrument, person)]

    def refuse(at: datetime) -> None:
        day = at.astimezone(CHINA).date()
        state = state_on(asked, day)
        if state is not QualificationState.VALID:
            reason = _reason(person, state, valid_until(asked))
            raise _refusal(instrument.name, needed.qualification, needed.training, day, reason, where)

    return refuse


@contextmanager
def keeping_out() -> Iterator[None]:
    """Tell the database's refusal of a booking as ``refuse_unqualified`` would; the transaction is lost."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig
        if not isinstance(cause, psycopg.Error) or cause.sqlstate != UNQUALIFIED:
            raise
        said = json.loads(cause.diag.message_detail or "{}")
        day = datetime.fromisoformat(said["at"]).astimezone(CHINA).date()
        reason = msg("使用人没有有效的资质")
        raise _refusal(said["instrument"], said["qualification"], said["training"], day, reason, None) from error


def _check_wish(instrument: InstrumentView, evidence: str) -> None:
    """Refuse a wish for what an instrument does not ask for, and one without evidence."""
    if not instrument.facts.qualification:
        raise _wrong("instrument_id", "qualification.not_needed", msg("该仪器不要求资质，可直接预约。"))
    if not evidence or len(evidence) > LONGEST_EVIDENCE:
        wrong = msg("请用 1 至 {limit} 个字说明培训情况和佐证。", limit=LONGEST_EVIDENCE)
        raise _wrong("evidence", "qualification.evidence", wrong)


def _let_in(at: datetime) -> None:
    """Refuse nobody."""


def _refusal(
    instrument: str, qualification: str, training: str, day: date, reason: Message, where: str | None
) -> Conflict:
    said = msg(
        "使用“{instrument}”须持有“{qualification}”，并在 {day} 有效：{reason}。培训方式：{training} "
        "使用人可在“上机资质”页提交申请和佐证，由服务机构审核。",
        instrument=instrument,
        qualification=qualification,
        day=day.isoformat(),
        reason=reason,
        training=training,
    )
    errors = [] if where is None else [FieldError(where, "booking.not_qualified", said)]
    return Conflict("booking.not_qualified", said, errors=errors)


def _reason(person: UUID | None, state: QualificationState, until: date | None) -> Message:
    if person is None:
        return msg("预约没有写明使用人")
    match state:
        case QualificationState.REQUESTED:
            return msg("使用人的申请正在审核")
        case QualificationState.DECLINED:
            return msg("使用人的申请未获通过")
        case QualificationState.REVOKED:
            return msg("使用人的资质已被撤销")
        case QualificationState.EXPIRED:
            return msg("使用人的资质有效至 {until}", until="—" if until is None else until.isoformat())
        case _:
            return msg("使用人尚未申请")


def _of_person(work: Work, park_id: UUID, instrument: InstrumentView, person: UUID) -> tuple[QualificationView, ...]:
    query = select(QualificationRequest).where(
        QualificationRequest.tenant_id == park_id,
        QualificationRequest.provider_id == instrument.provider_id,
        QualificationRequest.person_id == person,
        QualificationRequest.qualification == instrument.facts.qualification,
    )
    return _views(work, work.session.execute(query).scalars().all())


def _reach(work: Work) -> tuple[ColumnElement[bool], ...]:
    """Return what confines a provider to requests to it, a park's manager to those of the park, others to their own."""
    if work.actor.tenant_id is None:
        work.actor.require(Permission.DECIDE_QUALIFICATION)
        return (QualificationRequest.provider_id == work.actor.organisation_id,)
    own = QualificationRequest.tenant_id == work.actor.tenant_id
    if work.actor.may(Permission.MANAGE_MEMBERS):
        return (own,)
    return own, QualificationRequest.person_id == work.actor.user_id


def _views(work: Work, rows: Sequence[QualificationRequest]) -> tuple[QualificationView, ...]:
    if not rows:
        return ()
    query = select(QualificationDecision).where(
        tuple_(QualificationDecision.tenant_id, QualificationDecision.request_id).in_(
            [(row.tenant_id, row.id) for row in rows]
        )
    )
    steps: dict[UUID, list[StepView]] = {}
    for each in work.session.execute(query.order_by(QualificationDecision.number)).scalars():
        view = StepView(
            each.number, QualificationStep(each.step), each.valid_until, each.reason, each.taken_by,
            each.taken_by_name, each.taken_at,
        )  # fmt: skip
        steps.setdefault(each.request_id, []).append(view)
    today = work.now.astimezone(CHINA).date()
    return tuple(_view(row, tuple(steps.get(row.id, ())), today) for row in rows)


def _view(row: QualificationRequest, steps: tuple[StepView, ...], today: date) -> QualificationView:
    asked = _standing_of(row.number, steps)
    return QualificationView(
        row.id, row.tenant_id, row.provider_id, row.provider_name, row.qualification, row.person_id, row.person_name,
        row.number, row.evidence, row.artefact_id, row.asked_at, steps, state_on([asked], today),
    )  # fmt: skip


def _asked(view: QualificationView) -> Asked:
    return _standing_of(view.number, view.steps)


def _standing_of(number: int, steps: Sequence[StepView]) -> Asked:
    granted = next((each.valid_until for each in steps if each.step is QualificationStep.GRANTED), None)
    return Asked(number, steps[-1].step if steps else None, granted)


def _open_still() -> Conflict:
    return Conflict("qualification.open", msg("您的上一份申请还在审核。请等待服务机构答复。"))


def _wrong(name: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(name, code, message)])
