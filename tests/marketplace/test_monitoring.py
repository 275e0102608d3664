"""Monitoring by the clock: an anomaly becomes one work order with a clock, alarms are told once for each crossing."""

from __future__ import annotations

from datetime import time, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.usecases import alerts
from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.usecases import invariants, monitoring
from services.usecases import alarm_rules, baselines, site_alarms, sites, watching, work_orders
from services.usecases.alarm_rules import RuleWish
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.work import Work
from tests.support import plays
from tests.support.crashes import crash_everywhere
from tests.support.sites import ALARMS, CooledOffice, add_meter, add_site, cooled_office, go_to, month_wish, send

QUARTER = 900


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    return play.person("park01")


def told(play: Play, park: Actor) -> list[str]:
    return sorted(each.kind for each in play.do(park, alerts.list_alerts))


def orders_of(play: Play, park: Actor) -> list[work_orders.WorkOrderView]:
    return list(play.do(park, work_orders.list_orders).items)


def test_a_fault_becomes_one_work_order_and_its_saving_is_measured(play: Play, park: Actor) -> None:
    office = cooled_office(play, park)
    office.send_until_now()
    clockwork.watch_sites(play.market)
    clockwork.watch_sites(play.market)
    play.work_queue()
    known = play.do(park, lambda work: baselines.current(work, meter_id=office.meter_id))
    assert known is not None
    assert (known.version, known.baseline.by_temperature) == (1, True)
    made = play.do(park, lambda work: baselines.read_forecast(work, meter_id=office.meter_id))
    assert made is not None
    assert set(made.errors) == {"boosted", "weekly", "daily"}
    assert office.evaluate() == 0, "nothing has come since"

    order = _found(play, park, office)
    assert (order.status, order.level, order.direction) == ("open", 0, "high")
    assert order.cause.advice
    assert 1500 < order.share_bp < 4500
    assert told(play, park) == ["work_order.found"]
    play.clock.advance(timedelta(days=1))
    office.send_until_now(1.3)
    assert office.evaluate() == 0, "one is open"
    _escalate(play, park)
    _handle(play, park, order.id)
    _verify(play, park, office)


def _found(play: Play, park: Actor, office: CooledOffice) -> work_orders.WorkOrderView:
    """Let the days pass with a fault of three tenths until it is found."""
    for day in range(4, 15):
        go_to(play, 2026, 8, day, 18)
        office.send_until_now(1.3)
        clockwork.watch_sites(play.market)
        play.work_queue()
        if found := orders_of(play, park):
            assert len(found) == 1
            return found[0]
    raise AssertionError("the fault was not found within eleven days")


def _escalate(play: Play, park: Actor) -> None:
    for _ in range(3):
        clockwork.escalate_work_orders(play.market)
    (order,) = orders_of(play, park)
    assert order.level == 1, "once an hour"
    play.clock.advance(timedelta(minutes=61))
    plays.at_once([partial(clockwork.escalate_work_orders, play.market)] * 4)
    (order,) = orders_of(play, park)
    assert (order.level, told(play, park).count("work_order.escalated")) == (2, 2)


def _handle(play: Play, park: Actor, order_id: UUID) -> None:
    accepted = play.do(park, lambda work: work_orders.accept(work, work_order_id=order_id, note="去现场"))
    assert (accepted.status, accepted.holder) == ("accepted", park.user_id)
    play.clock.advance(timedelta(hours=2))
    clockwork.escalate_work_orders(play.market)
    stranger = play.person("park02").user_id
    assert stranger is not None
    with pytest.raises(Invalid, match=r"work_order\.person"):
        play.do(park, lambda work: monitoring.hand_over(work, work_order_id=order_id, person=stranger))
    me = park.user_id
    assert me is not None
    play.do(park, lambda work: monitoring.hand_over(work, work_order_id=order_id, person=me))
    play.do(park, lambda work: work_orders.add_note(work, work_order_id=order_id, note="已清洗滤网"))
    closed = play.do(
        park, lambda work: work_orders.close(work, work_order_id=order_id, outcome="fixed", note="恢复正常")
    )
    assert (closed.status, closed.outcome, closed.level) == ("closed", "fixed", 2)
    with pytest.raises(Conflict):
        play.do(park, lambda work: work_orders.accept(work, work_order_id=order_id))


def _verify(play: Play, park: Actor, office: CooledOffice) -> None:
    midnight = play.clock.instant.replace(hour=0) + timedelta(days=1)
    play.clock.instant = midnight
    office.send_until_now(1.3)
    play.clock.instant = midnight + timedelta(days=15, hours=9)
    office.send_until_now()
    assert office.evaluate() == 0, "days before the repair count no more"
    (order,) = orders_of(play, park)
    assert order.saving is not None
    assert order.saving["is_proved"]
    assert order.saving["days"] == 14
    assert abs(order.saving["saved"] - 0.3 * order.saving["metered"]) <= 2 * order.saving["uncertainty"]
    steps = [step.kind for step in play.do(park, lambda work: work_orders.read_steps(work, work_order_id=order.id))]
    assert steps == ["found", "escalated", "escalated", "accepted", "handed_over", "noted", "closed", "verified"]
    watched = play.do(park, lambda work: watching.read_watch(work, meter_id=office.meter_id))
    assert watched is not None
    assert watched.found["state"] == "watching"


def test_a_sudden_fault_is_a_work_order_within_two_hours(play: Play, park: Actor) -> None:
    office = cooled_office(play, park)
    office.send_until_now()
    clockwork.watch_sites(play.market)
    play.work_queue()
    go_to(play, 2026, 8, 12, 10)
    office.send_until_now()
    assert office.evaluate() == 0
    took = 0
    while not orders_of(play, park):
        play.clock.advance(timedelta(minutes=15))
        office.send_until_now(2.2)
        clockwork.watch_sites(play.market)
        play.work_queue()
        took += 1
        assert took <= 8, "not found within two hours"
    (order,) = orders_of(play, park)
    assert (order.direction, order.cause.code, order.first_day) == ("high", "surge", order.found_day)
    assert (order.surge_from, order.surge_found) == (
        play.clock.instant - timedelta(minutes=15 * took),
        play.clock.instant,
    )
    assert order.share_bp > 8000
    assert len(order.detail["surge"]["quarters"]) == 24 + took
    assert told(play, park) == ["work_order.found"]
    office.send_until_now()
    play.do(park, lambda work: work_orders.close(work, work_order_id=order.id, outcome="fixed", note="阀门已修复"))
    play.clock.advance(timedelta(days=16))
    office.send_until_now()
    assert office.evaluate() == 0
    (order,) = orders_of(play, park)
    assert order.saving is None, "how long it would have gone on, nobody knows"


def test_a_site_that_is_not_rented_any_more_is_not_watched(play: Play, park: Actor) -> None:
    office = cooled_office(play, park)
    office.send_until_now()
    go_to(play, 2026, 9, 1, 7)
    assert play.do(system_actor("clockwork"), watching.sites_due) == []
    assert office.evaluate() == 0
    assert play.do(park, lambda work: watching.read_watch(work, meter_id=office.meter_id)) is None


@pytest.fixture
def alarmed(play: Play, park: Actor) -> UUID:
    """A meter of a site that rents alarms."""
    site_id = add_site(play, park)
    plays.order(play, park, month_wish(site_id, ALARMS))
    return add_meter(play, park, site_id, "t1", measures="temperature", unit="°C", readings="instant").id


def rule(play: Play, park: Actor, meter_id: UUID, **more: object) -> alarm_rules.RuleView:
    wish = RuleWish(**({"name": "冷库超温", "kind": "above", "threshold": -15.0, "hysteresis": 1.0} | more))  # type: ignore[arg-type]
    return play.do(park, lambda work: alarm_rules.add_rule(work, meter_id=meter_id, wish=wish))


def alarms(play: Play, park: Actor) -> list[site_alarms.AlarmView]:
    return list(play.do(park, site_alarms.list_alarms).items)


def measure(play: Play, park: Actor, *values: float) -> None:
    """Send a reading every five minutes from now on, and stand at the last one."""
    for value in values:
        play.clock.advance(timedelta(minutes=5))
        send(play, park, "t1", [int(play.clock.now().timestamp())], [value])


def test_a_crossing_is_one_alarm_that_goes_up_until_it_is_acknowledged(
    play: Play, park: Actor, alarmed: UUID
) -> None:  # fmt: skip
    rule(play, park, alarmed)
    measure(play, park, -20, -10)
    plays.at_once([partial(clockwork.look_for_alarms, play.market)] * 6)
    clockwork.look_for_alarms(play.market)
    (alarm,) = alarms(play, park)
    assert (alarm.crossing, alarm.level, float(alarm.value or 0)) == (1, 1, -10)
    measure(play, park, -9, -8, -9)
    for expected in (2, 2):
        clockwork.look_for_alarms(play.market)
        assert alarms(play, park)[0].level == expected
    play.clock.advance(timedelta(minutes=46))
    clockwork.look_for_alarms(play.market)
    assert alarms(play, park)[0].level == 3
    assert told(play, park) == ["alarm.told"] * 3
    for _ in range(2):
        play.do(park, lambda work: site_alarms.acknowledge(work, alarm_id=alarm.id, note="已通知维修"))
    play.clock.advance(timedelta(hours=3))
    measure(play, park, -15.5, -16.5, -10)
    clockwork.look_for_alarms(play.market)
    second, first = alarms(play, park)
    assert (first.level, first.ended_at is not None, first.note) == (3, True, "已通知维修")
    assert (second.crossing, second.level) == (2, 1)
    assert play.do(park, lambda work: sites.rented_months(work, site_id=first.site_id))
    used = plays.counted(play, "SELECT delivery, sum(count)::bigint FROM site_activities GROUP BY 1")
    assert set(used) == {"alarms"}


def test_a_silent_meter_is_an_alarm_once_and_ends_with_its_next_reading(
    play: Play, park: Actor, alarmed: UUID
) -> None:  # fmt: skip
    rule(play, park, alarmed, kind="silent", threshold=None, hold_minutes=30)
    measure(play, park, -20)
    for minutes in (29, 2, 60):
        clockwork.look_for_alarms(play.market)
        play.clock.advance(timedelta(minutes=minutes))
    clockwork.look_for_alarms(play.market)
    (alarm,) = alarms(play, park)
    assert (alarm.crossing, alarm.value, alarm.ended_at) == (1, None, None)
    measure(play, park, -20)
    clockwork.look_for_alarms(play.market)
    assert alarms(play, park)[0].ended_at is not None


def test_in_quiet_hours_an_alarm_is_kept_and_told_at_their_end(play: Play, park: Actor, alarmed: UUID) -> None:
    rule(play, park, alarmed, quiet_from=time(22), quiet_until=time(7))
    go_to(play, 2026, 3, 2, 23)
    measure(play, park, -10)
    clockwork.look_for_alarms(play.market)
    assert (alarms(play, park)[0].level, told(play, park)) == (0, [])
    go_to(play, 2026, 3, 3, 7)
    clockwork.look_for_alarms(play.market)
    assert (alarms(play, park)[0].level, told(play, park)) == (1, ["alarm.told"])


def test_late_readings_and_ended_rules_raise_nothing(play: Play, park: Actor, alarmed: UUID) -> None:
    made = rule(play, park, alarmed)
    measure(play, park, -20)
    clockwork.look_for_alarms(play.market)
    send(play, park, "t1", [int(play.clock.now().timestamp()) - 60], [0])
    clockwork.look_for_alarms(play.market)
    play.do(park, lambda work: alarm_rules.end_rule(work, rule_id=made.id))
    measure(play, park, 0)
    clockwork.look_for_alarms(play.market)
    assert alarms(play, park) == []


def test_a_rule_that_cannot_be_is_refused_with_its_fields(play: Play, park: Actor, alarmed: UUID) -> None:
    for more, field in (
        ({"name": " "}, "name"), ({"kind": "odd"}, "kind"), ({"threshold": None}, "threshold"),
        ({"hysteresis": -1}, "hysteresis"), ({"hold_minutes": 9999}, "hold_minutes"),
        ({"quiet_from": time(1)}, "quiet_until"), ({"steps": (60, 15)}, "steps"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            rule(play, park, alarmed, **more)
        assert [error.field for error in refused.value.errors] == [field]


def test_a_look_and_a_telling_that_crash_anywhere_leave_nothing_and_are_done_once(
    play: Play, park: Actor, alarmed: UUID
) -> None:
    made = rule(play, park, alarmed)
    measure(play, park, -20, -10)
    state, worker = partial(plays.fingerprint, play), plays.worker_of(park)

    def look(work: Work) -> None:
        site_alarms.look_at_site(work, site_id=made.site_id)

    def tell(work: Work) -> None:
        for alarm in site_alarms.list_alarms(work).items:
            monitoring.tell_alarm(work, alarm_id=alarm.id)

    for step in (look, tell):
        assert crash_everywhere(play.market.engine, partial(play.do, worker, step), state) > 5
    for step in (look, tell):
        play.do(worker, step)
    assert [(alarm.crossing, alarm.level) for alarm in alarms(play, park)] == [(1, 1)]
    assert told(play, park) == ["alarm.told"]


BROKEN = {
    "reading-version": "UPDATE readings SET version = version + 1",
    "virtual-meter-level": 'UPDATE site_meters SET depth = 1, formula = \'[{"meter_id": "018f0000-0000-7000-8000-000000000001"}]\'',
    "alarm-crossing": "UPDATE alarm_rules SET crossings = crossings + 1",
    "alarm-steps": "DELETE FROM alarm_steps",
    "work-order-steps": "DELETE FROM work_order_steps WHERE kind = 'found'",
}


def test_each_invariant_of_monitoring_finds_its_break(play: Play, park: Actor, alarmed: UUID) -> None:
    rule(play, park, alarmed)
    measure(play, park, -20, -10)
    send(play, park, "t1", [int(play.clock.now().timestamp())], [-9])
    clockwork.look_for_alarms(play.market)
    with plays._owner(play) as connection:
        for name, change in BROKEN.items():
            if name == "work-order-steps":
                _invent_work_order(connection)
            connection.execute(text(change))
            sql = next(each.sql for each in invariants.ALL if each.name == name)
            assert connection.execute(text(sql)).first() is not None, name
            connection.rollback()
    assert play.do(system_actor("check"), invariants.check) == ()


def _invent_work_order(connection: object) -> None:
    connection.execute(  # type: ignore[attr-defined]
        text(
            "INSERT INTO meter_baselines (tenant_id, id, meter_id, version, trained_from, trained_until, document, fitted_at)"
            " SELECT tenant_id, id, id, 1, now() - interval '1 day', now(), '{}', now() FROM site_meters"
        )
    )
    connection.execute(  # type: ignore[attr-defined]
        text(
            "INSERT INTO work_orders (tenant_id, id, number, site_id, meter_id, baseline_id, direction, cause, first_day,"
            " found_day, excess, share_bp, detail, status, found_at, respond_by, level)"
            " SELECT tenant_id, id, 'W1', site_id, id, id, 'high', 'general', now(), now(), 1, 1, '{}', 'open', now(), now(), 0"
            " FROM site_meters"
        )
    )
