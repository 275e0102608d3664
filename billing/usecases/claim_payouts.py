"""Disbursement (拨付): after its public notice a batch is paid out, one payment per payee, each recorded once.

A payment is recorded in one transaction: the payout, its lines, the journal, and the fund's ``captured -> disbursed``
per hold. A crash leaves it recorded or pending; a repeat with the same reference and day changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from billing.rules import ledger
from billing.rules.claims import BatchStatus, DueLine, DuePayout, LineStatus, payouts_of
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import claim_batch_queries as batches
from billing.store import claim_intake
from billing.store import claim_line_queries as lines
from billing.store.books import post_journal
from billing.store.claims import ClaimBatch, ClaimLine, Payout
from billing.usecases import set_offs, uncapture
from billing.usecases.claim_review import finish_if_nothing_left
from billing.usecases.claim_views import PayoutView, payout_views
from billing.usecases.claims import no_batch
from tenants.kernel.clock import CHINA
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

LONGEST_REFERENCE = 100


def prepare_payouts(work: Work, *, batch_id: UUID) -> tuple[PayoutView, ...]:
    """Draw up one payout per payee for the lines of a batch that can be paid now, and return all of the batch's. What a
    provider owes from clawbacks is set off.

    A line with an open objection waits; once it is decided, this is called again. Raises Conflict before the notice has
    ended, for its reviewers, and when there is nothing to draw up.
    """
    work.actor.require(Permission.DISBURSE)
    person = work.actor.require_person()
    batch = batches.lock_batch(work.session, batch_id)
    if batch is None:
        raise no_batch()
    _check_due(work, batch, person)
    rows = lines.line_rows(
        work.session,
        ClaimLine.batch_id == batch_id,
        ClaimLine.status == LineStatus.CLAIMED,
        ClaimLine.payout_id.is_(None),
    )
    due = payouts_of(
        [
            DueLine(row.tenant_id, row.id, row.payee_kind, row.payee_id, row.due_fen, row.mode == "instant")
            for row in rows
            if row.due_fen and not row.objected
        ]
    )
    if not due:
        raise Conflict("claim.nothing_due", msg("没有可以拨付的明细：已全部列入拨付，或异议尚未处理。请刷新查看。"))
    for each in due:
        _draw_up(work, batch, each, person)
    batch.status = BatchStatus.DISBURSED
    work.session.flush()
    audit.record(work, "claim.payouts", "claim_batch", batch_id, payouts=len(due))
    return payout_views(work, batches.payouts_of_batch(work.session, batch_id))


def record_payment(work: Work, *, payout_id: UUID, payment_reference: str, paid_on: date) -> PayoutView:
    """Record the treasury's payment of a payout; the batch is done with the last one.

    A repeat with the same reference and day changes nothing. Raises Conflict ``payout.settled`` for another payment of
    one that is paid, ``payout.same_person`` for a reviewer, ``payout.reference_used``, and ``payout.amount_changed``
    when money of its lines went back to the fund since it was drawn up; Invalid for a day that cannot be.
    """
    work.actor.require(Permission.DISBURSE)
    person = work.actor.require_person()
    reference = _reference(payment_reference)
    batch, payout = _locked(work, payout_id)
    if payout.status == "paid" and (payout.payment_reference, payout.paid_on) == (reference, paid_on):
        return _view(work, payout)
    _check_open(payout)
    _check_payer(batch, person)
    _check_day(work, batch, paid_on)
    rows = lines.line_rows(work.session, ClaimLine.payout_id == payout_id)
    paid = {row.hold_id for row in rows}
    spent = uncapture.lock_spent(work, hold_ids={*paid, *set_offs.holds_of(work, payout_id)})
    if sum(each.unpaid_fen for each in spent if each.hold_id in paid) != payout.amount_fen:
        raise Conflict(
            "payout.amount_changed",
            msg("拨付单生成后有补贴退回，金额已变化。请取消该拨付单并重新生成。"),
        )
    _mark_paid(work, payout, reference, paid_on, person)
    repaid = set_offs.repay(work, payout, reference, paid_on)
    batches.set_lines_of_payout(work.session, payout_id, status=LineStatus.PAID)
    _note(work, rows, payout.batch_id, "paid", reference)
    _post(work, batch, payout, rows)
    audit.record(work, "claim.pay", "payout", payout_id, amount_fen=payout.amount_fen, reference=reference)
    finish_if_nothing_left(work, batch)
    uncapture.disburse(work, hold_ids=paid, reason=f"payout {reference}", repaid=repaid)
    return _view(work, payout)


def cancel_payout(work: Work, *, payout_id: UUID, reason: str) -> PayoutView:
    """Take back a payout that was not paid, so that its lines can be drawn up anew; a repeat changes nothing."""
    work.actor.require(Permission.DISBURSE)
    person = work.actor.require_person()
    if not reason.strip():
        needed = msg("请写明取消原因。")
        raise Invalid("payout.reason_needed", needed, errors=[FieldError("reason", "field.required", needed)])
    batch, payout = _locked(work, payout_id)
    if payout.status == "cancelled":
        return _view(work, payout)
    _check_open(payout)
    _check_payer(batch, person)
    rows = lines.line_rows(work.session, ClaimLine.payout_id == payout_id)
    payout.status = "cancelled"
    work.session.flush()
    batches.set_lines_of_payout(work.session, payout_id, payout_id=None)
    _note(work, rows, payout.batch_id, "payout_cancelled", reason.strip())
    audit.record(work, "claim.payout_cancelled", "payout", payout_id, reason=reason.strip()[:200])
    finish_if_nothing_left(work, batch)
    return _view(work, payout)


def _check_due(work: Work, batch: ClaimBatch, person: UUID) -> None:
    if batch.status not in {BatchStatus.NOTICE, BatchStatus.DISBURSED} or batch.notice_until is None:
        raise Conflict("claim.not_noticed", msg("该批次尚未复审公示，或已办结，不能拨付。请刷新查看进度。"))
    if work.now < batch.notice_until:
        raise Conflict(
            "claim.under_notice",
            msg(
                "公示期至 {until} 结束，期满前不能拨付。请在期满后办理。",
                until=f"{batch.notice_until.astimezone(CHINA):%Y-%m-%d %H:%M}",
            ),
        )
    _check_payer(batch, person)


def _check_payer(batch: ClaimBatch, person: UUID) -> None:
    if person in {batch.first_reviewed_by, batch.second_reviewed_by}:
        raise Conflict("payout.same_person", msg("审核人不能办理同一批次的拨付。请由另一位人员办理。"))


def _check_open(payout: Payout) -> None:
    if payout.status != "pending":
        raise Conflict("payout.settled", msg("该拨付单已付款或已取消，不能再次办理。请刷新查看。"))


def _check_day(work: Work, batch: ClaimBatch, paid_on: date) -> None:
    assert batch.notice_until is not None  # noqa: S101 - the database holds it for a batch that has payouts
    first, last = local_day(batch.notice_until, DEFAULT_ZONE), local_day(work.now, DEFAULT_ZONE)
    if not first <= paid_on <= last:
        wrong = msg("付款日期须在公示期满（{first}）之后，且不晚于今天（{last}）。请改正。", first=first, last=last)
        raise Invalid("payout.bad_day", wrong, errors=[FieldError("paid_on", "payout.bad_day", wrong)])


def _reference(text: str) -> str:
    found = text.strip()
    if not found or len(found) > LONGEST_REFERENCE or not found.isprintable():
        wrong = msg("请填写付款凭证号，不超过 {most} 个字符。", most=LONGEST_REFERENCE)
        raise Invalid("payout.bad_reference", wrong, errors=[_at_reference("payout.bad_reference", wrong)])
    return found


def _at_reference(code: str, message: Message) -> FieldError:
    return FieldError("payment_reference", code, message)


def _draw_up(work: Work, batch: ClaimBatch, due: DuePayout, person: UUID) -> None:
    payout_id = new_id()
    kept = set_offs.keep_back(work, payee_kind=due.payee_kind, payee_id=due.payee_id, most_fen=due.price_fen)
    work.session.execute(
        insert(Payout).values(
            id=payout_id,
            batch_id=batch.id,
            first_reviewed_by=batch.first_reviewed_by,
            second_reviewed_by=batch.second_reviewed_by,
            payee_kind=due.payee_kind,
            payee_id=due.payee_id,
            amount_fen=due.amount_fen,
            set_off_fen=sum(each.amount_fen for each in kept),
            status="pending",
            prepared_by=person,
            created_at=work.now,
        )
    )
    work.session.execute(
        update(ClaimLine)
        .where(ClaimLine.batch_id == batch.id, ClaimLine.id.in_([line.line_id for line in due.lines]))
        .values(payout_id=payout_id)
        .execution_options(synchronize_session=False)
    )
    set_offs.note_kept(work, payout_id, kept)


def _locked(work: Work, payout_id: UUID) -> tuple[ClaimBatch, Payout]:
    """Return a payout and its batch under lock; the batch first, as everybody takes them."""
    batch_id = batches.batch_of_payout(work.session, payout_id)
    batch = None if batch_id is None else batches.lock_batch(work.session, batch_id)
    payout = batches.lock_payout(work.session, payout_id)
    if batch is None or payout is None:
        raise NotFound("payout.not_found", msg("没有找到该拨付单。请从批次页面重新打开。"))
    return batch, payout


def _mark_paid(work: Work, payout: Payout, reference: str, paid_on: date, person: UUID) -> None:
    """Write the payment down. The unique key decides between two that bring one reference."""
    used = msg("付款凭证号 {reference} 已登记在另一笔拨付上。请核对后填写。", reference=reference)
    conflict = Conflict("payout.reference_used", used, errors=[_at_reference("payout.reference_used", used)])
    if batches.reference_in_use(work.session, reference):
        raise conflict
    payout.status, payout.payment_reference, payout.paid_on = "paid", reference, paid_on
    payout.paid_by, payout.paid_at = person, work.now
    try:
        work.session.flush()
    except IntegrityError as error:
        raise conflict from error


def _note(work: Work, rows: Sequence[AnyRow], batch_id: UUID, kind: str, reason: str) -> None:
    claim_intake.insert_steps(
        work.session,
        [
            claim_intake.step_row(work.now, work.actor.user_id, row.tenant_id, row.id, batch_id, kind, reason)
            for row in rows
        ],
    )


def _post(work: Work, batch: ClaimBatch, payout: Payout, rows: Sequence[AnyRow]) -> None:
    """Post what the fund has paid: for services it owed, and for what it owed parks that had paid all themselves."""
    owed_fen, by_park = 0, dict[UUID, int]()
    for row in rows:
        if row.mode == "instant":
            owed_fen += row.due_fen
        else:
            by_park[row.tenant_id] = by_park.get(row.tenant_id, 0) + row.due_fen
    drafts = [
        ledger.later_grant_paid(
            park_id=park_id,
            source_id=f"{payout.id}:{park_id}",
            occurred_at=work.now,
            by_fund={batch.fund_id: by_park[park_id]},
        )
        for park_id in sorted(by_park)
    ]
    if owed_fen:
        drafts.append(
            ledger.disbursement(
                fund_id=batch.fund_id, source_id=str(payout.id), occurred_at=work.now, amount_fen=owed_fen
            )
        )
    for draft in drafts:
        post_journal(work.session, draft, user_id=work.actor.user_id)


def _view(work: Work, payout: Payout) -> PayoutView:
    found = [each for each in batches.payouts_of_batch(work.session, payout.batch_id) if each[0].id == payout.id]
    return payout_views(work, found)[0]
