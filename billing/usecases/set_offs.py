"""Set-off (抵扣): what a provider owes from clawbacks is kept back from its payouts, the oldest case first.

How much is settled when a payout is drawn up, and repaid in the transaction that records its payment; a payout that is
cancelled lets go of it. Only what pays the price of services is set off: a grant that a provider passes on is the park's.
Funds of one treasury are set off against each other: the paying fund has spent the whole payout, and what is kept back
returns to the fund that it is owed to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.rules import clawback_books
from billing.rules.claims import PayeeKind, set_off
from billing.rules.clawback_books import Debt
from billing.rules.clawbacks import ClawbackStatus, RepaymentMethod
from billing.rules.money import allocate
from billing.store import clawback_queries
from billing.store import set_offs as store
from billing.store.books import post_journal
from billing.store.claims import Payout
from billing.store.clawback_queries import Part
from billing.store.clawbacks import Clawback
from billing.store.set_offs import SetOffRow
from billing.usecases.clawback_cases import outstanding, sum_by_fund
from billing.usecases.uncapture import Cause, GivenBack
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class Kept:
    """What of a payout is kept back for one case."""

    clawback_id: UUID
    tenant_id: UUID
    amount_fen: int


def keep_back(work: Work, *, payee_kind: str, payee_id: UUID, most_fen: int) -> tuple[Kept, ...]:
    """Return what is kept back of a payee's payout, at most ``most_fen``, with the cases under lock; for use cases that
    have asked for their own permission. What other payouts keep back already is not kept back twice.
    """
    if payee_kind != PayeeKind.PROVIDER or not most_fen:
        return ()
    cases = store.lock_owing(work.session, payee_id)
    kept_before = store.pending_by_case(work.session, [case.id for case in cases])
    owed = [outstanding(case)[0] - kept_before.get(case.id, 0) for case in cases]
    parts = zip(cases, set_off(most_fen, owed), strict=True)
    return tuple(Kept(case.id, case.tenant_id, fen) for case, fen in parts if fen)


def note_kept(work: Work, payout_id: UUID, kept: Sequence[Kept]) -> None:
    """Write down what of a new payout is kept back."""
    store.insert_set_offs(work.session, [vars(each) | {"payout_id": payout_id} for each in kept])


def holds_of(work: Work, payout_id: UUID) -> set[UUID]:
    """Return the holds whose money a payout pays back; a transaction locks them with the holds that it pays out."""
    ids = {row.clawback_id for row in store.set_off_rows(work.session, payout_ids=[payout_id])}
    return {part.hold_id for parts in clawback_queries.parts_of(work.session, ids).values() for part in parts}


def repay(work: Work, payout: Payout, reference: str, paid_on: date) -> tuple[GivenBack, ...]:
    """Let a payout that is being paid repay its cases, and return what goes back to the funds; their holds are locked.

    Raises Conflict ``payout.amount_changed`` when a case asks less by now: it was repaid or given up meanwhile.
    """
    found = store.set_off_rows(work.session, payout_ids=[payout.id])
    cases = {
        row.clawback_id: clawback_queries.case_of(work.session, row.clawback_id, lock=True)
        for row in sorted(found, key=lambda each: each.clawback_id)
    }
    given = []
    for row in found:
        case = cases[row.clawback_id]
        assert case is not None, "a set-off names its case"  # noqa: S101 - held by a foreign key
        if outstanding(case)[0] < row.amount_fen:
            raise Conflict(
                "payout.amount_changed",
                msg("拨付单生成后应抵扣的追回款已变化。请取消该拨付单并重新生成。"),
            )
        given.append(_repay(work, case, row, reference, paid_on))
    return tuple(given)


def set_offs_of(work: Work, payout_ids: Collection[UUID]) -> dict[UUID, tuple[SetOffRow, ...]]:
    """Return the set-offs of some payouts, for views that have asked for their own permission."""
    found: dict[UUID, list[SetOffRow]] = {payout_id: [] for payout_id in payout_ids}
    for row in store.set_off_rows(work.session, payout_ids=payout_ids) if payout_ids else ():
        found[row.payout_id].append(row)
    return {payout_id: tuple(rows) for payout_id, rows in found.items()}


def _repay(work: Work, case: Clawback, row: SetOffRow, reference: str, paid_on: date) -> GivenBack:
    parts = clawback_queries.parts_of(work.session, [case.id])[case.id]
    repayment_id = new_id()
    values = {
        "tenant_id": case.tenant_id,
        "id": repayment_id,
        "clawback_id": case.id,
        "method": RepaymentMethod.SET_OFF,
        "reference": f"{reference} · {case.number}",
        "amount_fen": row.amount_fen,
        "received_on": paid_on,
        "recorded_by": work.actor.user_id,
        "recorded_at": work.now,
    }
    if not clawback_queries.insert_repayment(work.session, values):
        raise RuntimeError(f"payout {row.payout_id} has repaid case {case.number} before")
    store.note_repayment(work.session, row.payout_id, case.id, repayment_id)
    case.repaid_fund_fen += row.amount_fen
    work.session.flush()
    if outstanding(case) == (0, 0):
        case.status, case.closed_at = ClawbackStatus.CLOSED, work.now
        work.session.flush()
    amounts = _share(work, case, parts, row.amount_fen)
    draft = clawback_books.set_off(
        Debt(case.bearer, case.bearer_id),
        source_id=str(repayment_id),
        occurred_at=work.now,
        by_fund=sum_by_fund(amounts, {part.hold_id: part.fund_id for part in parts}),
    )
    post_journal(work.session, draft, user_id=work.actor.user_id)
    audit.record(
        work, "clawback.set_off", "clawback", case.id, tenant_id=case.tenant_id, amount_fen=row.amount_fen,
        payout_id=str(row.payout_id), reference=reference,
    )  # fmt: skip
    return GivenBack(Cause("clawback_repayment", repayment_id), amounts)


def _share(work: Work, case: Clawback, parts: Sequence[Part], amount_fen: int) -> dict[UUID, int]:
    """Split a repayment over a case's holds by what is outstanding of each, and note it."""
    shares = allocate(amount_fen, [part.outstanding_fen for part in parts])
    amounts = {part.hold_id: fen for part, fen in zip(parts, shares, strict=True) if fen}
    for hold_id, fen in amounts.items():
        clawback_queries.change_part(work.session, case.id, hold_id, repaid_fen=fen)
    return amounts
