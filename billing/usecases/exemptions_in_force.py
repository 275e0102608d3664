"""Decisions as a quote and a checkout meet them: which count for a park, and what is taken under them.

A decision's limit is a ceiling with a counter of its own, taken in the checkout before any fund and given back with
the hold. Whoever has that counter's row is the only one who takes under the decision, until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.formats.documents import read_document
from billing.formats.exemptions import ExemptTermsDocument
from billing.rules.exemptions import Exemption
from billing.store import exemption_queries
from billing.store.ceiling_queries import CounterKey
from billing.store.exemption_queries import SCOPE
from billing.store.exemptions import IN_FORCE
from billing.store.exemptions import Exemption as Row
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


@dataclass(frozen=True)
class ExemptionNote:
    """The decision that an award stands on, as quotes, orders and claims name it."""

    id: UUID
    document_no: str
    limit_fen: int

    def document(self) -> dict[str, object]:
        """Return the note as JSON."""
        return {"id": str(self.id), "document_no": self.document_no, "limit_fen": self.limit_fen}

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> ExemptionNote | None:
        """Return the note that ``document`` wrote."""
        if document is None:
            return None
        return cls(UUID(document["id"]), document["document_no"], document["limit_fen"])

    @classmethod
    def of(cls, exemption: Exemption | None) -> ExemptionNote | None:
        """Return the note of the decision that the rules applied."""
        if exemption is None:
            return None
        return cls(UUID(exemption.id), exemption.document_no, exemption.limit_fen)


@dataclass(frozen=True)
class Promise:
    """What an order line is promised under a decision."""

    note: ExemptionNote
    order_line_id: UUID
    quote_id: UUID
    programme: str
    version: int
    offering: str
    amount_fen: int


def exemptions_in_force(work: Work, tenant_id: UUID, at: datetime) -> tuple[Exemption, ...]:
    """Return a park's decisions that count at ``at``, for use cases that have asked for their own permission."""
    return tuple(
        Exemption(
            id=str(each.row.id),
            document_no=each.row.document_no,
            programme=each.programme,
            terms=read_document(ExemptTermsDocument, each.row.terms).to_rules(),
            limit_fen=each.row.limit_fen,
            used_fen=each.used_fen,
            offering=each.row.offering or None,
            expires_at=each.row.expires_at,
        )
        for each in exemption_queries.in_force(work.session, tenant_id, at)
    )


def counter_of(programme: str, exemption_id: UUID, tenant_id: UUID) -> CounterKey:
    """Return the counter that keeps a decision's limit."""
    return CounterKey(programme, SCOPE, tenant_id, str(exemption_id), "")


def keep_promises(work: Work, tenant_id: UUID, promises: Sequence[Promise]) -> None:
    """Write down what an order takes under decisions, after it has taken their counters and before any fund.

    Raises Conflict ``exemption.not_in_force`` when one was revoked since the quote was confirmed, has expired, or has
    no order left: its counter is this transaction's by now, so nobody else is counting.
    """
    if not promises:
        return
    for exemption_id in sorted({promise.note.id for promise in promises}):
        now = exemption_queries.find(work.session, Row.tenant_id == tenant_id, Row.id == exemption_id)[0]
        used_up = now.row.order_limit is not None and now.orders >= now.row.order_limit
        if now.row.status != IN_FORCE or now.row.expires_at <= work.now or used_up:
            raise Conflict(
                "exemption.not_in_force",
                msg(
                    "一事一议批复 {document} 已失效或用完。请重新询价，新报价将按现行政策计算补贴。",
                    document=now.row.document_no,
                ),
            )
    exemption_queries.insert_uses(
        work.session,
        [
            {
                "tenant_id": tenant_id,
                "exemption_id": promise.note.id,
                "order_line_id": promise.order_line_id,
                "quote_id": promise.quote_id,
                "programme": promise.programme,
                "version": promise.version,
                "offering": promise.offering,
                "amount_fen": promise.amount_fen,
                "created_at": work.now,
            }
            for promise in promises
        ],
    )
