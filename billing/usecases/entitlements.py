"""Entitlements read: what a park can still claim, until when, how much of it ceilings and funds carry now, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.rules.claims import LineStatus
from billing.rules.entitlements import Grant, Standing, State, grant, left_of_award, state_of
from billing.rules.terms import CapScope, Policy
from billing.store import ceiling_queries
from billing.store import entitlement_queries as queries
from billing.store.entitlement_queries import Paid
from billing.store.entitlements import Entitlement
from billing.store.fund_queries import GENERAL, available_by_slug
from billing.store.programme_queries import policy_documents
from billing.usecases.aid_register import used_in_registers
from billing.usecases.claim_intake import ClaimState, claims_of_holds
from billing.usecases.exemptions_in_force import exemptions_in_force
from billing.usecases.fund_register import allotments
from billing.usecases.holds import counters_of_award
from billing.usecases.policies_in_force import read_policy
from billing.usecases.quote_views import AwardView
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, decode_cursor, encode_cursor
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

_SCOPES = frozenset(CapScope)
UNPAID = Paid(paid=False, gross_fen=0, returned_fen=0, invoice_id=None, invoice_number=None, method="invoice")


@dataclass(frozen=True)
class Document:
    """What the park brought to prove its claim: a file by its id and hash."""

    kind: str
    evidence_id: UUID
    name: str
    sha256: str


@dataclass(frozen=True)
class EntitlementView:
    """An award that comes after the delivery. All amounts in fen.

    ``amount_fen`` is what the order was awarded; ``grantable_fen`` what of it would be granted now (None unless it can
    be claimed now) and ``reasons`` why less; ``granted_fen`` what was granted. ``payee`` tells whom the fund pays.
    """

    id: UUID
    park_id: UUID
    park_name: str
    order_line_id: UUID
    reference: str
    title: str
    programme: str
    programme_name: str
    programme_name_en: str
    version: int
    mode: str
    payee: str
    rate_bp: int
    state: State
    amount_fen: int
    grantable_fen: int | None
    granted_fen: int | None
    reasons: tuple[str, ...]
    delivered_at: datetime
    claim_until: datetime
    granted_at: datetime | None
    invoice_number: str | None
    return_reason: str | None
    documents: tuple[Document, ...]

    @property
    def last_moment(self) -> datetime:
        """Return the last moment to claim, which names the last day."""
        return self.claim_until - timedelta(microseconds=1)


@dataclass(frozen=True)
class Claims:
    """What became of a grant: the claims of its holds, and what of it was not taken back before it was paid out."""

    states: tuple[ClaimState, ...]
    kept_fen: int


NO_CLAIMS = Claims((), 0)


@dataclass(frozen=True)
class Weighed:
    """What is granted of an award at a moment, and all that it was worked out from beside the kept terms."""

    grant: Grant
    limits: Mapping[CapScope, int | None]
    taken: Mapping[CapScope, int]
    funds: Mapping[str, int]
    rolling: Mapping[str, int]
    award_fen: int
    """What of the award still stands: less than ``amount_fen`` where a part of the service was returned."""
    exempted_fen: int | None
    """What is left of the case-by-case decision that the award stands on, None for one without."""

    def document(self) -> dict[str, Any]:
        """Return what has to be kept for working the grant out again."""
        return {
            "limits": {scope.value: limit for scope, limit in self.limits.items()},
            "taken": {scope.value: fen for scope, fen in self.taken.items()},
            "funds": dict(self.funds),
            "rolling": dict(self.rolling),
            "award_fen": self.award_fen,
            "exempted_fen": self.exempted_fen,
            "by_fund": dict(self.grant.by_fund),
            "reasons": list(self.grant.reasons),
        }


def list_entitlements(
    work: Work,
    *,
    park_id: UUID | None = None,
    mode: str | None = None,
    programme: str | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[EntitlementView]:
    """Return entitlements, the latest delivery first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_ORDER)
    found = queries.entitlement_page(
        work.session,
        park_id=park_id,
        mode=mode,
        programme=programme,
        status=status,
        before=decode_cursor(cursor),
        limit=limit + 1,
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return Page(
        items=views_of(work, shown),
        next_cursor=None if last is None else encode_cursor(last.delivered_at, last.id),
    )


def offered_automatically(work: Work, *, limit: int = 20) -> tuple[EntitlementView, ...]:
    """Return what the platform found for the acting park and can be confirmed now, the earliest deadline first."""
    work.actor.require(Permission.READ_ORDER)
    tenant = work.actor.require_tenant()
    found = views_of(work, queries.offered_to(work.session, tenant, "auto", work.now, limit))
    return tuple(view for view in found if view.state is State.OPEN)


def read_entitlement(work: Work, *, entitlement_id: UUID) -> EntitlementView:
    """Return an entitlement as it stands now; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    return views_of(work, [find(work, entitlement_id)])[0]


def replay_entitlement(work: Work, *, entitlement_id: UUID) -> Grant:
    """Work a grant out again from nothing but what was kept; the same fen, by fund, years later.

    Raises NotFound for an entitlement that nothing was granted of.
    """
    work.actor.require(Permission.READ_ORDER)
    row = find(work, entitlement_id)
    kept = row.weighed
    if kept is None:
        raise _not_found()
    (policy,) = (read_policy(each) for each in policy_documents(work.session, [(row.programme, row.version)]))
    return grant(
        _terms(policy, AwardView.from_document(row.award)),
        kept["award_fen"],
        {CapScope(scope): limit for scope, limit in kept["limits"].items()},
        {CapScope(scope): fen for scope, fen in kept["taken"].items()},
        kept["funds"],
        kept["rolling"],
        kept["exempted_fen"],
    )


def find(work: Work, entitlement_id: UUID, *, lock: bool = False) -> Entitlement:
    """Return an entitlement for billing's own use cases; NotFound for another park's."""
    row = queries.entitlement_of(work.session, entitlement_id, lock=lock)
    if row is None:
        raise _not_found()
    return row


def standing_of(row: Entitlement, paid: Paid, claims: Claims) -> Standing:
    """Return what the rules ask of an entitlement."""
    granted = row.granted_fen is not None
    return Standing(
        status=row.status,
        paid=paid.paid,
        claim_until=row.claim_until,
        undone=not claims.kept_fen if granted else not standing_award(row, paid),
        returned=any(claim.status == LineStatus.RETURNED for claim in claims.states),
        disbursed=bool(claims.states) and all(claim.status == LineStatus.PAID for claim in claims.states),
    )


def standing_award(row: Entitlement, paid: Paid) -> int:
    """Return what of an award still stands, in fen."""
    return left_of_award(row.amount_fen, paid.gross_fen, paid.returned_fen)


def paid_of(work: Work, row: Entitlement) -> Paid:
    """Return how the park's own part of an entitlement's line is paid."""
    key = (row.tenant_id, row.order_line_id)
    return queries.payments_of_lines(work.session, [key]).get(key, UNPAID)


def claims_of(work: Work, rows: Sequence[Entitlement]) -> dict[UUID, Claims]:
    """Return by entitlement what became of its grant; nothing for one that was not granted."""
    keys = {row.id: (row.tenant_id, row.order_line_id, row.programme) for row in rows if row.granted_fen is not None}
    holds = queries.holds_of_grants(work.session, set(keys.values()))
    states = claims_of_holds(work, hold_ids=[each for parts in holds.values() for each, _ in parts]) if holds else {}
    return {
        row_id: Claims(
            states=tuple(states[each] for each, _ in holds.get(key, ()) if each in states),
            kept_fen=sum(kept for _, kept in holds.get(key, ())),
        )
        for row_id, key in keys.items()
    }


def views_of(work: Work, rows: Sequence[Entitlement]) -> tuple[EntitlementView, ...]:
    """Return entitlements as they stand now, with as many statements as one takes (more where facts differ)."""
    payments = queries.payments_of_lines(work.session, {(row.tenant_id, row.order_line_id) for row in rows})
    paid = {row.id: payments.get((row.tenant_id, row.order_line_id), UNPAID) for row in rows}
    claims = claims_of(work, rows)
    names = onboarding.park_names(work, park_ids={row.tenant_id for row in rows})
    states = {}
    for row in rows:
        states[row.id] = state_of(standing_of(row, paid[row.id], claims.get(row.id, NO_CLAIMS)), work.now)
    weighed = weigh_all(work, [row for row in rows if states[row.id] is State.OPEN], paid)
    return tuple(
        _view(
            row,
            names.get(row.tenant_id, ""),
            states[row.id],
            weighed.get(row.id),
            paid[row.id],
            claims.get(row.id, NO_CLAIMS).states,
        )
        for row in rows
    )


def weigh_all(work: Work, rows: Sequence[Entitlement], paid: Mapping[UUID, Paid]) -> dict[UUID, Weighed]:
    """Return what of each award would be granted now if it were the only one. ``paid`` is by entitlement."""
    if not rows:
        return {}
    awards = {row.id: AwardView.from_document(row.award) for row in rows}
    documents = policy_documents(work.session, {(row.programme, row.version) for row in rows})
    policies = {(each.programme, each.version): each for each in map(read_policy, documents)}
    counters = {row.id: counters_of_award(row.tenant_id, awards[row.id], row.facts) for row in rows}
    used = ceiling_queries.used(work.session, set().union(*counters.values()))
    left: dict[tuple[str, ...], dict[str, int]] = {}
    funds = {funder.fund for policy in policies.values() for funder in policy.funders}
    for row in rows:
        regional = allotments(row.facts)
        if regional not in left:
            left[regional] = available_by_slug(work.session, funds, (*regional, GENERAL))
    found = {}
    for row in rows:
        policy = _terms(policies[row.programme, row.version], awards[row.id])
        limits = {CapScope(each.scope): limit for each, limit in counters[row.id].items() if each.scope in _SCOPES}
        taken = {CapScope(each.scope): used[each] for each in counters[row.id] if each.scope in _SCOPES}
        here = {funder.fund: left[allotments(row.facts)][funder.fund] for funder in policy.funders}
        rolled = used_in_registers(work, [policy], row.tenant_id, row.facts, work.now) if policy.rolling else {}
        exempted = _exempted(work, row, awards[row.id])
        award_fen = standing_award(row, paid[row.id])
        granted = grant(policy, award_fen, limits, taken, here, rolled, exempted)
        found[row.id] = Weighed(granted, limits, taken, here, rolled, award_fen, exempted)
    return found


def _terms(policy: Policy, award: AwardView) -> Policy:
    """Return the version as it was applied to an award: a case-by-case decision may have lifted its rolling ceiling."""
    return policy if award.rolling is not None else replace(policy, rolling=None)


def _exempted(work: Work, row: Entitlement, award: AwardView) -> int | None:
    """Return what is left of the decision that an award stands on: nothing when that is not in force any more."""
    if award.exemption is None:
        return None
    in_force = {each.id: each.left_fen for each in exemptions_in_force(work, row.tenant_id, work.now)}
    return in_force.get(str(award.exemption.id), 0)


def _view(
    row: Entitlement,
    park_name: str,
    state: State,
    weighed: Weighed | None,
    paid: Paid,
    claims: Sequence[ClaimState],
) -> EntitlementView:
    award = AwardView.from_document(row.award)
    kept = row.weighed or {}
    reasons = weighed.grant.reasons if weighed is not None else tuple(kept.get("reasons", ()))
    return EntitlementView(
        id=row.id,
        park_id=row.tenant_id,
        park_name=park_name,
        order_line_id=row.order_line_id,
        reference=row.reference,
        title=row.title,
        programme=row.programme,
        programme_name=award.programme_name,
        programme_name_en=award.programme_name_en,
        version=row.version,
        mode=row.mode,
        payee=row.payee,
        rate_bp=award.rate_bp,
        state=state,
        amount_fen=row.amount_fen,
        grantable_fen=None if weighed is None else weighed.grant.amount_fen,
        granted_fen=row.granted_fen,
        reasons=reasons,
        delivered_at=row.delivered_at,
        claim_until=row.claim_until,
        granted_at=row.granted_at,
        invoice_number=paid.invoice_number,
        return_reason=next((claim.reason for claim in claims if claim.status == LineStatus.RETURNED), None),
        documents=tuple(
            Document(kind, UUID(each["evidence_id"]), each["name"], each["sha256"])
            for kind, each in sorted(row.evidence.items())
        ),
    )


def _not_found() -> NotFound:
    return NotFound("entitlement.not_found", msg("没有找到该项补贴。请从列表中重新打开。"))
