"""Hours of a joint facility: the lead records who used what, a party releases hours for lending.

Nothing is changed that was recorded: a correction takes the whole use back and may record it anew. The database counts
under the same lock and refuses what goes above a cap, whoever writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.rules.joint_agreements import YEAR_MINUTES
from billing.rules.joint_years import HOUR
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import joint_uses as store
from billing.store.joint_uses import JointUse
from billing.usecases.joint_years import JointYear, YearView, open_year, view_of, year_at
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

MOST_EVIDENCE = 500


@dataclass(frozen=True)
class UseView:
    """A use; ``minutes`` below zero take back the use ``corrects_id``. Without ``park_id`` the user is an outsider."""

    id: UUID
    agreement_id: UUID
    park_id: UUID | None
    user_name: str
    day: date
    minutes: int
    evidence: str
    evidence_sha256: str | None
    corrects_id: UUID | None
    is_corrected: bool
    recorded_at: datetime


@dataclass(frozen=True)
class NewUse:
    """What the lead records: who used the facility on a day, for how many minutes, and what shows it.

    ``park_id`` names a party; without it ``user_name`` names an outsider.
    """

    day: date
    minutes: int
    evidence: str
    park_id: UUID | None = None
    user_name: str = ""
    evidence_sha256: str | None = None


def record_use(work: Work, *, agreement_id: UUID, use: NewUse) -> UseView:
    """Record a use, past or planned.

    Raises NotAllowed for another than the lead, Invalid for a day without agreement or a user that is no party, Conflict
    where the hours are used up, the overdraw cap is reached, or the day is too far ahead to borrow unreleased hours.
    """
    work.actor.require(Permission.RECORD_JOINT)
    person = work.actor.require_person()
    year_at(work, agreement_id)
    _check(use)
    found = _led(work, agreement_id, use.day)
    return _record(work, found, use, person)


def correct_use(work: Work, *, use_id: UUID, minutes: int, reason: str) -> UseView:
    """Take a use back and, unless ``minutes`` is 0, record it anew; return the last of the two.

    Raises NotFound, NotAllowed for another than the lead, Conflict where it was corrected before.
    """
    work.actor.require(Permission.RECORD_JOINT)
    person = work.actor.require_person()
    old = store.use(work.session, use_id)
    if old is None:
        raise NotFound("joint.use_not_found", msg("没有找到该使用记录。请从列表中重新打开。"))
    _check_evidence("reason", reason)
    if minutes:
        _check_minutes(minutes)
    found = _led(work, old.agreement_id, old.day)
    if old.corrects_id is not None or store.is_corrected(work.session, use_id):
        raise Conflict("joint.corrected", msg("该记录已更正。请刷新后更正最新的一条。"))
    values = _values(found, old.day, old.park_id, old.user_name, person, work.now) | {
        "minutes": -old.minutes, "evidence": reason.strip(), "evidence_sha256": None, "corrects_id": old.id,
    }  # fmt: skip
    store.insert_use(work.session, values)
    audit.record(work, "joint.correct_use", "joint_use", old.id, minutes=minutes)
    if not minutes:
        return _view(_kept(work, values["id"]), is_corrected=False)
    again = NewUse(old.day, minutes, reason, old.park_id, old.user_name, old.evidence_sha256)
    return _record(work, year_at(work, old.agreement_id, old.year), again, person)


def release_hours(work: Work, *, agreement_id: UUID, year: int, minutes: int) -> YearView:
    """Release the own park's unused hours for lending at any date; below zero takes them back while nobody has them.

    Raises Invalid for more than is left or was released, Conflict for hours that others have.
    """
    work.actor.require(Permission.LEND_JOINT)
    park_id = work.actor.require_tenant()
    person = work.actor.require_person()
    found = year_at(work, agreement_id, year, lock=True)
    _check_open(found)
    account = found.account(park_id)
    if account is None:
        raise NotAllowed("joint.no_hours", msg("监督方没有机时，不能借出。"))
    if minutes == 0 or minutes > account.left_minutes or -minutes > account.released_minutes:
        wrong = msg(
            "可再借出 {left} 小时，可收回 {released} 小时。请改正。",
            left=f"{account.left_minutes / HOUR:g}",
            released=f"{account.released_minutes / HOUR:g}",
        )
        raise _wrong("minutes", "joint.release", wrong)
    if minutes < 0 and found.released_minutes + minutes < min(found.borrowed_minutes, found.released_minutes):
        raise Conflict("joint.lent_out", msg("这些机时已被借用，不能收回。请减少收回的时数。"))
    open_year(work, found)
    release = {
        "id": new_id(), "agreement_id": agreement_id, "year": year, "park_id": park_id,
        "members": found.row.members, "minutes": minutes, "released_by": person, "released_at": work.now,
    }  # fmt: skip
    store.insert_release(work.session, release)
    audit.record(work, "joint.release", "joint_agreement", agreement_id, tenant_id=park_id, year=year, minutes=minutes)
    return view_of(year_at(work, agreement_id, year))


def list_uses(
    work: Work, *, agreement_id: UUID, year: int | None = None, limit: int = 50, cursor: str | None = None
) -> Page[UseView]:
    """Return the uses of a year, last recorded first, with corrections."""
    work.actor.require(Permission.READ_JOINT)
    found = year_at(work, agreement_id, year)
    rows = store.uses_page(
        work.session,
        agreement_id,
        year=found.part.year,
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    by_id = {row.id: (row, is_corrected) for row, is_corrected in rows}
    page = page_of(list(by_id), limit, lambda each: each, lambda each: (by_id[each][0].recorded_at, each))
    views = tuple(_view(by_id[each][0], is_corrected=by_id[each][1]) for each in page.items)
    return Page(views, page.next_cursor)


def _led(work: Work, agreement_id: UUID, day: date) -> JointYear:
    """Return the year of a day under lock, for its lead."""
    found = year_at(work, agreement_id)
    if work.actor.tenant_id != found.lead_id:
        raise NotAllowed("joint.lead_only", msg("只有主导方登记使用。请与主导方联系。"))
    if not found.terms.valid_from <= day < found.terms.valid_to:
        wrong = msg(
            "该日不在协议期内（{first} 起，至 {last} 前）。请改正日期，或登记在当时的版本下。",
            first=found.terms.valid_from.isoformat(),
            last=found.terms.valid_to.isoformat(),
        )
        raise _wrong("day", "joint.day", wrong)
    year = year_at(work, agreement_id, day.year, lock=True)
    _check_open(year)
    return year


def _check_open(found: JointYear) -> None:
    if found.is_closed:
        wrong = msg("{year} 年已关账，不能再登记。请由省级先冲回结算。", year=str(found.part.year))
        raise Conflict("joint.closed", wrong)


def _record(work: Work, found: JointYear, use: NewUse, person: UUID) -> UseView:
    name = use.user_name.strip()
    if use.park_id is not None:
        if found.account(use.park_id) is None:
            raise _wrong("park_id", "joint.no_party", msg("该园区不是出资方。请选择出资园区，或按外部用户登记。"))
        name = found.names[use.park_id]
    _check_room(work, found, use)
    open_year(work, found)
    values = _values(found, use.day, use.park_id, name, person, work.now) | {
        "minutes": use.minutes, "evidence": use.evidence.strip(), "evidence_sha256": use.evidence_sha256,
        "corrects_id": None,
    }  # fmt: skip
    store.insert_use(work.session, values)
    audit.record(work, "joint.record_use", "joint_agreement", found.row.id, user=name, minutes=use.minutes)
    return _view(_kept(work, values["id"]), is_corrected=False)


def _check_room(work: Work, found: JointYear, use: NewUse) -> None:
    free = found.shared_minutes - found.used_minutes
    account = found.account(use.park_id) if use.park_id is not None else None
    if use.minutes > free:
        raise Conflict("joint.used_up", msg("本年只剩 {hours} 小时可用。请减少时数。", hours=f"{free / HOUR:g}"))
    if account is not None and use.minutes > account.most_minutes:
        told = msg(
            "超过透支上限：该园区最多还可使用 {hours} 小时。请减少时数。", hours=f"{account.most_minutes / HOUR:g}"
        )
        raise Conflict("joint.overdraw", told)
    own = account.opening.entitled_minutes - account.used_minutes if account is not None else 0
    borrowing = use.minutes - min(use.minutes, max(0, own))
    last = local_day(work.now, DEFAULT_ZONE) + timedelta(days=found.terms.lending_notice_days)
    if borrowing and use.day > last and found.borrowed_minutes + borrowing > found.released_minutes:
        told = msg(
            "{day} 之后的机时尚未借出：须有园区先行借出，或在开始前 {days} 天内再登记。",
            day=last.isoformat(),
            days=found.terms.lending_notice_days,
        )
        raise Conflict("joint.not_lent_yet", told)


def _values(
    found: JointYear, day: date, park_id: UUID | None, name: str, person: UUID, now: datetime
) -> dict[str, object]:
    return {
        "id": new_id(), "agreement_id": found.row.id, "year": day.year, "park_id": park_id, "user_name": name,
        "members": found.row.members, "lead_id": found.lead_id, "day": day, "recorded_by": person, "recorded_at": now,
    }  # fmt: skip


def _check(use: NewUse) -> None:
    with Faults() as faults:
        faults.take("minutes", _check_minutes, use.minutes)
        faults.take("evidence", _check_evidence, "evidence", use.evidence)
        if use.park_id is None:
            faults.take("user_name", check_name, use.user_name)


def _check_minutes(minutes: int) -> None:
    if not 0 < minutes <= YEAR_MINUTES:
        raise _wrong("minutes", "joint.minutes", msg("时数须大于 0，且不超过一年。请改正。"))


def _check_evidence(field: str, text: str) -> None:
    if not text.strip() or len(text.strip()) > MOST_EVIDENCE:
        raise _wrong(
            field, "joint.evidence", msg("请写明依据（预约号、报告号等），最多 {most} 字。", most=MOST_EVIDENCE)
        )


def _kept(work: Work, use_id: object) -> JointUse:
    row = store.use(work.session, UUID(str(use_id)))
    if row is None:
        raise NotFound("joint.use_not_found", msg("没有找到该使用记录。请从列表中重新打开。"))
    return row


def _view(row: JointUse, *, is_corrected: bool) -> UseView:
    return UseView(
        id=row.id,
        agreement_id=row.agreement_id,
        park_id=row.park_id,
        user_name=row.user_name,
        day=row.day,
        minutes=row.minutes,
        evidence=row.evidence,
        evidence_sha256=row.evidence_sha256,
        corrects_id=row.corrects_id,
        is_corrected=is_corrected,
        recorded_at=row.recorded_at,
    )


def _wrong(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])
