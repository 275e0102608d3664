"""A clawback case as it is written and shown; opened, decided and repaid in the use cases beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from billing.rules.clawbacks import Bearer, ClawbackCause, ClawbackStatus, RepaymentMethod
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import clawback_queries
from billing.store.clawback_queries import Part
from billing.store.clawbacks import Clawback, ClawbackRepayment
from billing.store.set_offs import SetOffRow, set_off_rows
from billing.store.usage import RatedUsage
from tenants.kernel.errors import NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit, onboarding


@dataclass(frozen=True)
class NewCase:
    """A case to be opened: fen by hold. One that comes from a return has asked them back already."""

    park_id: UUID
    order_line_id: UUID
    subject: str
    cause: ClawbackCause
    bearer: Bearer
    bearer_id: UUID
    amounts: Mapping[UUID, int]
    reason: str
    due_on: date
    return_id: UUID | None = None
    evidence_id: UUID | None = None


@dataclass(frozen=True)
class PartView:
    """What a case asks of one hold, in fen."""

    hold_id: UUID
    fund_id: UUID
    fund: str
    fund_name: str
    programme: str
    amount_fen: int
    withdrawn_fen: int
    recalled_fen: int
    repaid_fen: int


@dataclass(frozen=True)
class RepaymentView:
    """Money that came."""

    id: UUID
    method: RepaymentMethod
    reference: str
    amount_fen: int
    received_on: date
    recorded_at: datetime


@dataclass(frozen=True)
class ClawbackRow:
    """A case as a list shows it; ``outstanding_fen`` is what is asked back and has not come."""

    id: UUID
    number: str
    park_id: UUID
    park_name: str
    order_line_id: UUID
    subject: str
    return_id: UUID | None
    cause: ClawbackCause
    bearer: Bearer
    bearer_id: UUID
    bearer_name: str
    amount_fen: int
    due_on: date
    status: ClawbackStatus
    is_overdue: bool
    opened_at: datetime
    withdrawn_fen: int
    to_fund_fen: int
    to_seller_fen: int
    repaid_fen: int
    written_off_fen: int
    outstanding_fen: int


@dataclass(frozen=True)
class ClawbackView(ClawbackRow):
    """A case with its reason, people, parts and repayments."""

    reason: str
    evidence_id: UUID | None
    opened_by: UUID
    decided_by: UUID | None
    decided_at: datetime | None
    decision_note: str
    outstanding_fund_fen: int
    outstanding_seller_fen: int
    write_off_reason: str | None
    write_off_by: UUID | None
    write_off_approved_by: UUID | None
    closed_at: datetime | None
    parts: tuple[PartView, ...]
    repayments: tuple[RepaymentView, ...]
    set_offs: tuple[SetOffRow, ...]
    """What payouts keep back for it: repaid once they are paid. A park is told by the repayments alone."""


_MOVED = (
    "withdrawn_fen",
    "to_fund_fen",
    "to_seller_fen",
    "sale_back_fen",
    "vat_fen",
    "repaid_fund_fen",
    "repaid_seller_fen",
    "written_off_fen",
)
"""What a case has moved: nothing when it is opened."""


def instant_programmes(usage: RatedUsage) -> frozenset[str]:
    """Return the programmes that paid a part of a delivery's price; other grants on it came later, to the park."""
    return frozenset(str(award["programme"]) for award in usage.awards if award.get("mode", "instant") == "instant")


def sum_by_fund(amounts: Mapping[UUID, int], funds: Mapping[UUID, UUID]) -> dict[UUID, int]:
    """Return fen by fund of fen by hold."""
    found: dict[UUID, int] = {}
    for hold_id, fen in amounts.items():
        found[funds[hold_id]] = found.get(funds[hold_id], 0) + fen
    return found


def open_case(work: Work, case: NewCase) -> UUID:
    """Write a case, for use cases that have asked for their own permission; return its id."""
    clawback_id = new_id()
    row = {
        "tenant_id": case.park_id,
        "id": clawback_id,
        "number": f"ZH{work.now:%Y}-{clawback_id.hex[-8:].upper()}",
        "order_line_id": case.order_line_id,
        "subject": case.subject[:200],
        "return_id": case.return_id,
        "cause": case.cause,
        "bearer": case.bearer,
        "bearer_id": case.bearer_id,
        "amount_fen": sum(case.amounts.values()),
        "reason": case.reason,
        "evidence_id": case.evidence_id,
        "due_on": case.due_on,
        "status": ClawbackStatus.OPENED,
        "opened_by": work.actor.require_person(),
        "opened_at": work.now,
        "decision_note": "",
        **dict.fromkeys(_MOVED, 0),
    }
    parts = [
        {
            "tenant_id": case.park_id,
            "clawback_id": clawback_id,
            "hold_id": hold_id,
            "amount_fen": fen,
            "withdrawn_fen": 0,
            "recalled_fen": fen if case.return_id is not None else 0,
            "repaid_fen": 0,
        }
        for hold_id, fen in sorted(case.amounts.items())
    ]
    clawback_queries.insert_case(work.session, row, parts)
    audit.record(
        work, "clawback.open", "clawback", clawback_id, tenant_id=case.park_id, amount_fen=row["amount_fen"],
        cause=case.cause.value, bearer=case.bearer.value,
    )  # fmt: skip
    return clawback_id


def cases_by_line(work: Work, *, order_line_ids: Collection[UUID]) -> dict[UUID, tuple[ClawbackRow, ...]]:
    """Return the cases about each of some order lines."""
    work.actor.require(Permission.READ_ORDER)
    found: dict[UUID, list[ClawbackRow]] = {line_id: [] for line_id in order_line_ids}
    for view in rows(work, clawback_queries.cases_of_lines(work.session, order_line_ids) if order_line_ids else ()):
        found[view.order_line_id].append(view)
    return {line_id: tuple(views) for line_id, views in found.items()}


def rows(work: Work, cases: Sequence[Clawback]) -> tuple[ClawbackRow, ...]:
    """Return stored cases as a list shows them."""
    names = _names(work, cases)
    return tuple(ClawbackRow(**_row_fields(work, case, names)) for case in cases)


def case_view(work: Work, case: Clawback) -> ClawbackView:
    """Return a stored case with all that belongs to it."""
    parts = clawback_queries.parts_of(work.session, [case.id])[case.id]
    return ClawbackView(
        **_row_fields(work, case, _names(work, [case])),
        reason=case.reason,
        evidence_id=case.evidence_id,
        opened_by=case.opened_by,
        decided_by=case.decided_by,
        decided_at=case.decided_at,
        decision_note=case.decision_note,
        outstanding_fund_fen=outstanding(case)[0],
        outstanding_seller_fen=outstanding(case)[1],
        write_off_reason=case.write_off_reason,
        write_off_by=case.write_off_by,
        write_off_approved_by=case.write_off_approved_by,
        closed_at=case.closed_at,
        parts=tuple(PartView(**vars(part)) for part in parts),
        repayments=tuple(_repayment_view(each) for each in clawback_queries.repayments_of(work.session, case.id)),
        set_offs=tuple(set_off_rows(work.session, clawback_id=case.id)),
    )


def outstanding(case: Clawback) -> tuple[int, int]:
    """Return what is asked back and has not come: for the funds, and for the seller."""
    if case.status != ClawbackStatus.UPHELD:
        return 0, 0
    return case.to_fund_fen - case.repaid_fund_fen, case.to_seller_fen - case.repaid_seller_fen


def no_case() -> NotFound:
    """Return the refusal for a case that is not there, or not the caller's."""
    return NotFound("clawback.not_found", msg("没有找到该追回案件。请从列表中重新打开。"))


def check_there(parts: Iterable[Part]) -> list[Part]:
    """Return a case's parts; a case without any is none."""
    found = list(parts)
    if not found:
        raise no_case()
    return found


def _row_fields(work: Work, case: Clawback, names: Mapping[UUID, str]) -> dict[str, Any]:
    fund_fen, seller_fen = outstanding(case)
    return {
        "id": case.id,
        "number": case.number,
        "park_id": case.tenant_id,
        "park_name": names.get(case.tenant_id, ""),
        "order_line_id": case.order_line_id,
        "subject": case.subject,
        "return_id": case.return_id,
        "cause": ClawbackCause(case.cause),
        "bearer": Bearer(case.bearer),
        "bearer_id": case.bearer_id,
        "bearer_name": names.get(case.bearer_id, ""),
        "amount_fen": case.amount_fen,
        "due_on": case.due_on,
        "status": ClawbackStatus(case.status),
        "is_overdue": fund_fen + seller_fen > 0 and case.due_on < local_day(work.now, DEFAULT_ZONE),
        "opened_at": case.opened_at,
        "withdrawn_fen": case.withdrawn_fen,
        "to_fund_fen": case.to_fund_fen,
        "to_seller_fen": case.to_seller_fen,
        "repaid_fen": case.repaid_fund_fen + case.repaid_seller_fen,
        "written_off_fen": case.written_off_fen,
        "outstanding_fen": fund_fen + seller_fen,
    }


def _names(work: Work, cases: Sequence[Clawback]) -> dict[UUID, str]:
    """Return the names of the parks and of the bearers."""
    parks = {case.tenant_id for case in cases}
    return onboarding.park_names(work, park_ids=parks | {case.bearer_id for case in cases})


def _repayment_view(row: ClawbackRepayment) -> RepaymentView:
    return RepaymentView(
        id=row.id,
        method=RepaymentMethod(row.method),
        reference=row.reference,
        amount_fen=row.amount_fen,
        received_on=row.received_on,
        recorded_at=row.recorded_at,
    )
