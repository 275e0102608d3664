"""A batch on its way: submitted by finance, reviewed by two others, and shown in public. Lines that fail go back.

Each step locks the batch, so that of two who decide at once the second finds it decided; that the three are different
people is checked here, for a sentence, and by the database, for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.rules.claims import (
    LONGEST_NOTICE,
    NOTICE_DAYS,
    SHORTEST_NOTICE,
    BatchStatus,
    LineStatus,
    Proof,
    end_after_days,
)
from billing.rules.periods import month_name
from billing.store import claim_batch_queries as batches
from billing.store import claim_intake
from billing.store import claim_line_queries as lines
from billing.store.claims import ClaimBatch, ClaimLine
from billing.usecases.acceptances import accept_silent
from billing.usecases.claim_views import BatchView, LineDetail, line_views
from billing.usecases.claims import no_batch, no_line, read_batch
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

TOLD_AT_ONCE = 50
"""How many incomplete lines a refusal names."""


@dataclass(frozen=True)
class Return:
    """A line that a reviewer sends back, and why."""

    line_id: UUID
    reason: str


def submit_batch(work: Work, *, batch_id: UUID, defer_incomplete: bool = False) -> BatchView:
    """Submit a month's batch for review once the month is over, with the evidence of every line as it stands now.

    Lines that lack proofs stop it, or with ``defer_incomplete`` go to the next month's batch. Raises Conflict
    ``claim.month_running``, ``claim.incomplete`` (which lines lack what), ``claim.empty``, and ``claim.submitted`` for a
    batch that is submitted already.
    """
    work.actor.require(Permission.CLAIM)
    person = work.actor.require_person()
    fund_id = batches.fund_of_batch(work.session, batch_id)
    if fund_id is None:
        raise no_batch()
    claim_intake.own_fund(work.session, fund_id)
    batch = _locked(work, batch_id)
    if batch.status != BatchStatus.OPEN:
        raise Conflict("claim.submitted", msg("该批次已提交审核。请刷新查看进度。"))
    if batch.period >= month_name(work.now):
        raise Conflict("claim.month_running", msg("{period} 尚未结束，不能提交。请在次月提交。", period=batch.period))
    found = _complete_lines(work, batch, defer_incomplete=defer_incomplete)
    batch.status, batch.submitted_by, batch.submitted_at = BatchStatus.FIRST_REVIEW, person, work.now
    work.session.flush()
    claim_intake.insert_steps(
        work.session,
        [
            claim_intake.step_row(
                work.now, person, each.tenant_id, each.id, batch_id, "submitted", details=each.proofs()
            )
            for each in found
        ],
    )
    audit.record(work, "claim.submit", "claim_batch", batch_id, lines=len(found))
    return read_batch(work, batch_id=batch_id)


def review_batch(
    work: Work,
    *,
    batch_id: UUID,
    stage: str,
    returns: Sequence[Return] = (),
    notice_days: int = NOTICE_DAYS,
) -> BatchView:
    """Pass a batch's review (``first`` or ``second``); the lines in ``returns`` go back, all others are approved.

    After the second one the batch is shown in public for ``notice_days`` whole days, the day of the review not counted.
    A batch of which nothing is left is done. Raises Conflict ``claim.reviewed`` when it does not wait for this review,
    ``claim.same_person`` for who submitted or reviewed it before, and Invalid for returns without a reason.
    """
    work.actor.require(Permission.REVIEW_CLAIM)
    person = work.actor.require_person()
    if not SHORTEST_NOTICE <= notice_days <= LONGEST_NOTICE:
        wrong = msg("公示期须为 {least} 至 {most} 天。请改正。", least=SHORTEST_NOTICE, most=LONGEST_NOTICE)
        raise Invalid("claim.notice_days", wrong, errors=[FieldError("notice_days", "claim.notice_days", wrong)])
    batch = _under_review(work, batch_id, person, _stage(stage))
    _send_back(work, batch, returns)
    if batch.status == BatchStatus.FIRST_REVIEW:
        batch.first_reviewed_by, batch.first_reviewed_at = person, work.now
        batch.status = BatchStatus.SECOND_REVIEW
    else:
        batch.second_reviewed_by, batch.second_reviewed_at = person, work.now
        batch.notice_from, batch.notice_until = work.now, end_after_days(work.now, notice_days)
        batch.status = BatchStatus.NOTICE
    work.session.flush()
    finish_if_nothing_left(work, batch)
    audit.record(work, f"claim.review.{stage}", "claim_batch", batch_id, returned=len(returns))
    return read_batch(work, batch_id=batch_id)


def return_lines(work: Work, *, batch_id: UUID, stage: str, returns: Sequence[Return]) -> BatchView:
    """Send lines back without passing the review yet. Raises as ``review_batch`` does."""
    work.actor.require(Permission.REVIEW_CLAIM)
    person = work.actor.require_person()
    batch = _under_review(work, batch_id, person, _stage(stage))
    if not returns:
        needed = msg("请选择要退回的明细。")
        raise Invalid("claim.nothing_returned", needed, errors=[FieldError("returns", "field.required", needed)])
    _send_back(work, batch, returns)
    finish_if_nothing_left(work, batch)
    audit.record(work, "claim.return", "claim_batch", batch_id, returned=len(returns))
    return read_batch(work, batch_id=batch_id)


def send_back(work: Work, *, batch: ClaimBatch, returns: Sequence[Return]) -> None:
    """Send lines of a locked batch back, for use cases that have asked for their own permission."""
    _send_back(work, batch, returns)
    finish_if_nothing_left(work, batch)


def finish_if_nothing_left(work: Work, batch: ClaimBatch) -> None:
    """Close a locked batch of which no line waits for its money any more."""
    work.session.flush()
    if batch.status != BatchStatus.OPEN and not batches.lines_left(work.session, batch.id):
        batch.status, batch.done_at = BatchStatus.DONE, work.now
        work.session.flush()


def _complete_lines(work: Work, batch: ClaimBatch, *, defer_incomplete: bool) -> Sequence[LineDetail]:
    """Accept what was left in silence, and return the lines that can be submitted; the others are deferred or told."""
    found = _claimed(work, batch)
    if accept_silent(work, found):
        found = _claimed(work, batch)
    incomplete = [line for line in found if line.missing]
    if incomplete and not defer_incomplete:
        raise _incomplete(incomplete)
    complete = [line for line in found if not line.missing]
    if not complete:
        raise Conflict("claim.empty", msg("该批次没有材料齐全的明细，不能提交。请先补齐材料。"))
    if incomplete:
        _defer(work, batch, incomplete)
    return complete


def _claimed(work: Work, batch: ClaimBatch) -> Sequence[LineDetail]:
    rows = lines.line_rows(work.session, ClaimLine.batch_id == batch.id, ClaimLine.status == LineStatus.CLAIMED)
    return [line for line in line_views(work, rows) if line.due_fen]


def _defer(work: Work, batch: ClaimBatch, incomplete: Sequence[LineDetail]) -> None:
    following = claim_intake.next_month(batch.period)
    into = claim_intake.open_batch(work.session, batch.fund_id, following, work.now)
    for line in incomplete:
        claim_intake.set_line(
            work.session,
            line.tenant_id,
            line.id,
            before=LineStatus.CLAIMED,
            status=LineStatus.CLAIMED,
            batch_id=into,
        )
    claim_intake.insert_steps(
        work.session,
        [
            claim_intake.step_row(
                work.now, work.actor.user_id, line.tenant_id, line.id, batch.id, "deferred",
                details={"missing": list(line.missing)},
            )
            for line in incomplete
        ],
    )  # fmt: skip


def _incomplete(found: Sequence[LineDetail]) -> Conflict:
    return Conflict(
        "claim.incomplete",
        msg("有 {count} 笔明细材料不全。请补齐，或选择顺延至下月批次后提交。", count=len(found)),
        errors=[
            FieldError(f"lines.{line.id}", f"claim.missing.{proof}", _lacking(proof, str(line.order or line.id)))
            for line in found[:TOLD_AT_ONCE]
            for proof in line.missing
        ],
    )


def _lacking(proof: Proof, order: str) -> Message:
    """Say what the line of an order lacks, and who can help."""
    match proof:
        case Proof.PAYEE:
            return msg("订单 {order} 没有收款方。请联系运营方登记服务机构。", order=order)
        case Proof.ORDER:
            return msg("明细 {order} 没有订单编号。请联系运营方核对。", order=order)
        case Proof.METERING:
            return msg("订单 {order} 没有计量记录。请联系运营方核对。", order=order)
        case Proof.ACCEPTANCE:
            return msg("订单 {order} 尚未验收，或园区提出了异议。请联系园区确认。", order=order)
        case Proof.REPORT:
            return msg("订单 {order} 没有交付成果的哈希。请联系服务机构补交。", order=order)
        case Proof.INVOICE:
            return msg("订单 {order} 尚未开票。请先开具账单。", order=order)
        case Proof.PAYMENT:
            return msg("订单 {order} 的园区自付部分尚未付清。请联系园区付款。", order=order)


def _locked(work: Work, batch_id: UUID) -> ClaimBatch:
    batch = batches.lock_batch(work.session, batch_id)
    if batch is None:
        raise no_batch()
    return batch


def _stage(text: str) -> BatchStatus:
    stages = {"first": BatchStatus.FIRST_REVIEW, "second": BatchStatus.SECOND_REVIEW}
    if text not in stages:
        wrong = msg("审核环节须为 first（初审）或 second（复审）。")
        raise Invalid("claim.unknown_stage", wrong, errors=[FieldError("stage", "claim.unknown_stage", wrong)])
    return stages[text]


def _under_review(work: Work, batch_id: UUID, person: UUID, stage: BatchStatus) -> ClaimBatch:
    """Return a batch under lock that waits for this review by this person."""
    batch = _locked(work, batch_id)
    if batch.status != stage:
        raise Conflict("claim.reviewed", msg("该批次不在此审核环节，可能已由他人审核。请刷新查看进度。"))
    if person == batch.submitted_by:
        raise _same_person(msg("提交人不能审核自己提交的批次。请由另一位人员审核。"))
    if person == batch.first_reviewed_by:
        raise _same_person(msg("初审人不能复审同一批次。请由另一位人员复审。"))
    return batch


def _same_person(message: Message) -> Conflict:
    return Conflict("claim.same_person", message)


def _send_back(work: Work, batch: ClaimBatch, returns: Sequence[Return]) -> None:
    """Mark lines of a batch as sent back, each with its reason."""
    errors = [
        FieldError(f"returns[{index}].reason", "field.required", msg("请写明退回原因。"))
        for index, each in enumerate(returns)
        if not each.reason.strip()
    ]
    if errors:
        raise Invalid("claim.reason_needed", msg("退回须写明原因。请逐笔填写。"), errors=errors)
    wanted = {each.line_id: each.reason.strip() for each in returns}
    if not wanted:
        return
    rows = lines.line_rows(work.session, ClaimLine.batch_id == batch.id, ClaimLine.id.in_(wanted))
    if len(rows) != len(wanted):
        raise no_line()
    steps = []
    for row in rows:
        if row.payout_id is not None or not claim_intake.set_line(
            work.session, row.tenant_id, row.id, before=LineStatus.CLAIMED, status=LineStatus.RETURNED
        ):
            raise Conflict("claim.line_settled", msg("所选明细已退回、放弃或进入拨付，不能退回。请刷新后重试。"))
        steps.append(
            claim_intake.step_row(
                work.now, work.actor.user_id, row.tenant_id, row.id, batch.id, "returned", wanted[row.id]
            )
        )
    claim_intake.insert_steps(work.session, steps)
