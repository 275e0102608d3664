"""Showing a claimed company's switchboard to the park that has claimed it: one by one, counted by the day, on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as insert_once

from services.rules.company_imports import ImportStatus
from services.rules.lead_allocation import LeadStatus
from services.rules.lead_contacts import MOST_PER_DAY, PER_DAY, SHOWABLE, is_exhausted
from services.store.companies import CompanySource
from services.store.company_withdrawals import known_name
from services.store.lead_contacts import CompanyContact, CompanySwitchboard, ContactLimit, ContactShowing
from services.usecases.lead_claims import listed_lead, running_claim, suppressed_company
from services.usecases.lead_places import lock_companies
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Reach
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('lead-contacts:' || CAST(:park AS text), 0))")


@dataclass(frozen=True)
class ShownContact:
    """A company's number, as of when the registry has it, and how many of its day's numbers the park was shown."""

    uscc: str
    name: str
    number: str
    as_of: date
    shown_today: int
    per_day: int


@dataclass(frozen=True)
class ShowingView:
    """That a park was shown a company's number: who saw it first that day, when, and on which claim. Not the number."""

    id: UUID
    park_id: UUID
    uscc: str
    name: str
    claim_id: UUID
    day: date
    shown_by: UUID
    shown_at: datetime


@dataclass(frozen=True)
class LimitView:
    """How many numbers a park may be shown a day; nobody has set it where ``set_by`` is None."""

    per_day: int
    set_by: UUID | None
    set_at: datetime | None


def show_contact(work: Work, *, uscc: str) -> ShownContact:
    """Show the acting park the switchboard of a company it has claimed, and note who saw it.

    The same company on the same claim counts once a day. Raises NotFound for a company that was not listed to the park
    and ``leads.no_contact`` where the registry has no number; Conflict ``leads.suppressed`` for one that asked not to be
    contacted, ``leads.not_claimed`` without a running claim and ``leads.contact_limit`` when the day's are used up.
    """
    work.actor.require(Permission.CLAIM_LEAD)
    park_id, person = work.actor.require_tenant(), work.actor.require_person()
    lock_companies(work, [uscc])
    lead = listed_lead(work, uscc)
    if lead.status is LeadStatus.SUPPRESSED:
        raise suppressed_company()
    claim = running_claim(work, uscc)
    if lead.status not in SHOWABLE:
        raise Conflict("leads.not_claimed", msg("请先认领该企业；认领 30 天后自动结束。"))
    known = work.session.execute(
        select(CompanyContact.as_of, CompanyContact.source_id)
        .join(CompanySource, CompanySource.id == CompanyContact.source_id)
        .where(CompanyContact.uscc == uscc, CompanySource.status == ImportStatus.DONE)
    ).one_or_none()
    if known is None:
        raise NotFound("leads.no_contact", msg("名录中没有该企业的总机号码。请从企业官网等公开渠道查找。"))
    work.session.execute(_LOCK, {"park": park_id})
    day, per_day = _day(work), _limit(work).per_day
    shown = _shown_on(work, park_id, day)
    repeated = work.session.execute(
        select(ContactShowing.id).where(
            ContactShowing.tenant_id == park_id, ContactShowing.claim_id == claim.id, ContactShowing.day == day
        )
    ).scalar_one_or_none()
    if repeated is None:
        if is_exhausted(shown, per_day):
            raise _exhausted(per_day)
        shown += 1
        work.session.execute(
            insert(ContactShowing).values(
                tenant_id=park_id, day=day, place=shown, per_day=per_day, id=new_id(), claim_id=claim.id, uscc=uscc,
                shown_by=person, shown_at=work.now, as_of=known.as_of, source_id=known.source_id,
            )
        )  # fmt: skip
    number = work.session.execute(select(CompanySwitchboard.number).where(CompanySwitchboard.uscc == uscc)).scalar_one()
    audit.record(work, "leads.show_contact", "lead_claim", claim.id, uscc=uscc, again=repeated is not None)
    return ShownContact(uscc, lead.name, number, known.as_of, shown, per_day)


def shown_today(work: Work) -> tuple[str, ...]:
    """Return the companies whose numbers the acting park was shown today, one for each that counts."""
    work.actor.require(Permission.READ_ORDER)
    own = (ContactShowing.tenant_id == work.actor.require_tenant(), ContactShowing.day == _day(work))
    return tuple(work.session.scalars(select(ContactShowing.uscc).where(*own).order_by(ContactShowing.place)))


def list_showings(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[ShowingView]:
    """Return which numbers were shown, the newest first: to the acting park, for the operator to all."""
    work.actor.require(_reading(work))
    query = (
        select(
            ContactShowing.id, ContactShowing.tenant_id.label("park_id"), ContactShowing.uscc, known_name(ContactShowing.uscc),
            ContactShowing.claim_id, ContactShowing.day, ContactShowing.shown_by, ContactShowing.shown_at,
        )
        .order_by(ContactShowing.shown_at.desc(), ContactShowing.id.desc())
    )  # fmt: skip
    if work.actor.reach is Reach.TENANT:
        query = query.where(ContactShowing.tenant_id == work.actor.require_tenant())
    after = decode_cursor(cursor)
    if after is not None:
        query = query.where(tuple_(ContactShowing.shown_at, ContactShowing.id) < after)
    rows = work.session.execute(query.limit(check_limit(limit) + 1)).all()
    return page_of(rows, limit, _view, lambda row: (row.shown_at, row.id))


def read_contact_limit(work: Work) -> LimitView:
    """Return how many numbers a park may be shown a day."""
    work.actor.require(_reading(work))
    return _limit(work)


def set_contact_limit(work: Work, *, per_day: int) -> LimitView:
    """Set how many numbers a park may be shown a day, from now on; 0 shows none. Raises Invalid beyond 0 to 1000."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    person = work.actor.require_person()
    if not 0 <= per_day <= MOST_PER_DAY:
        wrong = FieldError("per_day", "leads.contact_limit", msg("须为 0 至 {most} 的整数。", most=MOST_PER_DAY))
        raise Invalid("leads.contact_limit", msg("每日上限有误，请修改。"), errors=[wrong])
    newest = work.session.execute(select(func.coalesce(func.max(ContactLimit.number), 0))).scalar_one()
    values = {"number": newest + 1, "per_day": per_day, "set_by": person, "set_at": work.now}
    if not rows_written(work.session, insert_once(ContactLimit).values(values).on_conflict_do_nothing()):
        raise Conflict("leads.contact_limit", msg("他人刚刚修改了每日上限。请刷新页面后重试。"))
    audit.record(work, "leads.set_contact_limit", "lead_contact_limit", newest + 1, per_day=per_day)
    return _limit(work)


def _reading(work: Work) -> Permission:
    """Return what reading needs: a park's members read of their own, of staff the operator of all."""
    return Permission.READ_ORDER if work.actor.reach is Reach.TENANT else Permission.IMPORT_COMPANIES


def _day(work: Work) -> date:
    return work.now.astimezone(CHINA).date()


def _limit(work: Work) -> LimitView:
    columns = (ContactLimit.per_day, ContactLimit.set_by, ContactLimit.set_at)
    row = work.session.execute(select(*columns).order_by(ContactLimit.number.desc()).limit(1)).one_or_none()
    return LimitView(PER_DAY, None, None) if row is None else LimitView(*row)


def _shown_on(work: Work, park_id: UUID, day: date) -> int:
    query = select(func.count()).where(ContactShowing.tenant_id == park_id, ContactShowing.day == day)
    return work.session.execute(query).scalar_one()


def _exhausted(per_day: int) -> Conflict:
    return Conflict(
        "leads.contact_limit",
        msg(
            "今日可显示的 {most} 个号码已用完。请明天再试，或联系运营方调整每日上限；今日已显示过的号码可以再次查看。",
            most=per_day,
        ),
    )


def _view(row: AnyRow) -> ShowingView:
    return ShowingView(
        id=row.id, park_id=row.park_id, uscc=row.uscc, name=row.name or row.uscc, claim_id=row.claim_id, day=row.day,
        shown_by=row.shown_by, shown_at=row.shown_at,
    )  # fmt: skip
