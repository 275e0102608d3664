"""Agreements on joint facilities: the province writes a version, or a park proposes one (``joint_proposals``), every party
signs it, and another person registers it.

A version is in force once it is registered, and that needs every signature. What is to change is a new version, which
all sign again; registered, it ends the version before it on the day it begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from fractions import Fraction
from uuid import UUID

from billing.rules.joint_agreements import (
    PartyRole,
    Share,
    Terms,
    capital_parts,
    check_terms,
    entitlements,
    foreseen,
    seal,
)
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import joint_agreements as store
from billing.store.joint_agreements import JointAgreement, JointParty
from billing.usecases.joint_carry import carry_into_version
from billing.usecases.joint_years import refit_ended
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit, onboarding

WRITTEN, REGISTERED = "joint_agreement.written", "joint_agreement.registered"


@dataclass(frozen=True)
class PartyView:
    """A party: what it answers for, its part of the capital, which it pays to the centre itself, the minutes a year that
    are its own, its yearly cost if it uses just those, what other ways of sharing that year would ask of it, and who signed
    for it.
    """

    park_id: UUID
    name: str
    role: str
    share_bp: int
    capital_fen: int
    entitled_minutes: int
    foreseen_fen: int
    alternatives_fen: Mapping[str, int]
    signed_name: str
    signed_at: datetime | None


@dataclass(frozen=True)
class AgreementView:
    """A version. ``status`` is signing, signed (it waits to be registered), registered (its days are to come),
    in_force, ended or withdrawn; prices are of one
    hour, rounded half up to the fen. ``sha256`` is what a signature is under.
    """

    id: UUID
    series_id: UUID
    version: int
    status: str
    title: str
    valid_from: date
    valid_to: date
    capital_fen: int
    life_years: int
    year_minutes: int
    reserve_minutes: int
    maintenance_minutes: int
    shared_minutes: int
    variable_fen_per_hour: int
    above_fen_per_hour: int
    outsider_fen_per_hour: int
    premium_bp: int
    outsider_premium_bp: int
    lending_notice_days: int
    overdraw_minutes: int
    carry_over_minutes: int
    sha256: str
    created_by: UUID
    created_at: datetime
    proposed_by_park: UUID | None
    registered_at: datetime | None
    methods: tuple[str, ...]
    parties: tuple[PartyView, ...]


def write_agreement(
    work: Work, *, terms: Terms, parties: Sequence[Share], series_id: UUID | None = None
) -> AgreementView:
    """Write a version for its parties to sign: the first of a new series, or the next of ``series_id``.

    Raises Invalid with every fault of the terms, and for a park that is not known; NotFound for an unknown series.
    """
    work.actor.require(Permission.WRITE_JOINT)
    person = work.actor.require_person()
    check_title(terms)
    check_terms(terms, parties)
    names = onboarding.park_names(work, park_ids={each.park_id for each in parties})
    unknown = [
        FieldError(f"parties.{place}.park_id", "joint.unknown_park", msg("没有找到该园区。请从园区名录中选择。"))
        for place, each in enumerate(parties)
        if each.park_id not in names
    ]
    if unknown:
        raise Invalid("joint.unknown_park", unknown[0].message, errors=unknown)
    version = 1
    if series_id is not None:
        version = store.latest_version(work.session, series_id) + 1
        if version == 1:
            raise NotFound("joint.series_not_found", msg("没有找到原协议。请从列表中重新打开。"))
    return write_version(
        work, terms=terms, parties=parties, names=names, series_id=series_id, version=version, person=person
    )


def check_title(terms: Terms) -> None:
    """Refuse an agreement without a name. Raises Invalid at ``title``."""
    with Faults() as faults:
        faults.take("title", check_name, terms.title)


def write_version(
    work: Work,
    *,
    terms: Terms,
    parties: Sequence[Share],
    names: Mapping[UUID, str],
    series_id: UUID | None,
    version: int,
    person: UUID,
    park_id: UUID | None = None,
) -> AgreementView:
    """Write a version whose terms were checked, for use cases that have asked for their own permission.

    ``park_id`` proposes it. Raises Conflict where somebody else wrote a version of this number meanwhile.
    """
    agreement_id = new_id()
    members = sorted(each.park_id for each in parties)
    values = asdict(terms) | {
        "title": terms.title.strip(),
        "agreed_to": terms.valid_to,
        "id": agreement_id,
        "series_id": series_id or agreement_id,
        "version": version,
        "members": members,
        "created_by": person,
        "created_at": work.now,
        "proposed_by_park": park_id,
    }
    values["sha256"] = seal(Terms(**{each.name: values[each.name] for each in fields(Terms)}), parties)
    rows = [
        {
            "agreement_id": agreement_id,
            "park_id": each.park_id,
            "members": members,
            "name": names[each.park_id],
            "role": each.role.value,
            "share_bp": each.share_bp,
        }
        for each in parties
    ]
    if not store.insert_agreement(work.session, values, rows):
        raise Conflict("joint.version_taken", msg("该协议刚刚有了另一个新版本。请打开最新版本后重新起草。"))
    audit.record(work, "joint.write", "joint_agreement", agreement_id, version=version, sha256=values["sha256"])
    _tell(work, WRITTEN, agreement_id, [each for each in members if each != park_id])
    return _read(work, agreement_id)


def _tell(work: Work, name: str, agreement_id: UUID, parks: Sequence[UUID]) -> None:
    """Let each of some parties be told: nobody writes into another's notices in its own transaction."""
    for park_id in parks:
        work.emit(Event(name, park_id, {"agreement_id": str(agreement_id)}))


def sign_agreement(work: Work, *, agreement_id: UUID, sha256: str) -> AgreementView:
    """Sign for the own park, under the terms whose hash the signer has seen.

    Raises NotFound for an agreement of others, Conflict for other terms, a second signature or a withdrawn version.
    """
    work.actor.require(Permission.SIGN_JOINT)
    park_id = work.actor.require_tenant()
    person = work.actor.require_person()
    row = _row(work, agreement_id)
    if row.withdrawn_at is not None:
        raise Conflict("joint.withdrawn", msg("该协议已撤回，不能再签署。请查看最新版本。"))
    if sha256 != row.sha256:
        raise Conflict("joint.other_terms", msg("您看到的条款与待签条款不同。请刷新后重新阅读并签署。"))
    signature = {
        "signed_by": person,
        "signed_name": work.actor.name[:200],
        "signed_at": work.now,
        "signed_sha256": sha256,
    }
    if not store.sign(work.session, agreement_id, park_id, signature):
        raise Conflict("joint.signed", msg("本园区已签署该协议，不必再签。"))
    audit.record(work, "joint.sign", "joint_agreement", agreement_id, tenant_id=park_id, sha256=sha256)
    return _read(work, agreement_id)


def register_agreement(work: Work, *, agreement_id: UUID) -> AgreementView:
    """Put a version in force that all have signed; the version before it ends on the day this one begins.

    Raises Conflict while a signature is missing, for the person who wrote it, and for a change of days that are over.
    """
    work.actor.require(Permission.REGISTER_JOINT)
    person = work.actor.require_person()
    row = _open(work, agreement_id)
    if row.created_by == person:
        raise Conflict("joint.same_person", msg("起草人不能自行备案。请由另一人办理。"))
    missing = [each.name for each in store.parties_of(work.session, [row.id]) if each.signed_at is None]
    if missing:
        raise Conflict("joint.unsigned", msg("还有园区未签署：{parks}。全部签署后才能生效。", parks="、".join(missing)))
    today = local_day(work.now, DEFAULT_ZONE)
    if row.version > 1 and row.valid_from < today:
        wrong = msg("新版本不能改变已过去的日子，最早从 {day} 起。请另拟一版。", day=today.isoformat())
        raise Conflict("joint.past", wrong)
    ended = store.end_overlapping(work.session, row)
    refit_ended(work, ended, row.valid_from)
    row.registered_by, row.registered_at = person, work.now
    work.session.flush()
    carry_into_version(work, row)
    audit.record(work, "joint.register", "joint_agreement", agreement_id, version=row.version)
    _tell(work, REGISTERED, agreement_id, row.members)
    return _read(work, agreement_id)


def withdraw_agreement(work: Work, *, agreement_id: UUID) -> AgreementView:
    """Take back a version that is not in force, a park one that it proposed; it stays readable with its signatures."""
    park_id = work.actor.tenant_id
    work.actor.require(Permission.WRITE_JOINT if park_id is None else Permission.PROPOSE_JOINT)
    work.actor.require_person()
    row = _open(work, agreement_id)
    row.withdrawn_at = work.now
    work.session.flush()
    audit.record(work, "joint.withdraw", "joint_agreement", agreement_id, version=row.version)
    return _read(work, agreement_id)


def list_agreements(
    work: Work, *, series_id: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Page[AgreementView]:
    """Return versions, newest first: for a park those it is a party of, for staff all."""
    work.actor.require(Permission.READ_JOINT)
    rows = store.agreements_page(
        work.session, series_id=series_id, before=decode_cursor(cursor), limit=check_limit(limit) + 1
    )
    page = page_of(rows, limit, lambda row: row, lambda row: (row.created_at, row.id))
    return Page(_views(work, page.items), page.next_cursor)


def read_agreement(work: Work, *, agreement_id: UUID) -> AgreementView:
    """Return a version; NotFound for one that the park is no party of."""
    work.actor.require(Permission.READ_JOINT)
    return _read(work, agreement_id)


def _row(work: Work, agreement_id: UUID, *, lock: bool = False) -> JointAgreement:
    row = store.agreement(work.session, agreement_id, lock=lock)
    if row is None:
        raise NotFound("joint.not_found", msg("没有找到该共建协议。请从列表中重新打开。"))
    return row


def _open(work: Work, agreement_id: UUID) -> JointAgreement:
    row = _row(work, agreement_id, lock=True)
    if row.registered_at is not None or row.withdrawn_at is not None:
        raise Conflict("joint.decided", msg("该版本已备案或撤回。请刷新后查看结果。"))
    return row


def _read(work: Work, agreement_id: UUID) -> AgreementView:
    (view,) = _views(work, [_row(work, agreement_id)])
    return view


def _views(work: Work, rows: Sequence[JointAgreement]) -> tuple[AgreementView, ...]:
    by_id: dict[UUID, list[JointParty]] = {row.id: [] for row in rows}
    for party in store.parties_of(work.session, list(by_id)):
        by_id[party.agreement_id].append(party)
    return tuple(_view(work, row, by_id[row.id]) for row in rows)


def _view(work: Work, row: JointAgreement, parties: Sequence[JointParty]) -> AgreementView:
    terms = Terms(**{each.name: getattr(row, each.name) for each in fields(Terms)})
    shares = [Share(each.park_id, PartyRole(each.role), each.share_bp) for each in parties]
    own = entitlements(terms, shares)
    capital = capital_parts(terms, shares)
    year = foreseen(terms, shares)
    return AgreementView(
        id=row.id,
        series_id=row.series_id,
        version=row.version,
        status=_status(work, row, parties),
        sha256=row.sha256,
        created_by=row.created_by,
        created_at=row.created_at,
        proposed_by_park=row.proposed_by_park,
        registered_at=row.registered_at,
        shared_minutes=terms.shared_minutes,
        above_fen_per_hour=_half_up(year.above_fen_per_hour),
        outsider_fen_per_hour=_half_up(year.outsider_fen_per_hour),
        methods=tuple(year.alternatives),
        parties=tuple(
            PartyView(
                park_id=each.park_id,
                name=each.name,
                role=each.role,
                share_bp=each.share_bp,
                capital_fen=capital[each.park_id],
                entitled_minutes=own[each.park_id],
                foreseen_fen=year.parks[str(each.park_id)].net_fen if each.share_bp else 0,
                alternatives_fen={name: nets.get(str(each.park_id), 0) for name, nets in year.alternatives.items()},
                signed_name=each.signed_name or "",
                signed_at=each.signed_at,
            )
            for each in parties
        ),
        **asdict(terms),
    )


def _status(work: Work, row: JointAgreement, parties: Sequence[JointParty]) -> str:
    if row.withdrawn_at is not None:
        return "withdrawn"
    if row.registered_at is not None:
        today = local_day(work.now, DEFAULT_ZONE)
        if row.valid_to <= max(today, row.valid_from):
            return "ended"
        return "in_force" if row.valid_from <= today else "registered"
    return "signed" if all(each.signed_at for each in parties) else "signing"


def _half_up(fen: Fraction) -> int:
    return int(fen + Fraction(1, 2))
