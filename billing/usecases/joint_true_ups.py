"""Closing a year of a joint facility: one proposes the true-up, another approves it, and it is charged and credited.

It is worked out from the recorded uses by the rule of the agreement. Approved, a party's share is usage of the running month
like an adjustment, and stands on its next invoice; what a party gets goes to its wallet. Nothing of it is changed: a reversal,
decided by two again, charges and credits the opposite and opens the year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from billing.rules import joint_true_ups as rules
from billing.rules.joint_true_ups import TrueUpShare
from billing.rules.periods import DEFAULT_ZONE, local_day, month_name
from billing.store import joint_true_ups as store
from billing.store import settlements, wallet_movements
from billing.store.books import post_journal
from billing.store.joint_true_ups import JOINT, JointTrueUp, JointTrueUpShare
from billing.usecases.joint_carry import carry_on, reaches_year_end
from billing.usecases.joint_true_up_views import TrueUpView, share_of, true_up_row, view_of, worked_out
from billing.usecases.joint_years import JointYear, open_year, year_at
from billing.usecases.metering import note_event
from billing.usecases.wallets import mover_of
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

SOURCE = "marketplace/joint"
EVENT_TYPE = "joint.true_up"


def propose_true_up(work: Work, *, agreement_id: UUID, year: int) -> TrueUpView:
    """Propose a year's true-up as its recorded uses come to; nothing is charged yet.

    Raises NotFound, Invalid for a year that the version does not cover, Conflict while the year runs, where it is closed,
    or where a proposal waits.
    """
    work.actor.require(Permission.WRITE_JOINT)
    person = work.actor.require_person()
    found = year_at(work, agreement_id, year, lock=True)
    if local_day(work.now, DEFAULT_ZONE) < found.part.end:
        wrong = msg("{day} 起才能结算：该年度尚未结束。", day=found.part.end.isoformat())
        raise Conflict("joint.year_runs", wrong)
    if found.is_closed:
        raise Conflict("joint.closed", msg("{year} 年已关账。如有错误请先冲回。", year=str(year)))
    _check_none_waits(work, agreement_id, year)
    open_year(work, found)
    settled = found.settlement()
    values = {
        "start": found.part.start, "ends": found.part.end, "cost_fen": settled.cost_fen,
        "outsiders_fen": settled.outsiders_fen, "outsider_minutes": found.outsider_minutes, "reason": "",
    }  # fmt: skip
    made = _write(work, found, values, worked_out(found), person)
    audit.record(work, "joint.propose_true_up", "joint_agreement", agreement_id, year=year, cost_fen=settled.cost_fen)
    return view_of(work, made)


def propose_reversal(work: Work, *, true_up_id: UUID, reason: str) -> TrueUpView:
    """Propose to undo an approved true-up. Raises Conflict for one that is not approved, or was undone or is asked for."""
    work.actor.require(Permission.WRITE_JOINT)
    person = work.actor.require_person()
    old = true_up_row(work, true_up_id)
    with Faults() as faults:
        faults.take("reason", check_name, reason)
    found = year_at(work, old.agreement_id, old.year, lock=True)
    if old.status != "approved" or old.reverses_id is not None or store.reversed_ids(work.session, [old.id]):
        raise Conflict("joint.not_reversible", msg("只有已关账且未冲回的结算可以冲回。请刷新后查看结果。"))
    _check_none_waits(work, old.agreement_id, old.year)
    values = {
        "start": old.start, "ends": old.ends, "cost_fen": -old.cost_fen, "outsiders_fen": -old.outsiders_fen,
        "outsider_minutes": old.outsider_minutes, "reason": reason.strip(), "reverses_id": old.id,
    }  # fmt: skip
    shares = [rules.reversed_share(share_of(each)) for each in store.shares_of(work.session, [old.id])]
    made = _write(work, found, values, shares, person)
    audit.record(work, "joint.propose_reversal", "joint_true_up", old.id, year=old.year, reason=reason)
    return view_of(work, made)


def approve_true_up(work: Work, *, true_up_id: UUID) -> TrueUpView:
    """Close the year, or open it again for a reversal: charge, credit, and carry hours over.

    Raises Conflict where it was decided, for the person who proposed it, and where the hours changed after it was proposed.
    """
    work.actor.require(Permission.REGISTER_JOINT)
    person = work.actor.require_person()
    row = _proposed(work, true_up_id)
    if row.proposed_by == person:
        raise Conflict("joint.same_person", msg("提出结算的人不能自行批准。请由另一人办理。"))
    found = year_at(work, row.agreement_id, row.year, lock=True)
    shares = store.shares_of(work.session, [row.id])
    if row.reverses_id is None:
        kept = sorted((share_of(each) for each in shares), key=lambda each: each.park_id)
        if tuple(kept) != worked_out(found) or row.outsider_minutes != found.outsider_minutes:
            wrong = msg("提出之后使用记录有更正，金额已变。请不同意后重新提出。")
            raise Conflict("joint.changed", wrong)
    row.status, row.decided_by, row.decided_at = "approved", person, work.now
    work.session.flush()
    for each in sorted(shares, key=lambda share: share.park_id):
        _settle(work, row, found, each)
    if reaches_year_end(row.ends, row.year):
        carried = {each.park_id: each.carried_over_minutes for each in shares if each.carried_over_minutes}
        carry_on(work, found.row.series_id, row.year + 1, carried)
    audit.record(
        work, "joint.approve_true_up", "joint_true_up", row.id, year=row.year, cost_fen=row.cost_fen,
        reverses=row.reverses_id,
    )  # fmt: skip
    return view_of(work, row)


def refuse_true_up(work: Work, *, true_up_id: UUID) -> TrueUpView:
    """Refuse a proposal; who may propose may take it back. Nothing is charged."""
    proposes = work.actor.may(Permission.WRITE_JOINT)
    work.actor.require(Permission.WRITE_JOINT if proposes else Permission.REGISTER_JOINT)
    person = work.actor.require_person()
    row = _proposed(work, true_up_id)
    row.status, row.decided_by, row.decided_at = "refused", person, work.now
    work.session.flush()
    audit.record(work, "joint.refuse_true_up", "joint_true_up", row.id, year=row.year)
    return view_of(work, row)


def _write(
    work: Work, found: JointYear, values: dict[str, Any], shares: Sequence[TrueUpShare], person: UUID
) -> JointTrueUp:
    true_up_id = new_id()
    common = {"agreement_id": found.row.id, "year": found.part.year, "members": found.row.members}
    row = {
        "id": true_up_id, "reverses_id": None, "status": "proposed", "proposed_by": person, "proposed_at": work.now,
    } | common | values  # fmt: skip
    names = tuple(TrueUpShare.__dataclass_fields__)
    written = [
        {name: getattr(each, name) for name in names}
        | common
        | {"true_up_id": true_up_id, "id": new_id(), "name": found.names[each.park_id], "amount_fen": each.amount_fen}
        for each in shares
    ]
    store.insert_true_up(work.session, row, written)
    return true_up_row(work, true_up_id)


def _settle(work: Work, row: JointTrueUp, found: JointYear, share: JointTrueUpShare) -> None:
    """Charge a share as usage of the running month, or credit it to the wallet."""
    if share.amount_fen > 0:
        _charge(work, row, found, share)
    elif share.amount_fen < 0:
        draft = rules.credit(
            park_id=share.park_id,
            series_id=found.row.series_id,
            source_id=str(share.id),
            occurred_at=work.now,
            amount_fen=-share.amount_fen,
        )
        wallet_movements.credit_joint(work.session, mover_of(work, share.park_id), share.id, -share.amount_fen)
        post_journal(work.session, draft, user_id=work.actor.user_id)


def _charge(work: Work, row: JointTrueUp, found: JointYear, share: JointTrueUpShare) -> None:
    data = {
        "quantity": 1, "agreement": str(row.agreement_id), "year": row.year, "used_minutes": share.used_minutes,
        "due_fen": share.due_fen, "received_fen": share.received_fen, "amount_fen": share.amount_fen,
    }  # fmt: skip
    note_event(
        work,
        share.park_id,
        source=SOURCE,
        event_id=str(share.id),
        event_type=EVENT_TYPE,
        subject=str(share.park_id),
        time=work.now,
        data=data,
    )
    what = "年度结算冲回" if row.reverses_id else "年度结算"
    usage = {
        "tenant_id": share.park_id,
        "id": new_id(),
        "event_source": SOURCE,
        "event_id": str(share.id),
        "order_line_id": share.id,
        "offering": JOINT,
        "title": f"共建 {row.year} {what}：{found.row.title}"[:200],
        "price_id": share.id,
        "quantity": 1,
        "vat_bp": 0,
        "gross_fen": share.amount_fen,
        "subsidy_fen": 0,
        "payable_fen": share.amount_fen,
        "awards": [],
        "payment_method": "invoice",
        "period": month_name(work.now),
        "rated_at": work.now,
    }
    settlements.insert_rated(work.session, usage)
    draft = rules.charge(
        park_id=share.park_id,
        series_id=found.row.series_id,
        source_id=str(share.id),
        occurred_at=work.now,
        amount_fen=share.amount_fen,
    )
    post_journal(work.session, draft, user_id=work.actor.user_id)


def _check_none_waits(work: Work, agreement_id: UUID, year: int) -> None:
    if any(each.status == "proposed" for each in store.true_ups_page(work.session, agreement_id, year=year)):
        raise Conflict("joint.proposed", msg("该年度已有待批准的结算。请先批准或不同意。"))


def _proposed(work: Work, true_up_id: UUID) -> JointTrueUp:
    row = true_up_row(work, true_up_id, lock=True)
    if row.status != "proposed":
        raise Conflict("joint.decided", msg("该结算已办理。请刷新后查看结果。"))
    return row
