"""Case-by-case decisions: written by an officer, approved by two others, in force until they expire or are revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.formats.documents import read_document
from billing.formats.exemptions import ExemptTermsDocument, terms_json
from billing.rules.exemptions import ExemptTerms, check_terms
from billing.rules.known_facts import KNOWN_FACTS
from billing.rules.money import MAX_FEN
from billing.store import exemption_queries
from billing.store.exemptions import FIRST_APPROVED, IN_FORCE, REVOKED, SUBMITTED, Exemption
from billing.store.programme_queries import all_programmes
from billing.store.programmes import Programme
from billing.usecases import evidence
from billing.usecases.exemption_views import ExemptionState, ExemptionUseView, ExemptionView, view_of
from billing.usecases.pricing import is_priced
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, encode_cursor
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit, onboarding

__all__ = [
    "ExemptionState", "ExemptionUseView", "ExemptionView", "ExemptionWish", "approve_exemption", "keep_decision",
    "list_exemption_uses",
    "list_exemptions", "read_exemption", "revoke_exemption", "submit_exemption",
]  # fmt: skip

MOST_ORDERS = 10_000
LONGEST_REASON = 500
_NO_PARK = msg("没有这个园区。请从园区列表中选择。")


@dataclass(frozen=True)
class ExemptionWish:
    """What an officer asks the approvers for. ``terms`` as ``formats.exemptions.ExemptTermsDocument`` reads them."""

    park_id: UUID
    programme: str
    terms: Mapping[str, Any]
    limit_fen: int
    document_no: str
    evidence_id: UUID
    reason: str
    expires_at: datetime
    offering: str | None = None
    order_limit: int | None = None


def keep_decision(work: Work, *, park_id: UUID, file: evidence.Upload) -> evidence.EvidenceView:
    """Keep the document that a decision about a park stands on, before the decision itself.

    Raises Invalid for a park that is not there and an empty file, TooLarge for one above ``evidence.MOST_BYTES``.
    """
    work.actor.require(Permission.WRITE_EXEMPTION)
    if park_id not in onboarding.park_names(work, park_ids={park_id}):
        raise Invalid("exemption.no_park", _NO_PARK, errors=[FieldError("park_id", "exemption.no_park", _NO_PARK)])
    kept = evidence.keep(work, park_id, file, field="evidence")
    audit.record(work, "exemption.evidence", "evidence", kept.id, tenant_id=park_id, sha256=kept.sha256)
    return kept


def submit_exemption(work: Work, *, wish: ExemptionWish) -> ExemptionView:
    """Put a decision before the approvers, with the document that it stands on (see ``keep_decision``).

    Raises Invalid with every wrong field, Conflict when the same document already covers this park, programme and
    offering.
    """
    work.actor.require(Permission.WRITE_EXEMPTION)
    writer = work.actor.require_person()
    programme, terms = _checked(work, wish)
    exemption_id = new_id()
    row = {
        "tenant_id": wish.park_id,
        "id": exemption_id,
        "programme_id": programme.id,
        "offering": wish.offering or "",
        "order_limit": wish.order_limit,
        "terms": terms_json(terms),
        "limit_fen": wish.limit_fen,
        "document_no": wish.document_no.strip(),
        "evidence_id": wish.evidence_id,
        "reason": wish.reason.strip(),
        "expires_at": wish.expires_at,
        "status": SUBMITTED,
        "written_by": writer,
        "written_at": work.now,
        "revoked_reason": "",
    }
    if not rows_written(work.session, insert(Exemption).values(row).on_conflict_do_nothing()):
        taken = msg(
            "文号 {document} 已有针对该园区、政策与服务的批复。请核对文号，或先撤销原批复。", document=wish.document_no
        )
        raise Conflict(
            "exemption.document_taken", taken, errors=[FieldError("document_no", "exemption.document_taken", taken)]
        )
    audit.record(
        work, "exemption.submit", "exemption", exemption_id,
        tenant_id=wish.park_id, document_no=wish.document_no, limit_fen=wish.limit_fen,
    )  # fmt: skip
    return _read(work, exemption_id)


def approve_exemption(work: Work, *, exemption_id: UUID) -> ExemptionView:
    """Approve a decision as its first or its second approver; with the second it is in force at once.

    Raises Conflict ``exemption.same_person`` for its author and for whoever approved it before; the database refuses
    that, too. NotFound for one that is not there.
    """
    work.actor.require(Permission.APPROVE_EXEMPTION)
    approver = work.actor.require_person()
    row = _locked(work, exemption_id)
    if row.status not in {SUBMITTED, FIRST_APPROVED}:
        raise _closed(row)
    if row.expires_at <= work.now:
        raise Conflict("exemption.expired", msg("该批复的有效期已过，不能再审批。请按新的有效期重新提交。"))
    if approver in {row.written_by, row.first_approved_by}:
        raise Conflict(
            "exemption.same_person",
            msg("提交人与两位审批人须为三个不同的人，您已经办过这份批复。请由另一位审批人审批。"),
        )
    if row.status == SUBMITTED:
        row.status, row.first_approved_by, row.first_approved_at = FIRST_APPROVED, approver, work.now
    else:
        row.status, row.second_approved_by, row.second_approved_at = IN_FORCE, approver, work.now
    work.session.flush()
    audit.record(work, "exemption.approve", "exemption", row.id, tenant_id=row.tenant_id, status=row.status)
    return _read(work, row.id)


def revoke_exemption(work: Work, *, exemption_id: UUID, reason: str) -> ExemptionView:
    """End a decision, or turn it down before it is in force. What is held under it already stays as it is.

    Raises Invalid without a reason and Conflict when it was revoked before.
    """
    work.actor.require(Permission.REVOKE_EXEMPTION)
    person = work.actor.require_person()
    _say("reason", _text_fault(reason, LONGEST_REASON))
    row = _locked(work, exemption_id)
    if row.status == REVOKED:
        raise _closed(row)
    row.status, row.revoked_by, row.revoked_at, row.revoked_reason = REVOKED, person, work.now, reason.strip()
    work.session.flush()
    audit.record(work, "exemption.revoke", "exemption", row.id, tenant_id=row.tenant_id, reason=row.revoked_reason)
    return _read(work, row.id)


def read_exemption(work: Work, *, exemption_id: UUID) -> ExemptionView:
    """Return a decision; NotFound for another park's."""
    work.actor.require(Permission.READ_PROGRAMME)
    return _read(work, exemption_id)


def list_exemptions(
    work: Work, *, park_id: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Page[ExemptionView]:
    """Return decisions, newest first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_PROGRAMME)
    tenant_id = work.actor.tenant_id or park_id
    found = exemption_queries.page(work.session, tenant_id, decode_cursor(cursor), check_limit(limit) + 1)
    shown = found[:limit]
    last = shown[-1].row if len(found) > limit else None
    names = onboarding.park_names(work, park_ids={each.row.tenant_id for each in shown})
    return Page(
        items=tuple(view_of(each, names.get(each.row.tenant_id, ""), work.now) for each in shown),
        next_cursor=None if last is None else encode_cursor(last.written_at, last.id),
    )


def list_exemption_uses(work: Work, *, exemption_id: UUID) -> tuple[ExemptionUseView, ...]:
    """Return what order lines got under a decision, oldest first. NotFound for another park's."""
    work.actor.require(Permission.READ_PROGRAMME)
    row = _found(work, exemption_id).row
    return tuple(
        ExemptionUseView(
            order_line_id=use.order_line_id,
            quote_id=use.quote_id,
            programme=use.programme,
            version=use.version,
            offering=use.offering,
            amount_fen=use.amount_fen,
            held_fen=held,
            captured_fen=captured,
            status=status,
            created_at=use.created_at,
        )
        for use, held, captured, status in exemption_queries.uses_of(work.session, row.tenant_id, row.id)
    )


def _checked(work: Work, wish: ExemptionWish) -> tuple[Programme, ExemptTerms]:
    """Return the programme and the changed terms, or raise Invalid with everything that is wrong."""
    programme = next((each for each in all_programmes(work.session) if each.slug == wish.programme), None)
    terms, errors = _terms(wish.terms)
    errors += _scope_faults(work, wish, programme)
    errors += _limit_faults(work, wish)
    if errors or programme is None:
        raise Invalid(
            "exemption.invalid", msg("批复有 {count} 处问题。请按所列字段逐一改正。", count=len(errors)), errors=errors
        )
    return programme, terms


def _terms(document: Mapping[str, Any]) -> tuple[ExemptTerms, list[FieldError]]:
    try:
        terms = read_document(ExemptTermsDocument, dict(document)).to_rules()
    except Invalid as problem:
        return ExemptTerms(), [FieldError(f"terms.{each.field}", each.code, each.message) for each in problem.errors]
    strange = sorted(terms.waived_facts - KNOWN_FACTS.keys())
    errors = check_terms(terms)
    if strange:
        text = msg("没有这些条件：{facts}。请从政策使用的条件中选择。", facts="、".join(strange))
        errors.append(FieldError("terms.waived_facts", "exemption.unknown_fact", text))
    return terms, errors


def _scope_faults(work: Work, wish: ExemptionWish, programme: Programme | None) -> Iterable[FieldError]:
    if wish.park_id not in onboarding.park_names(work, park_ids={wish.park_id}):
        yield FieldError("park_id", "exemption.no_park", _NO_PARK)
    elif not exemption_queries.has_evidence(work.session, wish.park_id, wish.evidence_id):
        text = msg("没有关于该园区的这份批复文件。请先上传批复文件。")
        yield FieldError("evidence_id", "exemption.no_evidence", text)
    if programme is None:
        text = msg("没有补贴项目 {slug}。请从补贴政策列表中选择。", slug=wish.programme)
        yield FieldError("programme", "exemption.no_programme", text)
    if wish.offering is not None and not is_priced(work, wish.offering):
        text = msg("没有在售的服务 {slug}。请从服务目录中选择，或留空以适用于全部服务。", slug=wish.offering)
        yield FieldError("offering", "exemption.no_offering", text)


def _limit_faults(work: Work, wish: ExemptionWish) -> Iterable[FieldError]:
    if not 0 < wish.limit_fen <= MAX_FEN:
        yield FieldError("limit_fen", "field.range", msg("补贴总额须大于零。请改正金额。"))
    if wish.order_limit is not None and not 1 <= wish.order_limit <= MOST_ORDERS:
        text = msg("订单数须在 1 至 {most} 之间，不限订单数时请留空。", most=MOST_ORDERS)
        yield FieldError("order_limit", "field.range", text)
    if wish.expires_at <= work.now:
        yield FieldError("expires_at", "exemption.expiry", msg("有效期须晚于现在。请改正有效期。"))
    for field, typed, longest in (("document_no", wish.document_no, 200), ("reason", wish.reason, LONGEST_REASON)):
        fault = _text_fault(typed, longest)
        if fault is not None:
            yield FieldError(field, "field.text", fault)


def _text_fault(text: str, longest: int) -> Message | None:
    plain = text.strip()
    if plain and len(plain) <= longest and "\0" not in plain:
        return None
    return msg("须填写 1 至 {longest} 个字。", longest=longest)


def _say(field: str, fault: Message | None) -> None:
    if fault is not None:
        raise Invalid("exemption.text", fault, errors=[FieldError(field, "field.text", fault)])


def _locked(work: Work, exemption_id: UUID) -> Exemption:
    row = exemption_queries.lock(work.session, exemption_id)
    if row is None:
        raise _not_found()
    return row


def _found(work: Work, exemption_id: UUID) -> exemption_queries.FoundExemption:
    found: Sequence[exemption_queries.FoundExemption] = exemption_queries.find(
        work.session, Exemption.id == exemption_id
    )
    if not found:
        raise _not_found()
    return found[0]


def _read(work: Work, exemption_id: UUID) -> ExemptionView:
    found = _found(work, exemption_id)
    park = found.row.tenant_id
    return view_of(found, onboarding.park_names(work, park_ids={park}).get(park, ""), work.now)


def _closed(row: Exemption) -> Conflict:
    return Conflict(
        "exemption.wrong_status", msg("该批复目前为 {status} 状态，不能进行此操作。请刷新后再试。", status=row.status)
    )


def _not_found() -> NotFound:
    return NotFound("exemption.not_found", msg("没有找到该批复。请从列表中重新打开。"))
