"""Claims: what parks' deliveries captured of each fund, with the evidence, on its way to disbursement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.store.reconciliation_queries import claims_of_month
from billing.usecases.invoicing import check_period
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
