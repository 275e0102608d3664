"""Corrections of events: new events that take the place of others, each once, in chains that never close."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text

from billing.rules.invoices import Closed
from billing.store.usage import Meter
from billing.usecases import event_lists, event_views, metering
from marketplace.doors.texts import translate
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import WorkShop

DAY = datetime(2026, 2, 28, 16, tzinfo=UTC)


@pytest.fixture
def park(workshop: WorkShop) -> Actor:
    with workshop.work(system_actor("operator")) as work:
        values = {
            "slug": "energy", "name": "能耗", "event_type": "energy.read", "aggregation": "sum",
            "value_property": "$.kwh", "group_by": {}, "filters": {}, "allow_negative": False,
        }  # fmt: skip
        work.session.execute(insert(Meter).values(**values))
    rights = frozenset({Permission.SEND_EVENTS, Permission.READ_USAGE})
    made = system_actor("park", tenant_id=new_id())
    return Actor(made.name, made.reach, rights, user_id=new_id(), tenant_id=made.tenant_id)


def event(name: str, kwh: Any = "10", **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "gateway/1",
        "type": "energy.read",
        "time": "2026-03-01T08:00:00+08:00",
        "data": {} if changes.get("correction") == "void" else {"kwh": kwh},
        **changes,
    }


def ingest(workshop: WorkShop, park: Actor, *events: Any, partial: bool = False) -> metering.IngestResult:
    with workshop.work(park) as work:
        return metering.ingest_events(work, events=events, partial=partial)


def metered(workshop: WorkShop, park: Actor) -> int:
    with workshop.work(park) as work:
        answer = metering.query_meter(work, slug="energy", from_=DAY - timedelta(days=3), to=DAY + timedelta(days=3))
    return sum(int(row.value) for row in answer.rows)


def test_the_last_of_a_chain_speaks_for_all_of_it(workshop: WorkShop, park: Actor) -> None:
    ingest(workshop, park, event("a", "10"), event("b", "5"))
    ingest(workshop, park, event("a2", "8", correctsid="a"))
    assert metered(workshop, park) == 13
    ingest(workshop, park, event("a3", correctsid="a2", correctssource="gateway/1", correction="void"))
    assert metered(workshop, park) == 5, "a void correction leaves the place empty and does not bring back the first"
    retry = event("a3", correctsid="a2", correction="void")
    later = event("a4", "7", correctsid="a3", time="2026-03-02T08:00:00+08:00")
    assert ingest(workshop, park, retry, later).duplicates == 1
    assert metered(workshop, park) == 12
    one_batch = [event("c", "1"), event("c2", "2", correctsid="c"), event("c3", "3", correctsid="c2")]
    ingest(workshop, park, *one_batch)
    assert metered(workshop, park) == 15


def test_what_may_not_be_corrected_is_told_per_item(workshop: WorkShop, park: Actor) -> None:
    with workshop.work(system_actor("platform", tenant_id=park.tenant_id)) as work:
        metering.record_event(
            work, source="marketplace/twin", event_id="run", event_type="energy.read", subject="s", time=DAY, data={}
        )
    ingest(workshop, park, event("a"), event("a2", correctsid="a"))
    bad = {
        "itself": (event("x", correctsid="x"), "event.corrects_itself"),
        "nothing": (event("x1", correctsid="none"), "event.corrects_unknown"),
        "taken": (event("x2", correctsid="a"), "event.corrected_already"),
        "type": (event("x3", correctsid="a2", type="other"), "event.correction_type"),
        "platform": (
            event("x4", correctsid="run", correctssource="marketplace/twin"), "event.correction_not_yours"
        ),
        "later": (event("x5", correctsid="x6"), "event.corrects_unknown"),
        "ring": (event("x6", correctsid="x5"), "event.corrects_unknown"),
        "kind": (event("x7", correctsid="a2", correction="undo"), "event.correction"),
        "void": (event("x8", correctsid="a2", correction="void", data={"kwh": 1}), "event.void_with_data"),
        "half": (event("x9", correction="void"), "field.text"),
    }  # fmt: skip
    for raw, code in bad.values():
        if code != "event.corrects_unknown":
            with pytest.raises(Invalid) as refusal:
                ingest(workshop, park, raw)
            assert [each.code for each in refusal.value.errors] == [code]
    result = ingest(workshop, park, *[raw for raw, _ in bad.values()], event("good"), partial=True)
    assert [each.code for each in result.rejected] == [code for _, code in bad.values()]
    assert [each.index for each in result.rejected] == list(range(len(bad)))
    assert result.accepted == 1
    with workshop.work(park) as work:
        kept = work.session.execute(text("SELECT code FROM rejected_events ORDER BY id")).scalars().all()
    assert kept == [code for _, code in bad.values()]
    operator = system_actor("operator", tenant_id=park.tenant_id)
    assert ingest(workshop, operator, bad["platform"][0]).accepted == 1, "who meters may correct the platform's events"


def test_the_same_id_with_another_target_is_a_conflict(workshop: WorkShop, park: Actor) -> None:
    ingest(workshop, park, event("a"), event("b"), event("a2", correctsid="a"))
    with pytest.raises(Conflict) as refusal:
        ingest(workshop, park, event("a2", correctsid="b"))
    assert "correctsid" in str(refusal.value.errors[0].message)
    with pytest.raises(Conflict):
        ingest(workshop, park, event("a2"))


def test_of_two_corrections_at_once_one_stands(workshop: WorkShop, park: Actor) -> None:
    ingest(workshop, park, event("a"))
    start, ends = threading.Barrier(2), []

    def correct(name: str) -> None:
        try:
            with workshop.work(park) as work:
                start.wait()
                metering.ingest_events(work, events=[event(name, "1", correctsid="a")])
            ends.append("stands")
        except (Conflict, Invalid) as refusal:
            ends.append(refusal.code)

    threads = [threading.Thread(target=correct, args=(name,)) for name in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 2
    assert ends.count("stands") == 1, ends
    assert metered(workshop, park) == 1


@pytest.mark.parametrize(
    ("kwh", "code"),
    [
        (-1, "event.negative"),
        ("-0.5", "event.negative"),
        ("NaN", "event.not_finite"),
        ("-Infinity", "event.not_finite"),
    ],
)
def test_a_value_that_the_meter_forbids_is_refused(workshop: WorkShop, park: Actor, kwh: Any, code: str) -> None:
    result = ingest(workshop, park, event("a", kwh), event("b", "1"), event("c", "words"), partial=True)
    assert [(each.code, each.fault.field) for each in result.rejected] == [(code, "events[0].data.kwh")]
    assert metered(workshop, park) == 1


def test_nobody_sends_events_from_the_platforms_sources(workshop: WorkShop, park: Actor) -> None:
    for source in ("marketplace", "marketplace/twin", "Marketplace/x"):
        for actor in (park, system_actor("operator", tenant_id=park.tenant_id)):
            with pytest.raises(Invalid) as refusal:
                ingest(workshop, actor, event("a", source=source))
            assert refusal.value.errors[0].code == "event.reserved_source"


def test_late_is_what_comes_after_the_days_of_grace(workshop: WorkShop, park: Actor, clock: ManualClock) -> None:
    clock.instant = datetime(2026, 3, 3, 15, 59, tzinfo=UTC)
    february = [event("a", time="2026-02-28T23:59:00+08:00"), event("z", time="2026-01-31T23:59:00+08:00")]
    assert ingest(workshop, park, *february, event("b")).late == 1, "January's days are over, February's are not"
    clock.advance(timedelta(minutes=1))
    assert ingest(workshop, park, event("c", time="2026-02-28T23:59:00+08:00"), event("d")).late == 1
    with workshop.work(park) as work:
        found = {name: event_views.read_event(work, source="gateway/1", event_id=name) for name in "azbcd"}
        listed = event_lists.list_events(work).items
    assert {name for name, each in found.items() if each.late} == {"z", "c"} == {
        each.row.id for each in listed if each.late
    }  # fmt: skip
    assert {(each.period, each.billing) for each in found.values()} == {
        (month, event_views.EventBilling.NOT_BILLED) for month in ("2026-01", "2026-02", "2026-03")
    }


@given(st.integers(0, 6), st.integers(0, 28), st.lists(st.tuples(st.integers(1, 12), st.integers(0, 60)), max_size=4))
def test_late_is_what_comes_after_the_invoice_that_would_have_held_it(
    month: int, grace: int, invoices: list[tuple[int, int]]
) -> None:
    used = datetime(2026, month + 1, 15, tzinfo=UTC)
    received = datetime(2026, month + 2, 1, tzinfo=UTC)
    final = tuple((f"2026-{of:02}", received + timedelta(days=30 - ago)) for of, ago in invoices)
    closed = Closed(grace, final)
    holding = any(of > month and ago >= 30 for of, ago in invoices)
    assert closed.is_late(used, received) == (holding or grace == 0)
    assert closed.is_late(used, received) == (used < closed.late_before(received))


def test_what_became_of_an_event_can_be_read(workshop: WorkShop, park: Actor) -> None:
    ingest(workshop, park, event("a"), event("b", "words"), event("c", type="other"), event("a2", "1", correctsid="a"))
    ingest(workshop, park, event("d", -1), event("e"), partial=True)
    with workshop.work(park) as work:
        names = ("a", "b", "c", "a2", "e")
        seen = {name: event_views.read_event(work, source="gateway/1", event_id=name) for name in names}
        rejected = event_views.list_rejected(work)
        with pytest.raises(NotFound):
            event_views.read_event(work, source="gateway/1", event_id="none")
    assert {name: each.meters for name, each in seen.items()} == {
        "a": (), "b": (), "c": (), "a2": ("energy",), "e": ("energy",)
    }  # fmt: skip
    assert (seen["a"].corrected_by, seen["a2"].corrects) == (("gateway/1", "a2"), ("gateway/1", "a"))
    assert [(each.id, each.code) for each in rejected] == [("d", "event.negative")]
    (told,) = [each.reason for each in rejected]
    assert dict(told.values), "the sentence and its values are apart"
    assert translate(told, "en") != str(told), "so it is told in the reader's language"
    with workshop.work(system_actor("stranger", tenant_id=new_id())) as work:
        assert event_views.list_rejected(work) == ()
        with pytest.raises(NotFound):
            event_views.read_event(work, source="gateway/1", event_id="a", park_id=park.tenant_id)


HOURS = st.integers(0, 24 * 110).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


@given(
    ago=st.integers(-1, 24 * 90),
    received=HOURS,
    grace=st.integers(0, 62),
    invoices=st.lists(st.tuples(st.sampled_from(("2025-12", "2026-01", "2026-02", "2026-03")), HOURS), max_size=3),
)
def test_one_moment_says_of_a_whole_batch_what_is_late(
    ago: int, received: datetime, grace: int, invoices: list[tuple[str, datetime]]
) -> None:
    closed = Closed(grace, tuple(invoices))
    used = received - timedelta(hours=ago)
    assert (used < closed.late_before(received)) == closed.is_late(used, received)
