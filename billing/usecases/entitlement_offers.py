"""Awards that come later, offered when their line has been delivered: one per order line and programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.rules.entitlements import claim_until
from billing.store import entitlement_queries as queries
from billing.store import settlements
from billing.store.programme_queries import policy_documents
from billing.store.quote_queries import quote_of
from billing.usecases.policies_in_force import read_policy
from billing.usecases.quote_views import AwardView
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class SettledLine:
    """Where a settled line comes from: its order's number and kept quote, and its place in that. ``proof`` is what the
    platform knows of the delivery.
    """

    order_line_id: UUID
    reference: str
    quote_id: UUID
    position: int
    proof: Mapping[str, Any]


@dataclass(frozen=True)
class UnofferedLine:
    """A delivered line whose later awards nobody has offered yet."""

    tenant_id: UUID
    order_line_id: UUID


def offer_later_awards(work: Work, *, line: SettledLine) -> int:
    """Offer the later awards of a settled line of the acting park; return how many are new. Done once."""
    work.actor.require(Permission.METER_USAGE)
    tenant = work.actor.require_tenant()
    usage = settlements.rated_of_line(work.session, tenant, line.order_line_id)
    if usage is None:
        return 0
    later = [award for award in map(AwardView.from_document, usage.awards) if not award.instant]
    later = [award for award in later if award.amount_fen]
    if not later:
        return 0
    facts = _facts(work, tenant, line)
    documents = policy_documents(work.session, [(award.programme, award.version) for award in later])
    policies = {(each.programme, each.version): each for each in map(read_policy, documents)}
    metering = {"event_source": usage.event_source, "event_id": usage.event_id, "rated_usage": str(usage.id)}
    count = 0
    for award in later:
        policy = policies[award.programme, award.version]
        row = {
            "tenant_id": tenant,
            "id": new_id(),
            "order_line_id": line.order_line_id,
            "quote_id": line.quote_id,
            "programme": award.programme,
            "version": award.version,
            "mode": award.mode,
            "payee": award.payee,
            "offering": usage.offering,
            "title": usage.title,
            "reference": line.reference,
            "amount_fen": award.amount_fen,
            "award": award.document(),
            "facts": facts,
            "proof": {**line.proof, **metering},
            "status": "offered",
            "delivered_at": usage.rated_at,
            "claim_until": claim_until(usage.rated_at, policy.claim_days, policy.timezone),
            "evidence": {},
        }
        if queries.insert_entitlement(work.session, row):
            audit.record(work, "entitlement.offer", "entitlement", row["id"], amount_fen=award.amount_fen)
            count += 1
    return count


def unoffered_lines(work: Work, *, limit: int = MOST_AT_ONCE) -> tuple[UnofferedLine, ...]:
    """Return delivered lines with later awards that were never offered, for the marketplace to offer."""
    work.actor.require(Permission.RUN_PLATFORM)
    return tuple(UnofferedLine(*row) for row in queries.unoffered_lines(work.session, limit))


def _facts(work: Work, tenant: UUID, line: SettledLine) -> dict[str, Any]:
    """Return what was known of park and line when the price was asked: the counters and envelopes hang on it."""
    quote = quote_of(work.session, tenant, line.quote_id)
    if quote is None:
        raise LookupError(f"quote {line.quote_id} of line {line.order_line_id} is not kept")
    return {**quote.facts["facts"], **quote.lines[line.position]["facts"]}
