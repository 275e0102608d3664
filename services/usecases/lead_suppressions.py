"""Companies that asked not to be contacted: the operator notes their wish, and every list obeys it from then on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.company_cells import is_plain_uscc
from services.rules.lead_allocation import ClaimStage
from services.store.companies import Company
from services.store.lead_allocation import LeadClaim, LeadSuppression
from services.usecases.lead_places import lock_companies
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


@dataclass(frozen=True)
class SuppressionView:
    """A company's wish; ``name`` is the registry's, None where it does not know the company."""

    id: UUID
    uscc: str
    name: str | None
    asked_on: date
    reason: str
    recorded_by: UUID
    recorded_at: datetime
    lifted_at: datetime | None


def suppress_company(work: Work, *, uscc: str, asked_on: date, reason: str) -> SuppressionView:
    """Note that a company wants no contact; a running claim of it ends at once. It need not be in the registry.

    Raises Invalid for a code that is none, a day in the future or no reason, Conflict where it is noted already.
    """
    work.actor.require(Permission.IMPORT_COMPANIES)
    person = work.actor.require_person()
    uscc = uscc.strip().upper()
    _check(work, uscc, asked_on, reason)
    lock_companies(work, [uscc])
    suppression_id = new_id()
    noted = (
        insert(LeadSuppression)
        .values(
            id=suppression_id, uscc=uscc, asked_on=asked_on, reason=reason.strip(), recorded_by=person,
            recorded_at=work.now,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    if not rows_written(work.session, noted):
        raise Conflict("suppressions.known", msg("该企业已在不再联系名单中。"))
    work.session.execute(
        update(LeadClaim)
        .where(LeadClaim.uscc == uscc, LeadClaim.claimed_at <= work.now, LeadClaim.ends_at > work.now)
        .values(stage=ClaimStage.SUPPRESSED, ends_at=work.now, changed_by=person, changed_at=work.now)
    )
    audit.record(work, "leads.suppress", "lead_suppression", suppression_id, uscc=uscc)
    return _read(work, suppression_id)


def lift_suppression(work: Work, *, suppression_id: UUID) -> SuppressionView:
    """Let a company be listed again. Lifted twice is lifted; NotFound for none."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    person = work.actor.require_person()
    found = _read(work, suppression_id)
    lifted = (
        update(LeadSuppression)
        .where(LeadSuppression.id == suppression_id, LeadSuppression.lifted_at.is_(None))
        .values(lifted_by=person, lifted_at=work.now)
    )
    if rows_written(work.session, lifted):
        audit.record(work, "leads.lift_suppression", "lead_suppression", suppression_id, uscc=found.uscc)
    return _read(work, suppression_id)


def list_suppressions(work: Work) -> tuple[SuppressionView, ...]:
    """Return every wish, lifted ones too, the newest first."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    return _views(work)


def _read(work: Work, suppression_id: UUID) -> SuppressionView:
    found = _views(work, suppression_id)
    if not found:
        raise NotFound("suppressions.not_found", msg("没有找到该记录。请从列表中选择。"))
    return found[0]


def _views(work: Work, suppression_id: UUID | None = None) -> tuple[SuppressionView, ...]:
    columns = [getattr(LeadSuppression, name) for name in SuppressionView.__dataclass_fields__ if name != "name"]
    query = select(*columns, Company.name).outerjoin(Company, Company.uscc == LeadSuppression.uscc)
    if suppression_id is not None:
        query = query.where(LeadSuppression.id == suppression_id)
    query = query.order_by(LeadSuppression.recorded_at.desc(), LeadSuppression.id.desc())
    return tuple(SuppressionView(**row) for row in work.session.execute(query).mappings())


def _check(work: Work, uscc: str, asked_on: date, reason: str) -> None:
    wrong: dict[str, Message] = {}
    if not is_plain_uscc(uscc):
        wrong["uscc"] = msg("统一社会信用代码不正确。请核对 18 位代码。")
    if asked_on > work.now.astimezone(CHINA).date():
        wrong["asked_on"] = msg("日期不能晚于今天。")
    if not reason.strip() or len(reason) > 500:
        wrong["reason"] = msg("须为 1 至 {limit} 个字符。", limit=500)
    if wrong:
        errors = [FieldError(field, "suppressions.field", message) for field, message in wrong.items()]
        raise Invalid("suppressions.invalid", msg("填写内容有 {count} 处需要修改。", count=len(wrong)), errors=errors)
