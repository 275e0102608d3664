"""Reading true-ups of joint facilities: each party's share, on which invoice it stands, and what else a year says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from billing.rules.cost_sharing import stand_alone
from billing.rules.joint_true_ups import TrueUpShare, true_up
from billing.rules.joint_years import year_of_use
from billing.rules.money import WHOLE_BP
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import joint_true_ups as store
from billing.store.adjustments import places_of
from billing.store.joint_true_ups import JointTrueUp, JointTrueUpShare
from billing.store.usage import RatedUsage
from billing.usecases.joint_carry import reaches_year_end
from billing.usecases.joint_years import JointYear, YearView, year_at
from billing.usecases.joint_years import view_of as year_view
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class TrueUpShareView:
    """A party's share in whole minutes and fen. ``amount_fen`` is charged, below zero credited to the wallet."""

    id: UUID
    park_id: UUID
    name: str
    share_bp: int
    entitled_minutes: int
    carried_minutes: int
    used_minutes: int
    lent_minutes: int
    borrowed_minutes: int
    carried_over_minutes: int
    capital_fen: int
    due_fen: int
    received_fen: int
    net_fen: int
    amount_fen: int
    invoice_id: UUID | None
    invoice_number: str
    invoice_line: int | None


@dataclass(frozen=True)
class TrueUpView:
    """A year's true-up. ``status`` is proposed, approved, refused, or reversed: approved and undone."""

    id: UUID
    agreement_id: UUID
    year: int
    start: date
    end: date
    status: str
    reverses_id: UUID | None
    reason: str
    cost_fen: int
    outsiders_fen: int
    outsider_minutes: int
    proposed_by: UUID
    proposed_at: datetime
    decided_at: datetime | None
    shares: tuple[TrueUpShareView, ...]


@dataclass(frozen=True)
class ParkCollaboration:
    """What a party used and paid in a year, what a centre of its own just for that would have cost, and the difference.

    ``alternatives_fen`` are what other ways of sharing would have asked of it.
    """

    park_id: UUID
    name: str
    used_minutes: int
    carried_over_minutes: int
    net_fen: int
    amount_fen: int
    alone_fen: int
    saved_fen: int
    alternatives_fen: Mapping[str, int]


@dataclass(frozen=True)
class YearEndView:
    """A year of a joint facility seen from its end: the figures so far, what is charged, alternatives and what was saved.

    ``saved_bp`` is the cost reduction against centres of their own, in basis points of these.
    """

    hours: YearView
    is_over: bool
    is_closed: bool
    projects: int
    net_fen: int
    alone_fen: int
    saved_fen: int
    saved_bp: int
    methods: tuple[str, ...]
    parks: tuple[ParkCollaboration, ...]


def read_year_end(work: Work, *, agreement_id: UUID, year: int | None = None) -> YearEndView:
    """Return a year as it would be trued up now, with alternatives and the collaboration report. Raises as ``read_year``."""
    work.actor.require(Permission.READ_JOINT)
    found = year_at(work, agreement_id, year)
    settled = found.settlement()
    shares = worked_out(found)
    used = year_of_use(found.terms, found.parties, found.part, found.accounts, found.outsider_minutes)
    alone = stand_alone(used)
    parks = [
        ParkCollaboration(
            park_id=each.park_id,
            name=found.names[each.park_id],
            used_minutes=each.used_minutes,
            carried_over_minutes=each.carried_over_minutes,
            net_fen=each.net_fen,
            amount_fen=each.amount_fen,
            alone_fen=alone[str(each.park_id)],
            saved_fen=alone[str(each.park_id)] - each.net_fen,
            alternatives_fen={name: nets[str(each.park_id)] for name, nets in settled.alternatives.items()},
        )
        for each in sorted(shares, key=lambda share: (-share.share_bp, share.park_id))
    ]
    whole, net = sum(each.alone_fen for each in parks), sum(each.net_fen for each in parks)
    return YearEndView(
        hours=year_view(found),
        is_over=local_day(work.now, DEFAULT_ZONE) >= found.part.end,
        is_closed=found.is_closed,
        projects=store.projects_of(work.session, found.part.start, found.part.end),
        net_fen=net,
        alone_fen=whole,
        saved_fen=whole - net,
        saved_bp=(whole - net) * WHOLE_BP // whole if whole else 0,
        methods=tuple(settled.alternatives),
        parks=tuple(parks),
    )


def list_true_ups(
    work: Work, *, agreement_id: UUID, year: int | None = None, limit: int = 50, cursor: str | None = None
) -> Page[TrueUpView]:
    """Return a version's true-ups, last proposed first."""
    work.actor.require(Permission.READ_JOINT)
    year_at(work, agreement_id, year)
    rows = store.true_ups_page(
        work.session, agreement_id, year=year, before=decode_cursor(cursor), limit=check_limit(limit) + 1
    )
    page = page_of(rows, limit, lambda row: row, lambda row: (row.proposed_at, row.id))
    return Page(_views(work, page.items), page.next_cursor)


def read_true_up(work: Work, *, true_up_id: UUID) -> TrueUpView:
    """Return a true-up; NotFound for one that the park is no party of."""
    work.actor.require(Permission.READ_JOINT)
    return view_of(work, true_up_row(work, true_up_id))


def true_up_row(work: Work, true_up_id: UUID, *, lock: bool = False) -> JointTrueUp:
    """Return a true-up as it is kept, for use cases that have asked for their own permission. Raises NotFound."""
    row = store.true_up(work.session, true_up_id, lock=lock)
    if row is None:
        raise NotFound("joint.true_up_not_found", msg("没有找到该年度结算。请从列表中重新打开。"))
    return row


def worked_out(found: JointYear) -> tuple[TrueUpShare, ...]:
    """Return what a year comes to by what was used so far, by park."""
    at_end = reaches_year_end(found.part.end, found.part.year)
    return true_up(found.terms, found.parties, found.settlement(), found.accounts, at_year_end=at_end)


def view_of(work: Work, row: JointTrueUp) -> TrueUpView:
    """Return a true-up for its parties to read."""
    (view,) = _views(work, [row])
    return view


def share_of(row: JointTrueUpShare) -> TrueUpShare:
    """Return a kept share as the rules know it."""
    return TrueUpShare(**{each.name: getattr(row, each.name) for each in fields(TrueUpShare)})


def traced_share(work: Work, usage: RatedUsage) -> tuple[UUID, Mapping[str, Any], int, datetime, None]:
    """Return what charged a true-up's usage: the share, what it was worked out from, its VAT, and since when it counts."""
    share, of = store.share_of_usage(work.session, usage)
    charge = {
        "model": "joint",
        "true_up_id": str(of.id),
        "agreement_id": str(of.agreement_id),
        "year": of.year,
        "used_minutes": share.used_minutes,
        "due_fen": share.due_fen,
        "received_fen": share.received_fen,
        "amount_fen": share.amount_fen,
    }
    return share.id, charge, 0, of.decided_at or of.proposed_at, None


def _views(work: Work, rows: Sequence[JointTrueUp]) -> tuple[TrueUpView, ...]:
    kept = store.shares_of(work.session, [row.id for row in rows])
    places = places_of(work.session, [each.id for each in kept])
    undone = store.reversed_ids(work.session, [row.id for row in rows])
    return tuple(
        TrueUpView(
            id=row.id,
            agreement_id=row.agreement_id,
            year=row.year,
            start=row.start,
            end=row.ends,
            status="reversed" if row.id in undone else row.status,
            reverses_id=row.reverses_id,
            reason=row.reason,
            cost_fen=row.cost_fen,
            outsiders_fen=row.outsiders_fen,
            outsider_minutes=row.outsider_minutes,
            proposed_by=row.proposed_by,
            proposed_at=row.proposed_at,
            decided_at=row.decided_at,
            shares=tuple(_share_view(each, places.get(each.id)) for each in kept if each.true_up_id == row.id),
        )
        for row in rows
    )


def _share_view(row: JointTrueUpShare, place: tuple[UUID, str, int] | None) -> TrueUpShareView:
    known = share_of(row)
    return TrueUpShareView(
        id=row.id,
        name=row.name,
        net_fen=known.net_fen,
        amount_fen=row.amount_fen,
        invoice_id=place[0] if place else None,
        invoice_number=place[1] if place else "",
        invoice_line=place[2] if place else None,
        **{each.name: getattr(known, each.name) for each in fields(TrueUpShare)},
    )
