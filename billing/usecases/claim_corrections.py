"""Lines that were sent back: completed with files and put into the next batch, or given up and their money returned.

For finance. A park completes the awards that it claimed itself where it claimed them.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from billing.rules import ledger
from billing.rules.claims import LineStatus, PayeeKind
from billing.rules.evidence import EvidenceKind
from billing.store import claim_line_queries as lines
from billing.store.claims import ClaimLine
from billing.usecases import evidence, evidence_register, uncapture
from billing.usecases.claim_intake import not_returned, note_step, resubmit_claim_line, withdraw_claim_line
from billing.usecases.claim_views import LineDetail, line_views
from billing.usecases.claims import no_line
from billing.usecases.evidence import EvidenceView, Upload
from billing.usecases.uncapture import Cause, Taken
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


def attach_evidence(work: Work, *, line_id: UUID, kind: EvidenceKind | str, file: Upload) -> EvidenceView:
    """Add a file to a line that is not under review: in an open batch, or sent back.

    One content proves one thing in the whole province. Raises Invalid for an unknown kind or an empty file, Conflict
    ``evidence.already_used`` and ``claim.under_review``.
    """
    work.actor.require(Permission.CLAIM)
    if kind not in set(EvidenceKind):
        wrong = msg("没有“{kind}”这种佐证材料。请从列表中选择。", kind=kind)
        raise Invalid("evidence.unknown_kind", wrong, errors=[FieldError("kind", "evidence.unknown_kind", wrong)])
    line = _line(work, line_id)
    open_line = line.status == LineStatus.CLAIMED and line.batch_status == "open"
    if not open_line and line.status != LineStatus.RETURNED:
        raise Conflict("claim.under_review", msg("该明细正在审核、公示或已办结，不能补充材料。请待其退回后补充。"))
    kept = evidence.keep(work, line.tenant_id, file)
    label = f"{line.order or line.id}"[:200]
    evidence_register.use(work, evidence=kept, kind=kind, used_for="claim_line", used_for_id=line_id, label=label)
    note_step(
        work,
        tenant_id=line.tenant_id,
        line_id=line_id,
        batch_id=line.batch_id,
        kind="attached",
        reason=f"{EvidenceKind(kind)}: {kept.name}",
        evidence_id=kept.id,
    )
    return kept


def complete_line(work: Work, *, line_id: UUID, note: str) -> LineDetail:
    """Put a line that was sent back into the next batch that is not under review, saying what was completed.

    Raises Invalid without a note, Conflict ``claim.not_returned``.
    """
    work.actor.require(Permission.CLAIM)
    _needed("note", note)
    line = _line(work, line_id)
    resubmit_claim_line(work, tenant_id=line.tenant_id, line_id=line_id, note=note.strip())
    audit.record(work, "claim.resubmit", "claim_line", line_id, tenant_id=line.tenant_id)
    return _line(work, line_id)


def give_up_line(work: Work, *, line_id: UUID, reason: str) -> LineDetail:
    """Give up a line that was sent back: its money goes back to the fund, its ceilings and the park's headroom.

    The provider bears it, since it delivered what is not paid; its files may prove something else again. Raises
    Invalid without a reason, Conflict ``claim.not_returned``, and ``claim.parks_own`` for an award that the park claimed
    itself and gives up itself.
    """
    work.actor.require(Permission.CLAIM)
    _needed("reason", reason)
    line = _line(work, line_id)
    if line.status != LineStatus.RETURNED:
        raise not_returned()
    if line.payee_kind == PayeeKind.TENANT or line.payee_id is None or line.mode != "instant":
        raise Conflict("claim.parks_own", msg("该笔补贴由园区申领，须由园区撤回。请通知园区办理。"))
    provider_id = line.payee_id

    def journal(taken: Sequence[Taken]) -> ledger.JournalDraft:
        return ledger.claim_given_up(
            fund_id=line.fund_id,
            provider_id=provider_id,
            source_id=str(line_id),
            occurred_at=work.now,
            amount_fen=sum(each.amount_fen for each in taken),
        )

    uncapture.lock_spent(work, hold_ids=[line.hold_id])
    withdraw_claim_line(work, tenant_id=line.tenant_id, line_id=line_id, reason=reason.strip())
    evidence_register.release(work, used_for="claim_line", used_for_id=line_id, reason="claim.given_up")
    audit.record(work, "claim.give_up", "claim_line", line_id, tenant_id=line.tenant_id, amount_fen=line.due_fen)
    uncapture.uncapture(
        work,
        cause=Cause("claim_line", line_id),
        amounts={line.hold_id: line.due_fen},
        reason="claim.given_up",
        journal=journal,
    )
    return _line(work, line_id)


def _line(work: Work, line_id: UUID) -> LineDetail:
    rows = lines.line_rows(work.session, ClaimLine.id == line_id)
    if not rows:
        raise no_line()
    return line_views(work, rows)[0]


def _needed(field: str, text: str) -> None:
    if not text.strip():
        needed = msg("请写明原因或说明。")
        raise Invalid("claim.reason_needed", needed, errors=[FieldError(field, "field.required", needed)])
