"""Claims read: a month's lines, batches with their sums, lines with their proofs and histories, one's own lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules.claims import BatchStatus, LineStatus, PayeeKind, Proof
from billing.store import claim_batch_queries as batches
from billing.store import claim_line_queries as lines
from billing.store.claims import ClaimLine
from billing.store.reconciliation_queries import claims_of_month
from billing.usecases.claim_views import (
    BatchView,
    LineDetail,
    ObjectionView,
    PayoutView,
    StepView,
    batch_view,
    line_views,
    objection_view,
    payout_views,
    step_view,
)
from billing.usecases.invoice_drafts import check_period
from tenants.kernel.errors import FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


@dataclass(frozen=True)
class ClaimLineView:
    """One captured hold, claimed from its fund. ``status`` is its batch's."""

    id: UUID
    batch_id: UUID
    period: str
    status: str
    fund_id: UUID
    fund: str
    fund_name: str
    park_id: UUID
    park_name: str
    programme: str
    version: int
    order_line_id: UUID
    amount_fen: int
    evidence: Mapping[str, Any]
    created_at: datetime


def list_claims(work: Work, *, period: str) -> tuple[ClaimLineView, ...]:
    """Return the claim lines of a month (``YYYY-MM``), fund by fund. Invalid for a text that is no month."""
    work.actor.require(Permission.READ_FUND)
    check_period(period)
    found = claims_of_month(work.session, period)
    names = onboarding.park_names(work, park_ids={line.tenant_id for line, *_ in found})
    return tuple(
        ClaimLineView(
            id=line.id,
            batch_id=batch.id,
            period=batch.period,
            status=batch.status,
            fund_id=fund.id,
            fund=fund.slug,
            fund_name=fund.name,
            park_id=line.tenant_id,
            park_name=names.get(line.tenant_id, ""),
            programme=hold.programme,
            version=hold.version,
            order_line_id=hold.order_line_id,
            amount_fen=line.amount_fen,
            evidence=line.evidence,
            created_at=line.created_at,
        )
        for line, batch, fund, hold in found
    )


@dataclass(frozen=True)
class IncompleteLine:
    """A line that lacks proofs, and which."""

    line: LineDetail
    missing: tuple[Proof, ...]


def list_batches(
    work: Work,
    *,
    fund_id: UUID | None = None,
    status: BatchStatus | str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[BatchView]:
    """Return batches with their sums, newest first. Invalid for a status that there is not."""
    work.actor.require(Permission.READ_FUND)
    rows = batches.batch_rows(
        work.session,
        fund_id=fund_id,
        status=None if status is None else _choice(BatchStatus, status, "status"),
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    return page_of(rows, limit, batch_view, lambda row: (row.created_at, row.id))


def read_batch(work: Work, *, batch_id: UUID) -> BatchView:
    """Return a batch with its sums."""
    work.actor.require(Permission.READ_FUND)
    rows = batches.batch_rows(work.session, batch_id=batch_id)
    if not rows:
        raise no_batch()
    return batch_view(rows[0])


def list_batch_lines(
    work: Work, *, batch_id: UUID, limit: int = 50, cursor: str | None = None
) -> Page[LineDetail]:  # fmt: skip
    """Return a batch's lines with their proofs, oldest first, those sent back and given up too."""
    work.actor.require(Permission.READ_FUND)
    if batches.fund_of_batch(work.session, batch_id) is None:
        raise no_batch()
    return _page(work, ClaimLine.batch_id == batch_id, limit=limit, cursor=cursor)


def check_batch(work: Work, *, batch_id: UUID) -> tuple[IncompleteLine, ...]:
    """Return the lines of a batch that lack proofs, before it is submitted. Lines sent back are left out.

    A delivery whose days of acceptance have passed in silence is shown without it until the batch is submitted.
    """
    work.actor.require(Permission.READ_FUND)
    if batches.fund_of_batch(work.session, batch_id) is None:
        raise no_batch()
    rows = lines.line_rows(work.session, ClaimLine.batch_id == batch_id, ClaimLine.status == LineStatus.CLAIMED)
    return tuple(IncompleteLine(each, each.missing) for each in line_views(work, rows) if each.missing and each.due_fen)


def read_line(work: Work, *, line_id: UUID) -> LineDetail:
    """Return a claim line: staff's any, a park's own, a provider's those that pay it. NotFound for any other."""
    work.actor.require(Permission.READ_CLAIM)
    rows = lines.line_rows(work.session, ClaimLine.id == line_id, *_reach(work))
    if not rows:
        raise no_line()
    return line_views(work, rows)[0]


def read_steps(work: Work, *, line_id: UUID) -> tuple[StepView, ...]:
    """Return a line's history, oldest first; NotFound as for ``read_line``."""
    work.actor.require(Permission.READ_CLAIM)
    line = read_line(work, line_id=line_id)
    return tuple(step_view(row) for row in lines.steps_of_line(work.session, line.tenant_id, line_id))


def list_own_lines(
    work: Work, *, status: LineStatus | str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[LineDetail]:
    """Return the claim lines of the acting park, or those that pay the acting provider; staff see all."""
    work.actor.require(Permission.READ_CLAIM)
    wanted = [] if status is None else [ClaimLine.status == _choice(LineStatus, status, "status")]
    return _page(work, *_reach(work), *wanted, limit=limit, cursor=cursor)


def list_payouts(work: Work, *, batch_id: UUID) -> tuple[PayoutView, ...]:
    """Return a batch's payouts."""
    work.actor.require(Permission.READ_FUND)
    return payout_views(work, batches.payouts_of_batch(work.session, batch_id))


def list_own_payouts(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[PayoutView]:
    """Return the payouts of the acting park or provider, newest first, with what of each was set off; staff see all."""
    work.actor.require(Permission.READ_CLAIM)
    payee_id = work.actor.tenant_id
    if payee_id is None and not work.actor.may(Permission.READ_FUND):
        payee_id = work.actor.organisation_id
    found = batches.payouts_page(
        work.session, payee_id=payee_id, before=decode_cursor(cursor), limit=check_limit(limit) + 1
    )
    page = page_of(found, limit, lambda row: row, lambda row: (row[0].created_at, row[0].id))
    return Page(payout_views(work, page.items), page.next_cursor)


def list_objections(work: Work, *, batch_id: UUID) -> tuple[ObjectionView, ...]:
    """Return a batch's objections, oldest first."""
    work.actor.require(Permission.READ_FUND)
    return tuple(objection_view(row) for row in batches.objections_of_batch(work.session, batch_id))


def no_batch() -> NotFound:
    """Return the refusal for a batch that is not there."""
    return NotFound("claim.batch_not_found", msg("没有找到该申报批次。请从列表中重新打开。"))


def no_line() -> NotFound:
    """Return the refusal for a line that is not there, or that the acting person may not know of."""
    return NotFound("claim.line_not_found", msg("没有找到该申报明细。请从列表中重新打开。"))


def _reach(work: Work) -> list[Any]:
    """Return what confines the acting person's lines: row security for a park, the payee for a provider."""
    if work.actor.tenant_id is not None:
        return [ClaimLine.tenant_id == work.actor.tenant_id]
    if work.actor.may(Permission.READ_FUND):
        return []
    return [ClaimLine.payee_kind == PayeeKind.PROVIDER, ClaimLine.payee_id == work.actor.organisation_id]


def _page(work: Work, *conditions: Any, limit: int, cursor: str | None) -> Page[LineDetail]:
    rows = lines.line_rows(
        work.session, *conditions, after=decode_cursor(cursor), limit=check_limit(limit) + 1
    )  # fmt: skip
    shown = line_views(work, rows)
    return page_of(shown, limit, lambda line: line, lambda line: (line.created_at, line.id))


def _choice(kind: type[BatchStatus | LineStatus], text: str, field: str) -> str:
    if text in set(kind):
        return str(text)
    wrong = msg("没有“{text}”这种状态。请从 {choices} 中选择。", text=text, choices="、".join(kind))
    raise Invalid("claim.unknown_status", wrong, errors=[FieldError(field, "claim.unknown_status", wrong)])
