"""Acceptance (服务确认): both sides confirm a delivery. The provider's word is its report; here is the park's.

A park accepts or disputes what was delivered to it; what it leaves for ``ACCEPTANCE_DAYS`` whole days counts as accepted,
which is noted when the claim is submitted. A disputed delivery is not claimed until the park accepts it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from billing.rules.claims import accepted_by_silence
from billing.store import settlements
from billing.store.claims import Acceptance
from billing.usecases.claim_views import LineDetail
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class AcceptanceView:
    """The word on a delivery that counts: ``accepted``, ``disputed`` or ``automatic``, with the park's note."""

    order_line_id: UUID
    kind: str
    note: str
    user_id: UUID | None
    at: datetime


def accept_delivery(work: Work, *, order_line_id: UUID, note: str = "") -> AcceptanceView:
    """Confirm a delivery in the park's name; a repeat changes nothing. NotFound for what was not delivered to it."""
    work.actor.require(Permission.ACCEPT_DELIVERY)
    return _say(work, order_line_id, "accepted", note)


def dispute_delivery(work: Work, *, order_line_id: UUID, note: str) -> AcceptanceView:
    """Say that a delivery is not what was ordered, and why: its subsidy is not claimed until the park accepts it.

    Raises Invalid without a reason, and Conflict for a delivery that is accepted already.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    if not note.strip():
        needed = msg("请写明异议原因。")
        raise Invalid("acceptance.reason_needed", needed, errors=[FieldError("note", "field.required", needed)])
    return _say(work, order_line_id, "disputed", note)


def read_acceptances(work: Work, *, order_line_ids: Collection[UUID]) -> Mapping[UUID, AcceptanceView]:
    """Return the word that counts on each delivery, by order line; one without any is missing."""
    work.actor.require(Permission.READ_ORDER)
    query = (
        select(Acceptance)
        .where(Acceptance.order_line_id.in_(order_line_ids))
        .ext(distinct_on(Acceptance.order_line_id))
        .order_by(Acceptance.order_line_id, Acceptance.at.desc(), Acceptance.id.desc())
    )
    return {row.order_line_id: _view(row) for row in work.session.execute(query).scalars()}


def accept_silent(work: Work, lines: Iterable[LineDetail]) -> int:
    """Accept the deliveries that their parks have left without a word for their days, each once; return how many."""
    rows = {
        line.order_line_id: {
            "tenant_id": line.tenant_id,
            "id": new_id(),
            "order_line_id": line.order_line_id,
            "kind": "automatic",
            "note": "",
            "user_id": None,
            "at": work.now,
        }
        for line in lines
        if line.acceptance is None and line.delivered_at and accepted_by_silence(line.delivered_at, work.now)
    }
    if rows:
        work.session.execute(insert(Acceptance), list(rows.values()))
    return len(rows)


def _say(work: Work, order_line_id: UUID, kind: str, note: str) -> AcceptanceView:
    tenant_id, person = work.actor.require_tenant(), work.actor.require_person()
    if settlements.rated_of_line(work.session, tenant_id, order_line_id) is None:
        raise NotFound("acceptance.not_delivered", msg("没有找到已交付的服务。请在交付后再确认。"))
    before = read_acceptances(work, order_line_ids=[order_line_id]).get(order_line_id)
    if before is not None and before.kind == kind:
        return before
    if before is not None and kind == "disputed":
        raise Conflict("acceptance.accepted", msg("该服务已确认验收，不能再提出异议。请联系服务机构或主管部门处理。"))
    row = {
        "tenant_id": tenant_id,
        "id": new_id(),
        "order_line_id": order_line_id,
        "kind": kind,
        "note": note.strip()[:500],
        "user_id": person,
        "at": work.now,
    }
    work.session.execute(insert(Acceptance), [row])
    audit.record(work, f"delivery.{kind}", "order_line", order_line_id)
    return AcceptanceView(order_line_id, kind, note.strip()[:500], person, work.now)


def _view(row: Acceptance) -> AcceptanceView:
    return AcceptanceView(row.order_line_id, row.kind, row.note, row.user_id, row.at)
