"""Public notice (公示): what is to be paid to whom is shown to everybody, and who objects stops a line until it is decided.

The notice names park, programme, service and amount; never a person, a contact or a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from billing.rules.claims import BatchStatus, LineStatus
from billing.store import claim_batch_queries as batches
from billing.store import claim_line_queries as lines
from billing.store.claims import ClaimBatch, ClaimLine, ClaimObjection
from billing.usecases.claim_intake import note_step
from billing.usecases.claim_review import Return, send_back
from billing.usecases.claim_views import ObjectionView, line_views, objection_view
from billing.usecases.claims import no_batch, no_line
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class NoticeLine:
    """One line as the public sees it."""

    park_name: str
    programme_name: str
    programme_name_en: str
    title: str
    amount_fen: int
    exemption: str | None


@dataclass(frozen=True)
class Notice:
    """A batch under public notice; ``until`` is the first moment after it."""

    batch_id: UUID
    fund_name: str
    fund_name_en: str
    period: str
    begins: datetime
    until: datetime
    amount_fen: int
    lines: tuple[NoticeLine, ...]


def list_notices(work: Work, *, fund_id: UUID | None = None) -> tuple[Notice, ...]:
    """Return the batches under public notice, of one fund or of all, those that end first first, without their lines."""
    work.actor.require(Permission.READ_FUND)
    rows = batches.batch_rows(work.session, fund_id=fund_id, status=BatchStatus.NOTICE)
    shown = [_notice(row, ()) for row in rows if row.notice_until > work.now]
    return tuple(sorted(shown, key=lambda notice: (notice.until, notice.batch_id)))


def read_notice(work: Work, *, batch_id: UUID) -> Notice:
    """Return a batch under public notice with its lines; NotFound before and after it."""
    work.actor.require(Permission.READ_FUND)
    rows = batches.batch_rows(work.session, batch_id=batch_id, status=BatchStatus.NOTICE)
    if not rows or rows[0].notice_until <= work.now:
        raise NotFound("claim.no_notice", msg("该批次不在公示期内。请从公示列表中打开。"))
    found = lines.line_rows(work.session, ClaimLine.batch_id == batch_id, ClaimLine.status == LineStatus.CLAIMED)
    return _notice(
        rows[0],
        tuple(
            NoticeLine(
                park_name=line.park_name,
                programme_name=line.programme_name,
                programme_name_en=line.programme_name_en,
                title=line.title or "",
                amount_fen=line.due_fen,
                exemption=line.exemption,
            )
            for line in line_views(work, found)
            if line.due_fen
        ),
    )


def record_objection(work: Work, *, line_id: UUID, objector: str, reason: str) -> ObjectionView:
    """Record who objects to a line during its notice, and why; it is not paid until a reviewer has decided.

    Raises Invalid for a missing name or reason, Conflict outside the notice, and ``claim.objected`` while another
    objection to the line is open.
    """
    work.actor.require(Permission.CLAIM)
    person = work.actor.require_person()
    _required(objector=objector, reason=reason)
    rows = lines.line_rows(work.session, ClaimLine.id == line_id)
    if not rows:
        raise no_line()
    batch = _locked(work, rows[0].batch_id)
    if batch.status != BatchStatus.NOTICE or batch.notice_until is None or batch.notice_until <= work.now:
        raise Conflict("claim.no_notice", msg("该批次不在公示期内，不能登记异议。请按追回流程处理。"))
    (row,) = lines.line_rows(work.session, ClaimLine.id == line_id)
    if row.batch_id != batch.id or row.status != LineStatus.CLAIMED:
        raise Conflict("claim.line_settled", msg("所选明细已退回、放弃或进入拨付。请刷新后重试。"))
    if row.objected:
        raise Conflict("claim.objected", msg("该明细已有未处理的异议。请先处理后再登记。"))
    objection = ClaimObjection(
        tenant_id=row.tenant_id,
        id=new_id(),
        line_id=line_id,
        batch_id=batch.id,
        objector=objector.strip()[:200],
        reason=reason.strip()[:500],
        status="open",
        recorded_by=person,
        recorded_at=work.now,
        decided_by=None,
        decided_at=None,
        decision="",
    )
    work.session.add(objection)
    work.session.flush()
    note_step(
        work, tenant_id=row.tenant_id, line_id=line_id, batch_id=batch.id, kind="objected", reason=objection.reason
    )
    audit.record(work, "claim.object", "claim_line", line_id, tenant_id=row.tenant_id)
    return objection_view(objection)


def decide_objection(work: Work, *, objection_id: UUID, uphold: bool, decision: str) -> ObjectionView:
    """Decide on an objection that another person recorded: upheld, the line goes back; dismissed, it can be paid.

    Raises Invalid without a reason, Conflict ``claim.same_person`` and ``claim.objection_decided``.
    """
    work.actor.require(Permission.REVIEW_CLAIM)
    person = work.actor.require_person()
    _required(decision=decision)
    batch_id = work.session.execute(
        select(ClaimObjection.batch_id).where(ClaimObjection.id == objection_id)
    ).scalar_one_or_none()
    if batch_id is None:
        raise NotFound("claim.objection_not_found", msg("没有找到该异议。请从批次页面重新打开。"))
    batch = _locked(work, batch_id)
    objection = batches.lock_objection(work.session, objection_id)
    assert objection is not None  # noqa: S101 - it was there, and nothing deletes it
    if objection.status != "open":
        raise Conflict("claim.objection_decided", msg("该异议已处理。请刷新查看结果。"))
    if objection.recorded_by == person:
        raise Conflict("claim.same_person", msg("登记人不能处理自己登记的异议。请由另一位人员处理。"))
    objection.status = "upheld" if uphold else "dismissed"
    objection.decided_by, objection.decided_at, objection.decision = person, work.now, decision.strip()[:500]
    work.session.flush()
    if uphold:
        send_back(work, batch=batch, returns=[Return(objection.line_id, decision)])
    else:
        note_step(
            work,
            tenant_id=objection.tenant_id,
            line_id=objection.line_id,
            batch_id=batch.id,
            kind="objection_dismissed",
            reason=objection.decision,
        )
    audit.record(
        work, f"claim.objection.{objection.status}", "claim_line", objection.line_id, tenant_id=objection.tenant_id
    )
    return objection_view(objection)


def _locked(work: Work, batch_id: UUID) -> ClaimBatch:
    batch = batches.lock_batch(work.session, batch_id)
    if batch is None:
        raise no_batch()
    return batch


def _required(**texts: str) -> None:
    needed = msg("请填写此项。")
    errors = [FieldError(name, "field.required", needed) for name, text in texts.items() if not text.strip()]
    if errors:
        raise Invalid(
            "claim.text_needed", msg("有 {count} 项没有填写。请补充后重新提交。", count=len(errors)), errors=errors
        )


def _notice(row: AnyRow, shown: tuple[NoticeLine, ...]) -> Notice:
    return Notice(
        batch_id=row.id,
        fund_name=row.fund_name,
        fund_name_en=row.fund_name_en,
        period=row.period,
        begins=row.notice_from,
        until=row.notice_until,
        amount_fen=row.amount_fen,
        lines=shown,
    )
