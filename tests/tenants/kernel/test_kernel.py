"""Messages, clock, instants, actors and pages."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from tenants.kernel.clock import CHINA, ManualClock, SystemClock
from tenants.kernel.context import Actor, Reach, system_actor
from tenants.kernel.errors import FieldError, Invalid, NotAllowed, Unauthenticated
from tenants.kernel.identifiers import new_id, parse_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, encode_cursor, page_of
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import WorkShop
from tenants.store.audit import AuditEntry

MOMENT = datetime(2026, 3, 2, 1, tzinfo=UTC)


def test_a_message_is_chinese_until_a_door_translates_it() -> None:
    message = msg("余额不足 {short} 元。请先充值。", short="3.00")
    assert str(message) == "余额不足 3.00 元。请先充值。"
    assert message.render("Short of {short} yuan. Top up first.") == "Short of 3.00 yuan. Top up first."
    assert str(msg("按 {原样} 显示")) == "按 {原样} 显示"


def test_a_problem_crosses_processes_whole() -> None:
    problem = Invalid("a.b", msg("错 {n}", n=1), errors=[FieldError("x[0].y", "a.b", msg("错"))])
    copy = pickle.loads(pickle.dumps(problem))  # noqa: S301 - our own bytes
    assert (type(copy), copy.code, copy.message, copy.errors) == (Invalid, "a.b", problem.message, problem.errors)


def test_a_clock_tells_utc_and_refuses_a_naive_instant() -> None:
    clock = ManualClock(datetime(2026, 3, 2, 9, tzinfo=CHINA))
    assert clock.now() == MOMENT
    assert clock.now().tzinfo is UTC
    clock.advance(timedelta(hours=-2))
    assert clock.now() == MOMENT - timedelta(hours=2)
    assert SystemClock().now().tzinfo is UTC
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 3, 2))  # noqa: DTZ001 - the naive instant is the point


def test_the_database_takes_no_naive_instant_and_answers_in_utc(workshop: WorkShop) -> None:
    entry = {"id": new_id(), "actor_name": "t", "action": "a", "object_kind": "k", "object_id": "1", "detail": {}}
    row = entry | {"request_id": "", "at": datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))}
    with workshop.work(system_actor("test")) as work:
        work.session.execute(AuditEntry.__table__.insert(), row)  # type: ignore[attr-defined]
        work.session.execute(text("SET LOCAL timezone = 'America/New_York'"))
        read = work.session.execute(AuditEntry.__table__.select()).one().at
    assert read == MOMENT
    assert read.tzinfo is UTC
    naive = row | {"id": new_id(), "at": datetime(2026, 3, 2)}  # noqa: DTZ001 - the naive instant is the point
    with pytest.raises(StatementError, match="offset"), workshop.work(system_actor("test")) as work:
        work.session.execute(AuditEntry.__table__.insert(), naive)  # type: ignore[attr-defined]


def test_an_actor_needs_the_permission_and_a_tenants_actor_the_tenant() -> None:
    nobody = Actor("nobody", Reach.STAFF, frozenset())
    with pytest.raises(Unauthenticated):
        nobody.require(Permission.READ_PARK)
    with pytest.raises(NotAllowed):
        Actor("somebody", Reach.STAFF, frozenset(), user_id=new_id()).require(Permission.READ_PARK)
    with pytest.raises(NotAllowed):
        nobody.require_tenant()
    with pytest.raises(ValueError, match="tenant"):
        Actor("park", Reach.TENANT, frozenset())


def test_ids_made_later_sort_later() -> None:
    made = [new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert parse_id(str(made[0])) == made[0]
    assert parse_id("no id") is None


def test_a_tier_covers_those_below() -> None:
    assert Tier.LEADING.covers(Tier.BASIC)
    assert Tier.BASIC.covers(Tier.BASIC)
    assert not Tier.BASIC.covers(Tier.ENHANCED)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was_given(at: datetime, row_id: object) -> None:
    assert decode_cursor(encode_cursor(at, row_id)) == (at, row_id)  # type: ignore[arg-type]


@given(st.text())
def test_a_forged_cursor_is_refused(text_: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_cursor(text_)
    assert caught.value.code == "page.bad_cursor"


@given(st.integers(0, 37), st.sampled_from("ABCxyz-_"))
def test_a_damaged_cursor_is_refused(place: int, character: str) -> None:
    good = encode_cursor(MOMENT, new_id())
    spoilt = good[:place] + character + good[place + 1 :]
    if spoilt != good:
        with pytest.raises(Invalid):
            decode_cursor(spoilt)


def test_a_page_ends_without_a_cursor_and_limits_are_kept() -> None:
    rows = [(MOMENT, new_id()) for _ in range(3)]
    assert page_of(rows, 3, str, lambda row: row) == Page(tuple(map(str, rows)), None)
    first = page_of(rows, 2, str, lambda row: row)
    assert decode_cursor(first.next_cursor) == rows[1]
    assert page_of([], 2, str, lambda row: row) == Page((), None)
    assert decode_cursor(None) is None
    for limit in (0, -1, 201):
        with pytest.raises(Invalid):
            check_limit(limit)
