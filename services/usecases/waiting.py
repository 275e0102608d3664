"""Waiting for a slot of an instrument: joining its list, one's places with their position, and leaving.

The order is the number that the list gives under its lock, so that a lower number was committed before a higher one.
What is offered to whom, see waiting_offers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import Range, insert

from services.rules.slot_holds import HoldOutcome
from services.rules.slots import check_span
from services.rules.waiting import MOST_DAYS, MOST_PLACES, WaitingState, WaitingStep, state_of
from services.store.slot_holds import SlotHold
from services.store.waiting import IS_ITS_TURN, WaitingList, WaitingPlace, WaitingStepRow, WaitingTurn
from services.usecases import slot_holds, suspensions
from services.usecases.catalogue import refuse_fields
from services.usecases.instruments import InstrumentView, read_instrument
from services.usecases.slot_search import free_within
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


@dataclass(frozen=True)
class PassedView:
    """A time for which a place was passed over, with the code of the reason."""

    place_id: UUID
    reason: str
    starts_at: datetime
    ends_at: datetime
    noted_at: datetime


@dataclass(frozen=True)
class PlaceView:
    """A place on an instrument's list: ``slots`` in a row within ``[from_at, to_at)``; what is offered, half-open in UTC.

    ``position`` counts those who wait for an overlapping time before it, itself included; None when it waits no more.
    """

    id: UUID
    instrument_id: UUID
    instrument_name: str
    offering: str
    number: int
    from_at: datetime
    to_at: datetime
    slots: int
    joined_by: UUID | None
    joined_at: datetime
    state: WaitingState
    position: int | None
    hold_id: UUID | None
    offer_starts_at: datetime | None
    offer_ends_at: datetime | None
    offer_expires_at: datetime | None
    passed: tuple[PassedView, ...]


def join_for_time(work: Work, *, instrument_id: UUID, starts_at: datetime, slots: int) -> PlaceView:
    """Wait for ``slots`` slots from ``starts_at``. Raises as ``join_for_days`` does, and Invalid for an impossible time."""
    work.actor.require(Permission.ASK_QUOTE)
    instrument = read_instrument(work, instrument_id=instrument_id)
    ends_at = check_span(instrument.hours, starts_at, slots, work.now, working_days(work))
    return _join(work, instrument, starts_at, ends_at, slots)


def join_for_days(work: Work, *, instrument_id: UUID, first: date, last: date, slots: int) -> PlaceView:
    """Wait for ``slots`` slots in a row on any of some days, both included; the same wish again is the same place.

    Raises NotFound for an unknown instrument, Invalid with every wrong field, and Conflict: ``waiting.free`` when it can
    be booked at once, ``waiting.too_many`` for a park with too many places, ``booking.suspended``.
    """
    work.actor.require(Permission.ASK_QUOTE)
    instrument = read_instrument(work, instrument_id=instrument_id)
    today = work.now.astimezone(CHINA).date()
    furthest = today + timedelta(days=instrument.hours.max_notice_days)
    wrong: dict[str, Message] = {}
    if not today <= first <= furthest:
        wrong["first_day"] = msg("须在 {first} 至 {last} 之间。", first=today, last=furthest)
    if not first <= last <= min(furthest, first + timedelta(days=MOST_DAYS - 1)):
        wrong["last_day"] = msg("须不早于首日，不晚于 {last}，最多 {days} 天。", last=furthest, days=MOST_DAYS)
    if not instrument.hours.min_slots <= slots <= instrument.hours.max_slots:
        wrong["slots"] = msg(
            "须为 {least} 至 {most} 的整数。", least=instrument.hours.min_slots, most=instrument.hours.max_slots
        )
    refuse_fields(wrong)
    from_at = datetime.combine(first, time(), CHINA)
    to_at = datetime.combine(last + timedelta(days=1), time(), CHINA)
    return _join(work, instrument, from_at, to_at, slots)


def leave(work: Work, *, place_id: UUID) -> PlaceView:
    """Leave the list, or decline what is offered: it goes to the next one. A place that has ended stays as it is.

    Raises NotFound for another park's, NotAllowed for a colleague's by who may not order.
    """
    work.actor.require(Permission.ASK_QUOTE)
    place = read_place(work, place_id=place_id)
    if place.joined_by != work.actor.user_id and not work.actor.may(Permission.PLACE_ORDER):
        raise NotAllowed("waiting.not_own", msg("只有排队者本人或园区管理员可以操作。请联系他们办理。"))
    if place.state is WaitingState.WAITING:
        if end_place(work, place_id, WaitingStep.LEFT):
            audit.record(work, "waiting.leave", "waiting_place", place_id)
        place = read_place(work, place_id=place_id)  # the clock may just have offered it something
    if place.state is not WaitingState.OFFERED or place.hold_id is None:
        return place
    if slot_holds.end_hold(work, place.hold_id):
        audit.record(work, "waiting.decline", "waiting_place", place_id)
    return read_place(work, place_id=place_id)


def read_place(work: Work, *, place_id: UUID) -> PlaceView:
    """Return a place of the acting park, ended or not; NotFound for another's."""
    work.actor.require(Permission.ASK_QUOTE)
    row = work.session.execute(_places(work).where(WaitingPlace.id == place_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("waiting.not_found", msg("没有找到该排队。请从“我的排队”中选择。"))
    return _views(work, [row])[0]


def list_places(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[PlaceView]:
    """Return the acting park's places, the latest first."""
    work.actor.require(Permission.ASK_QUOTE)
    query = _places(work).order_by(WaitingPlace.joined_at.desc(), WaitingPlace.id.desc())
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(tuple_(WaitingPlace.joined_at, WaitingPlace.id) < before)
    rows = work.session.execute(query.limit(check_limit(limit) + 1)).mappings().all()
    views = {view.id: view for view in _views(work, rows)}
    return page_of(rows, limit, lambda row: views[row["id"]], lambda row: (row["joined_at"], row["id"]))


def count_waiting(work: Work, *, instrument_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many wait for each instrument now, those without anybody left out."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = (
        select(WaitingTurn.instrument_id, func.count())
        .where(WaitingTurn.instrument_id.in_(instrument_ids), WaitingTurn.open)
        .group_by(WaitingTurn.instrument_id)
    )
    return {row[0]: row[1] for row in work.session.execute(query)}


def end_place(work: Work, place_id: UUID, kind: WaitingStep, **facts: Any) -> bool:
    """End the turn of a place of the acting park and note how; False when it had ended. Of many at once one ends it."""
    tenant_id = work.actor.require_tenant()
    mine = (WaitingPlace.tenant_id == tenant_id, WaitingPlace.id == place_id)
    closed = (
        update(WaitingTurn)
        .where(IS_ITS_TURN, *mine, WaitingTurn.open)
        .values(open=False)
        .execution_options(synchronize_session=False)
    )
    if not rows_written(work.session, closed):
        return False
    step = {
        "tenant_id": tenant_id,
        "id": new_id(),
        "place_id": place_id,
        "kind": kind,
        "noted_by": work.actor.user_id,
        "noted_at": work.now,
    }
    work.session.execute(insert(WaitingStepRow).values(step | facts))
    return True


def _join(work: Work, instrument: InstrumentView, from_at: datetime, to_at: datetime, slots: int) -> PlaceView:
    suspensions.refuse_suspended(work, provider_id=instrument.provider_id)
    _lock_list(work, instrument)
    own = _open_places(work, instrument.id)
    same = next((each for each in own if (each.from_at, each.to_at, each.slots) == (from_at, to_at, slots)), None)
    if same is not None:
        return read_place(work, place_id=same.id)
    if len(own) >= MOST_PLACES:
        raise Conflict(
            "waiting.too_many", msg("贵园区在该仪器已有 {most} 个排队。请先退出其中一个。", most=MOST_PLACES)
        )
    _refuse_free(work, instrument, from_at, to_at, slots)
    place_id = _append(work, instrument, from_at, to_at, slots)
    return read_place(work, place_id=place_id)


def _append(work: Work, instrument: InstrumentView, from_at: datetime, to_at: datetime, slots: int) -> UUID:
    """Put the acting park at the end of an instrument's list, which is locked, and return its place."""
    number, place_id = _next_number(work, instrument), new_id()
    key = {"provider_id": instrument.provider_id, "instrument_id": instrument.id, "number": number}
    turn = {"wished": Range(from_at, to_at, bounds="[)"), "slots": slots, "open": True, "joined_at": work.now}
    work.session.execute(insert(WaitingTurn).values(key | turn))
    place = {
        "tenant_id": work.actor.require_tenant(),
        "id": place_id,
        "instrument_name": instrument.name,
        "offering": instrument.offering,
        "from_at": from_at,
        "to_at": to_at,
        "slots": slots,
        "joined_by": work.actor.user_id,
        "joined_at": work.now,
    }
    work.session.execute(insert(WaitingPlace).values(key | place))
    audit.record(work, "waiting.join", "waiting_place", place_id, instrument_id=instrument.id, number=number)
    return place_id


def _next_number(work: Work, instrument: InstrumentView) -> int:
    counted = (
        update(WaitingList)
        .where(WaitingList.provider_id == instrument.provider_id, WaitingList.instrument_id == instrument.id)
        .values(last_number=WaitingList.last_number + 1)
        .returning(WaitingList.last_number)
        .execution_options(synchronize_session=False)
    )
    return work.session.execute(counted).scalar_one()


def _lock_list(work: Work, instrument: InstrumentView) -> None:
    """Keep everybody else from joining an instrument's list before this transaction ends; its first one begins it."""
    key = {"provider_id": instrument.provider_id, "instrument_id": instrument.id}
    work.session.execute(insert(WaitingList).values(last_number=0, **key).on_conflict_do_nothing())
    query = select(WaitingList.last_number).where(
        WaitingList.provider_id == instrument.provider_id, WaitingList.instrument_id == instrument.id
    )
    work.session.execute(query.with_for_update()).scalar_one()


def _open_places(work: Work, instrument_id: UUID) -> Sequence[Any]:
    query = (
        select(WaitingPlace.id, WaitingPlace.from_at, WaitingPlace.to_at, WaitingPlace.slots)
        .join(WaitingTurn, IS_ITS_TURN)
        .where(
            WaitingPlace.tenant_id == work.actor.require_tenant(),
            WaitingPlace.instrument_id == instrument_id,
            WaitingTurn.open,
        )
    )
    return work.session.execute(query).all()


def _refuse_free(work: Work, instrument: InstrumentView, from_at: datetime, to_at: datetime, slots: int) -> None:
    """Refuse to wait for what can be booked; where others wait, what is free is theirs."""
    ahead = select(func.count()).where(
        WaitingTurn.provider_id == instrument.provider_id,
        WaitingTurn.instrument_id == instrument.id,
        WaitingTurn.open,
        WaitingTurn.wished.overlaps(Range(from_at, to_at, bounds="[)")),
    )
    if work.session.execute(ahead).scalar_one():
        return
    free = free_within(work, instrument.id, from_at, to_at, slots=slots, limit=1)
    if free:
        at = f"{free[0].starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
        raise Conflict("waiting.free", msg("{at} 起有符合要求的空档，无需排队。请直接预约。", at=at))


def _places(work: Work) -> Select[*tuple[Any, ...]]:
    before = (
        select(func.count())
        .where(
            WaitingTurn.provider_id == WaitingPlace.provider_id,
            WaitingTurn.instrument_id == WaitingPlace.instrument_id,
            WaitingTurn.number <= WaitingPlace.number,
            WaitingTurn.open,
            WaitingTurn.wished.op("&&")(func.tstzrange(WaitingPlace.from_at, WaitingPlace.to_at)),
        )
        .correlate(WaitingPlace)
        .scalar_subquery()
    )
    end = (WaitingStepRow.tenant_id == WaitingPlace.tenant_id) & (WaitingStepRow.place_id == WaitingPlace.id)
    hold = (SlotHold.tenant_id == WaitingPlace.tenant_id) & (SlotHold.id == WaitingStepRow.hold_id)
    return (
        select(
            WaitingPlace.id,
            WaitingPlace.instrument_id,
            WaitingPlace.instrument_name,
            WaitingPlace.offering,
            WaitingPlace.number,
            WaitingPlace.from_at,
            WaitingPlace.to_at,
            WaitingPlace.slots,
            WaitingPlace.joined_by,
            WaitingPlace.joined_at,
            before.label("position"),
            WaitingStepRow.kind.label("ended"),
            WaitingStepRow.hold_id,
            WaitingStepRow.starts_at.label("offer_starts_at"),
            WaitingStepRow.ends_at.label("offer_ends_at"),
            SlotHold.expires_at.label("offer_expires_at"),
            SlotHold.outcome,
        )
        .outerjoin(WaitingStepRow, end & (WaitingStepRow.kind != WaitingStep.PASSED))
        .outerjoin(SlotHold, hold)
        .where(WaitingPlace.tenant_id == work.actor.require_tenant())
    )


def _views(work: Work, rows: Sequence[Mapping[Any, Any]]) -> list[PlaceView]:
    passed: dict[UUID, list[PassedView]] = {row["id"]: [] for row in rows}
    query = (
        select(
            WaitingStepRow.place_id,
            WaitingStepRow.reason,
            WaitingStepRow.starts_at,
            WaitingStepRow.ends_at,
            WaitingStepRow.noted_at,
        )
        .where(
            WaitingStepRow.tenant_id == work.actor.require_tenant(),
            WaitingStepRow.place_id.in_(passed),
            WaitingStepRow.kind == WaitingStep.PASSED,
        )
        .order_by(WaitingStepRow.noted_at, WaitingStepRow.id)
    )
    for each in work.session.execute(query).mappings():
        passed[each["place_id"]].append(PassedView(**each))
    return [_view(work, row, passed[row["id"]]) for row in rows]


def _view(work: Work, row: Mapping[Any, Any], passed: Sequence[PassedView]) -> PlaceView:
    facts = dict(row)
    ended, outcome = facts.pop("ended"), facts.pop("outcome")
    state = state_of(
        None if ended is None else WaitingStep(ended),
        None if outcome is None else HoldOutcome(outcome),
        facts["offer_expires_at"],
        work.now,
    )
    if state is not WaitingState.WAITING:
        facts["position"] = None
    return PlaceView(**facts, state=state, passed=tuple(passed))
