"""Granting an award that comes later: claimed with evidence, or confirmed where the platform has all of it already.

One transaction takes the entitlement, the proofs, the journal, ceilings and funds, in that order, so that an award is
granted once and in whole, and nobody waits in a circle with a checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.entitlements import Grant, Standing, State, check_claimable, check_withdrawable
from billing.rules.evidence import EvidenceKind
from billing.rules.money import format_yuan
from billing.store import entitlement_queries as queries
from billing.store.books import post_journal
from billing.store.entitlement_queries import Paid
from billing.store.entitlements import Entitlement
from billing.store.fund_queries import ids_of_funds
from billing.usecases import entitlement_lines, evidence, evidence_register
from billing.usecases.entitlements import (
    NO_CLAIMS,
    EntitlementView,
    claims_of,
    find,
    paid_of,
    read_entitlement,
    standing_of,
    weigh_all,
)
from billing.usecases.evidence import EvidenceView, Upload
from billing.usecases.holds import AwardToHold, spend_at_once
from billing.usecases.quote_views import AwardView
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

NEEDED: Mapping[str, Message] = {
    EvidenceKind.CONTRACT: msg("合同"),
    EvidenceKind.INVOICE: msg("发票"),
    EvidenceKind.PAYMENT_PROOF: msg("付款凭证"),
}
"""What a claim of a ``reimburse`` award needs beside what the platform knows (order, metering, hash of the report)."""
REIMBURSE, AUTO = "reimburse", "auto"

Documents = Mapping[str, Upload | UUID]
"""By kind: a file as it comes in, or the id of one that was kept before."""


def keep_document(work: Work, *, entitlement_id: UUID, file: Upload) -> EvidenceView:
    """Keep a file for a claim that will name it by its id. NotFound for another park's entitlement."""
    work.actor.require(Permission.CLAIM_ENTITLEMENT)
    row = find(work, entitlement_id)
    return evidence.keep(work, row.tenant_id, file)


def claim_entitlement(
    work: Work, *, entitlement_id: UUID, amount_fen: int, documents: Documents
) -> EntitlementView:  # fmt: skip
    """Claim a ``reimburse`` award with its evidence, or complete a claim that a reviewer sent back.

    ``amount_fen`` is what the park was shown and agrees to; for a completed claim what was granted. Raises Invalid for
    missing documents, Conflict ``entitlement.amount_changed`` when ceilings or funds carry another amount by now,
    ``entitlement.nothing_left`` when they carry nothing, ``evidence.already_used`` for a file that proves something
    else, and ``entitlement.…`` for an award that cannot be claimed (any more).
    """
    work.actor.require(Permission.CLAIM_ENTITLEMENT)
    row, state, paid = _locked(work, entitlement_id)
    if row.mode != REIMBURSE:
        raise Conflict("entitlement.to_confirm", msg("本项补贴免申即享，无需上传材料，直接确认即可。"))
    kept = _documents(work, row, documents)
    for kind, view in kept.items():
        _use(work, row, paid, kind, view)
    row.evidence = {
        kind: {"evidence_id": str(view.id), "name": view.name, "sha256": view.sha256} for kind, view in kept.items()
    }
    if state is State.RETURNED:
        _complete(work, row, amount_fen)
    else:
        _grant(work, row, paid, amount_fen)
    return read_entitlement(work, entitlement_id=entitlement_id)


def confirm_entitlement(work: Work, *, entitlement_id: UUID, amount_fen: int) -> EntitlementView:
    """Accept what the platform found for the park: one confirmation of the amount, no application, no upload.

    Also resubmits one that a reviewer sent back. Raises as ``claim_entitlement`` does.
    """
    work.actor.require(Permission.CLAIM_ENTITLEMENT)
    row, state, paid = _locked(work, entitlement_id)
    if row.mode != AUTO:
        raise Conflict("entitlement.to_claim", msg("本项补贴须申领：请上传合同、发票和付款凭证后提交。"))
    if state is State.RETURNED:
        _complete(work, row, amount_fen)
    else:
        _grant(work, row, paid, amount_fen)
    return read_entitlement(work, entitlement_id=entitlement_id)


def withdraw_entitlement(work: Work, *, entitlement_id: UUID) -> EntitlementView:
    """Give an award up for good: before its claim, or after a reviewer sent it back; its money goes back to the funds.

    A repeat changes nothing. Raises Conflict while the claim is under review or after it was paid.
    """
    work.actor.require(Permission.CLAIM_ENTITLEMENT)
    row = find(work, entitlement_id, lock=True)
    if row.status == "withdrawn":
        return read_entitlement(work, entitlement_id=entitlement_id)
    state = check_withdrawable(_standing(work, row, paid_of(work, row)), work.now)
    row.status = "withdrawn"
    row.withdrawn_at = work.now
    work.session.flush()
    audit.record(work, "entitlement.withdraw", "entitlement", row.id, granted_fen=row.granted_fen or 0)
    if state is State.RETURNED:
        entitlement_lines.give_back(work, row)
    return read_entitlement(work, entitlement_id=entitlement_id)


def _locked(work: Work, entitlement_id: UUID) -> tuple[Entitlement, State, Paid]:
    """Return an entitlement under lock that may be claimed now: of two who claim it the second finds it claimed."""
    row = find(work, entitlement_id, lock=True)
    paid = paid_of(work, row)
    state = check_claimable(_standing(work, row, paid), work.now)
    return row, state, paid


def _standing(work: Work, row: Entitlement, paid: Paid) -> Standing:
    return standing_of(row, paid, claims_of(work, [row]).get(row.id, NO_CLAIMS))


def _documents(work: Work, row: Entitlement, given: Documents) -> dict[str, EvidenceView]:
    """Return the files of a claim by kind, kept; Invalid names every one that is missing or is not the park's."""
    missing = [
        FieldError(kind, "entitlement.document_missing", msg("请上传{name}。", name=name))
        for kind, name in NEEDED.items()
        if kind not in given
    ]
    if missing:
        raise Invalid(
            "entitlement.documents_missing",
            msg("申领还缺 {count} 份材料。请补齐后提交。", count=len(missing)),
            errors=missing,
        )
    found: dict[str, EvidenceView] = {}
    for kind in NEEDED:
        file = given[kind]
        found[kind] = (
            evidence.keep(work, row.tenant_id, file, field=kind)
            if isinstance(file, Upload)
            else evidence.open_evidence(work, evidence_id=file).view
        )
    return found


def _use(work: Work, row: Entitlement, paid: Paid, kind: str, file: EvidenceView) -> None:
    """Let a file prove what it is about, and nothing else.

    A contract is about an order; an invoice and its payment are about the platform's invoice, on which several lines
    may stand, or the order where there is none.
    """
    about, about_id = ("order", row.quote_id)
    if kind != EvidenceKind.CONTRACT and paid.invoice_id is not None:
        about, about_id = ("invoice", paid.invoice_id)
    evidence_register.use(work, evidence=file, kind=kind, used_for=about, used_for_id=about_id, label=row.reference)


def _grant(work: Work, row: Entitlement, paid: Paid, amount_fen: int) -> None:
    """Hold, capture and claim what ceilings and funds carry of an award, if it is what the park agreed to."""
    weighed = weigh_all(work, [row], {row.id: paid})[row.id]
    _check_amount(weighed.grant, amount_fen)
    row.status = "claimed"
    row.granted_fen = amount_fen
    row.granted_at = work.now
    row.claimed_by = work.actor.user_id
    row.weighed = weighed.document()
    work.session.flush()
    audit.record(work, "entitlement.claim", "entitlement", row.id, granted_fen=amount_fen, mode=row.mode)
    ids = ids_of_funds(work.session, weighed.grant.by_fund)
    by_fund = {ids[slug]: fen for slug, fen in weighed.grant.by_fund.items()}
    granted = ledger.later_grant(
        park_id=row.tenant_id, source_id=str(row.id), occurred_at=work.now, by_fund=by_fund
    )  # fmt: skip
    post_journal(work.session, granted, user_id=work.actor.user_id)
    entitlement_lines.open_batches(work, by_fund)
    award = replace(
        AwardView.from_document(row.award), amount_fen=amount_fen, by_fund=weighed.grant.by_fund
    )  # fmt: skip
    proof = _proof(work, row, paid)
    try:
        spend_at_once(
            work,
            AwardToHold(row.order_line_id, row.quote_id, row.offering, award, row.facts),
            before_draw=lambda held: entitlement_lines.enter(work, row, held, proof),
        )
    except Conflict as problem:
        if problem.code not in {"cap.reached", "cap.rolling_reached", "fund.exhausted"}:
            raise
        raise Conflict(
            "entitlement.amount_changed",
            msg("额度或资金刚被其他申请占用，本项可得金额已变化。请刷新页面，按新的金额确认。"),
        ) from problem


def _check_amount(grant: Grant, amount_fen: int) -> None:
    if not grant.amount_fen:
        raise Conflict(
            "entitlement.nothing_left",
            msg("额度或专项资金目前不足，本项暂无可得补贴。可在申领期限前待资金补充后再办理。"),
        )
    if grant.amount_fen != amount_fen:
        raise Conflict(
            "entitlement.amount_changed",
            msg(
                "本项补贴现在可得 {now} 元，您确认的是 {shown} 元。请按新的金额确认。",
                now=format_yuan(grant.amount_fen),
                shown=format_yuan(amount_fen),
            ),
            errors=[
                FieldError(
                    "amount_fen",
                    "entitlement.amount_changed",
                    msg("应为 {now} 元", now=format_yuan(grant.amount_fen)),
                )
            ],
        )


def _complete(work: Work, row: Entitlement, amount_fen: int) -> None:
    """Put a claim that was sent back in again with what the park brought; its money has stayed captured."""
    assert row.granted_fen is not None  # noqa: S101 - the database holds that what is claimed was granted
    if amount_fen != row.granted_fen:
        raise Conflict(
            "entitlement.amount_changed",
            msg(
                "已核定的金额为 {granted} 元，补正材料时不能更改。请按原金额提交。",
                granted=format_yuan(row.granted_fen),
            ),
        )
    work.session.flush()
    audit.record(work, "entitlement.complete", "entitlement", row.id, granted_fen=row.granted_fen)
    entitlement_lines.enter_again(work, row)


def _proof(work: Work, row: Entitlement, paid: Paid) -> dict[str, Any]:
    """Return the evidence of a grant: what the platform knows, and by hash what the park brought."""
    payment = (
        list(queries.payment_references(work.session, row.tenant_id, paid.invoice_id)) if paid.invoice_id else []
    )  # fmt: skip
    return {
        **row.proof,
        "entitlement": str(row.id),
        "mode": row.mode,
        "programme": row.programme,
        "version": row.version,
        "order": row.reference,
        "invoice": paid.invoice_number,
        "paid_by": paid.method,
        "payments": payment,
        "documents": {kind: each["sha256"] for kind, each in row.evidence.items()},
    }
