"""What a return looks like to those who may see it: the document that names the line and where its money went."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.returns import ReturnCause
from billing.store import return_queries
from billing.store.returns import LineReturn
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class ReturnView:
    """A return of a delivered line; amounts in fen.

    ``park_fen`` went to the park's invoice, its wallet, or waits for its invoice; ``public_fen`` is back in its funds
    (``withdrawn_fen``) or asked of the provider (``recalled_fen``). ``number`` counts within the line.
    """

    id: UUID
    park_id: UUID
    order_line_id: UUID
    number: int
    amount_fen: int
    park_fen: int
    public_fen: int
    vat_fen: int
    to_invoice_fen: int
    to_wallet_fen: int
    waiting_fen: int
    withdrawn_fen: int
    recalled_fen: int
    invoice_id: UUID | None
    cause: ReturnCause
    reason: str
    agreement: str
    evidence_id: UUID | None
    returned_at: datetime
    whole: bool = False
    """With it, all of the line has come back."""


def returns_by_line(work: Work, *, order_line_ids: Collection[UUID]) -> dict[UUID, tuple[ReturnView, ...]]:
    """Return the returns of each of some order lines."""
    work.actor.require(Permission.READ_ORDER)
    found: dict[UUID, list[ReturnView]] = {line_id: [] for line_id in order_line_ids}
    for row in return_queries.returns_of_lines(work.session, order_line_ids) if order_line_ids else ():
        found[row.order_line_id].append(return_view(row))
    return {line_id: tuple(views) for line_id, views in found.items()}


def return_view(row: LineReturn) -> ReturnView:
    """Return a stored return."""
    return ReturnView(
        id=row.id,
        park_id=row.tenant_id,
        order_line_id=row.order_line_id,
        number=row.number,
        amount_fen=row.amount_fen,
        park_fen=row.park_fen,
        public_fen=row.public_fen,
        vat_fen=row.vat_fen,
        to_invoice_fen=row.to_invoice_fen,
        to_wallet_fen=row.to_wallet_fen,
        waiting_fen=row.waiting_fen,
        withdrawn_fen=row.withdrawn_fen,
        recalled_fen=row.recalled_fen,
        invoice_id=row.invoice_id,
        cause=ReturnCause(row.cause),
        reason=row.reason,
        agreement=row.agreement,
        evidence_id=row.evidence_id,
        returned_at=row.returned_at,
        whole=row.before_fen + row.amount_fen >= row.gross_fen,
    )
