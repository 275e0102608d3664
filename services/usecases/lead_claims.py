"""A park's leads: which companies were listed to it, where each stands, and claiming one for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import aliased

from services.rules.lead_allocation import LEASE, OPEN_STAGES, ClaimStage, LeadStatus, ends_lease, may_become, status_of
from services.rules.lead_outcomes import STAGE_AFTER, LostReason, Outcome, outcome_of
from services.store.company_withdrawals import known_name
from services.store.lead_allocation import LeadClaim, LeadPlace, LeadSuppression, ListedLead
from services.store.lead_contacts import CompanyContact
from services.store.lead_outcomes import LeadOutcome
from services.usecases.company_withdrawals import WithdrawnSource, withdrawn_companies
from services.usecases.lead_outcomes import note_outcome
from services.usecases.lead_places import lock_companies
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

MOST_SHOWN = 1000
"""Leads that are listed at once at most: twenty lists of fifty."""


@dataclass(frozen=True)
class LeadView:
    """A company that was listed to the acting park. ``lease_ends_at`` is of the park's own running claim.

    ``outcome`` is what the park has recorded last, None before it has and after it took that back.
    ``contact`` is the company's switchboard, masked; None where none is known or it asked not to be contacted.
    ``withdrawn`` is the source that a list had the company from, where it was withdrawn since.
    """

    uscc: str
    name: str
    listed_at: datetime
    status: LeadStatus
    lease_ends_at: datetime | None
    outcome: Outcome | None = None
    lost_reason: LostReason | None = None
    outcome_at: datetime | None = None
    contact: str | None = None
    withdrawn: WithdrawnSource | None = None


def list_leads(
    work: Work,
    *,
    run_id: UUID | None = None,
    words: str = "",
    unrecorded: bool = False,
    limit: int = MOST_SHOWN,
    offset: int = 0,
) -> tuple[LeadView, ...]:
    """Return the companies listed to the acting park, newest list first; of one run in the list's order.

    ``words`` stand in the name or the code; ``unrecorded`` are those of which the park has said nothing yet.
    """
    work.actor.require(Permission.READ_ORDER)
    return _leads(work, run_id=run_id, words=words.strip(), unrecorded=unrecorded, limit=limit, offset=offset)


def page_leads(
    work: Work, *, run_id: UUID | None = None, limit: int = MOST_SHOWN, cursor: str | None = None
) -> Page[LeadView]:
    """Return some of the companies listed to the acting park, as ``list_leads`` does, and where they go on.

    A run's list is whole in its first page. Raises Invalid for a cursor that was not given out.
    """
    work.actor.require(Permission.READ_ORDER)
    place = decode_cursor(cursor)
    after = None if place is None else (place[0], _code_of(place[1]))
    rows = _leads(work, run_id=run_id, limit=limit + 1, after=after)
    return page_of(rows, limit, lambda each: each, lambda each: (each.listed_at, _id_of(each.uscc)))


def _id_of(uscc: str) -> UUID:
    """Return a credit code as the id that a cursor carries: eighteen digits of base 36 fit into it."""
    return UUID(int=int(uscc, 36))


def _code_of(place: UUID) -> str:
    digits, rest = "", place.int
    while rest:
        rest, digit = divmod(rest, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return digits.rjust(18, "0")


def claim_lead(work: Work, *, uscc: str) -> LeadView:
    """Claim a company for the acting park alone, for 30 days. Who has it already keeps its lease as it is.

    Raises NotFound for a company that was not listed to the park, Conflict ``leads.suppressed`` for one that asked not to
    be contacted and ``leads.claimed`` where another park has it.
    """
    work.actor.require(Permission.CLAIM_LEAD)
    park_id = work.actor.require_tenant()
    lock_companies(work, [uscc])
    lead = listed_lead(work, uscc)
    if lead.status is LeadStatus.SUPPRESSED:
        raise suppressed_company()
    if lead.lease_ends_at is not None:
        return lead
    claim_id = new_id()
    made = (
        insert(LeadClaim)
        .values(
            id=claim_id, uscc=uscc, park_id=park_id, claimed_by=work.actor.user_id, claimed_at=work.now,
            ends_at=work.now + LEASE, stage=ClaimStage.CLAIMED, changed_by=work.actor.user_id, changed_at=work.now,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    if not rows_written(work.session, made):
        raise Conflict("leads.claimed", msg("该企业已被其他园区认领，认领最长 30 天。请先联系名单中的其他企业。"))
    audit.record(work, "leads.claim", "lead_claim", claim_id, uscc=uscc)
    return listed_lead(work, uscc)


def move_lead(work: Work, *, uscc: str, stage: ClaimStage) -> LeadView:
    """Say how far a claimed company is; ``released`` and ``lost`` free it for the other parks at once.

    What a step says of the company is recorded as its outcome.

    Raises NotFound for a company that was not listed to the park, Conflict ``leads.not_claimed`` without a running claim
    of its own and ``leads.stage`` for a step that does not follow.
    """
    work.actor.require(Permission.CLAIM_LEAD)
    lock_companies(work, [uscc])
    listed_lead(work, uscc)
    claim = running_claim(work, uscc)
    if claim.stage == stage:
        return listed_lead(work, uscc)
    if not may_become(ClaimStage(claim.stage), stage):
        raise Conflict("leads.stage", msg("该线索目前不能这样更新。请刷新页面后重试。"))
    _move(work, claim, uscc, stage)
    if (outcome := outcome_of(stage)) is not None:
        note_outcome(work, uscc=uscc, outcome=outcome)
    return listed_lead(work, uscc)


def record_outcome(work: Work, *, uscc: str, outcome: Outcome, reason: LostReason | None = None) -> LeadView:
    """Record what came of a listed company, claimed or not, also after the claim: signing takes longer than a lease.

    A further record corrects a wrong one. A running claim of the park follows it: ``lost`` frees the company at once. The
    same again changes nothing. Raises NotFound for a company that was not listed to the park, Invalid for ``lost`` without a
    reason or a reason without it.
    """
    work.actor.require(Permission.CLAIM_LEAD)
    if (outcome is Outcome.LOST) is (reason is None):
        wrong = msg("未成时请选择原因，其他结果不带原因。")
        raise Invalid("leads.reason", wrong, errors=[FieldError("reason", "leads.reason", wrong)])
    lock_companies(work, [uscc])
    listed_lead(work, uscc)
    if note_outcome(work, uscc=uscc, outcome=outcome, reason=reason):
        claim = _running(work, uscc)
        stage = STAGE_AFTER[outcome]
        if claim is not None and claim.stage != stage:
            _move(work, claim, uscc, stage)
    return listed_lead(work, uscc)


def _move(work: Work, claim: AnyRow, uscc: str, stage: ClaimStage) -> None:
    ends = {"ends_at": work.now} if ends_lease(stage) else {}
    work.session.execute(
        update(LeadClaim)
        .where(LeadClaim.id == claim.id)
        .values(stage=stage, changed_by=work.actor.user_id, changed_at=work.now, **ends)
    )
    audit.record(work, "leads.move", "lead_claim", claim.id, uscc=uscc, stage=stage)


def running_claim(work: Work, uscc: str) -> AnyRow:
    """Return the acting park's claim whose lease runs; Conflict ``leads.not_claimed`` where there is none."""
    row = _running(work, uscc)
    if row is None:
        raise Conflict("leads.not_claimed", msg("请先认领该企业；认领 30 天后自动结束。"))
    return row


def _running(work: Work, uscc: str) -> AnyRow | None:
    query = select(LeadClaim.id, LeadClaim.stage).where(
        LeadClaim.park_id == work.actor.require_tenant(),
        LeadClaim.uscc == uscc,
        LeadClaim.claimed_at <= work.now,
        LeadClaim.ends_at > work.now,
    )
    return work.session.execute(query).one_or_none()


def suppressed_company() -> Conflict:
    """Return the refusal of a company that asked not to be contacted."""
    return Conflict("leads.suppressed", msg("该企业已要求不再联系。请从名单中选择其他企业。"))


def listed_lead(work: Work, uscc: str) -> LeadView:
    """Return where a company stands for the acting park. Raises NotFound for one that was not listed to it."""
    found = _leads(work, uscc=uscc)
    if not found:
        raise NotFound("leads.not_found", msg("该企业不在贵园区的名单中。请从招商线索中选择。"))
    return found[0]


def _leads(
    work: Work,
    *,
    uscc: str | None = None,
    run_id: UUID | None = None,
    words: str = "",
    unrecorded: bool = False,
    limit: int = MOST_SHOWN,
    offset: int = 0,
    after: tuple[datetime, str] | None = None,
) -> tuple[LeadView, ...]:
    park_id = work.actor.require_tenant()
    newest = (
        select(LeadClaim)
        .where(LeadClaim.park_id == park_id)
        .ext(distinct_on(LeadClaim.uscc))
        .order_by(LeadClaim.uscc, LeadClaim.claimed_at.desc(), LeadClaim.id.desc())
        .subquery()
    )
    claim = aliased(LeadClaim, newest)
    latest = (
        select(LeadOutcome)
        .where(LeadOutcome.tenant_id == park_id)
        .ext(distinct_on(LeadOutcome.uscc))
        .order_by(LeadOutcome.uscc, LeadOutcome.number.desc())
        .subquery()
    )
    record = aliased(LeadOutcome, latest)
    query = (
        select(
            LeadPlace.uscc, known_name(LeadPlace.uscc), LeadPlace.listed_at, claim.stage, claim.ends_at,
            LeadSuppression.id.is_not(None).label("suppressed"), record.outcome, record.reason, record.recorded_at,
            CompanyContact.masked,
        )
        .outerjoin(CompanyContact, CompanyContact.uscc == LeadPlace.uscc)
        .outerjoin(claim, claim.uscc == LeadPlace.uscc)
        .outerjoin(record, record.uscc == LeadPlace.uscc)
        .outerjoin(LeadSuppression, and_(LeadSuppression.uscc == LeadPlace.uscc, LeadSuppression.lifted_at.is_(None)))
        .where(LeadPlace.park_id == park_id)
    )  # fmt: skip
    if uscc is not None:
        query = query.where(LeadPlace.uscc == uscc)
    if words:
        named = known_name(LeadPlace.uscc).element
        query = query.where(or_(*(text.icontains(words, autoescape=True) for text in (LeadPlace.uscc, named))))
    if unrecorded:
        query = query.where(func.coalesce(record.outcome, Outcome.WITHDRAWN) == Outcome.WITHDRAWN)
    if after is not None:
        listed, code = after
        later = and_(LeadPlace.listed_at == listed, LeadPlace.uscc > code)
        query = query.where(or_(LeadPlace.listed_at < listed, later))
    if run_id is None:
        query = query.order_by(LeadPlace.listed_at.desc(), LeadPlace.uscc)
    else:
        on_list = and_(ListedLead.tenant_id == park_id, ListedLead.uscc == LeadPlace.uscc, ListedLead.run_id == run_id)
        query = query.join(ListedLead, on_list).order_by(ListedLead.position)
    withdrawn = withdrawn_companies(work)
    found = work.session.execute(query.limit(limit).offset(offset))
    return tuple(_view(row, work.now, withdrawn.get(row.uscc)) for row in found)


def _view(row: AnyRow, now: datetime, withdrawn: WithdrawnSource | None) -> LeadView:
    stage = None if row.stage is None else ClaimStage(row.stage)
    held = stage in (*OPEN_STAGES, ClaimStage.SIGNED) and row.ends_at > now
    recorded = row.outcome not in {None, Outcome.WITHDRAWN}
    return LeadView(
        uscc=row.uscc,
        name=row.name or row.uscc,
        listed_at=row.listed_at,
        status=status_of(stage, row.ends_at, now, suppressed=row.suppressed),
        lease_ends_at=row.ends_at if held else None,
        outcome=Outcome(row.outcome) if recorded else None,
        lost_reason=LostReason(row.reason) if recorded and row.reason else None,
        outcome_at=row.recorded_at if recorded else None,
        contact=None if row.suppressed else row.masked,
        withdrawn=withdrawn,
    )
