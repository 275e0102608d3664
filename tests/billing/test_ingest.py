"""Usage events: each once and for good, the bad ones named, the unusual ones treated as stated."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.rules.events import IncomingEvent
from billing.store.event_intake import PIECE, intake, take_in
from billing.usecases import metering
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, TooLarge
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop

BATCHES = [pytest.param(3, id="few"), pytest.param(700, id="many, in three statements")]


@pytest.fixture
def park() -> Actor:
    return system_actor("park", tenant_id=new_id())


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "gateway/1",
        "type": "energy.read",
        "subject": "building-7",
        "time": "2026-03-01T08:00:00+08:00",
        "data": {"kwh": "12.5", "place": {"floor": number % 3}},
        **changes,
    }


def ingest(workshop: WorkShop, park: Actor, *events: Any, partial: bool = False) -> metering.IngestResult:
    with workshop.work(park) as work:
        return metering.ingest_events(work, events=events, partial=partial)


def stored(workshop: WorkShop, park: Actor) -> int:
    with workshop.work(park) as work:
        return int(work.session.execute(text("SELECT count(*) FROM usage_events")).scalar_one())


@pytest.mark.parametrize("size", BATCHES)
def test_a_retry_changes_nothing_at_whatever_time(workshop: WorkShop, park: Actor, size: int) -> None:
    batch = [event(number) for number in range(size)]
    assert ingest(workshop, park, *batch).accepted == size
    later = [each | {"time": "2026-03-02T08:00:00+08:00"} for each in batch]
    again = ingest(workshop, park, *later, event(size))
    assert (again.accepted, again.duplicates) == (1, size)
    assert stored(workshop, park) == size + 1
    with workshop.work(park) as work:
        times = work.session.execute(text("SELECT DISTINCT time FROM usage_events")).scalars().all()
    assert len(times) == 1


@pytest.mark.parametrize("size", BATCHES)
def test_another_body_under_the_same_id_is_a_conflict_that_names_the_difference(
    workshop: WorkShop, park: Actor, size: int
) -> None:
    batch = [event(number) for number in range(size)]
    ingest(workshop, park, *batch)
    batch[2] = event(2, type="energy.guess", data={"kwh": "13", "place": {"floor": 2}, "unit": "MWh"})
    with pytest.raises(Conflict) as refusal:
        ingest(workshop, park, event(size), *batch)
    assert refusal.value.code == "event.conflict"
    (fault,) = refusal.value.errors
    assert fault.field == "events[3]"
    assert "type, data.kwh, data.unit" in str(fault.message)
    assert stored(workshop, park) == size, "nothing of a refused batch is kept"
    kept = ingest(workshop, park, event(size), *batch, partial=True)
    assert (kept.accepted, kept.duplicates, len(kept.rejected)) == (1, size - 1, 1)


def test_a_fault_in_the_last_piece_keeps_nothing_of_the_first(workshop: WorkShop, park: Actor) -> None:
    batch = [event(number) for number in range(2 * PIECE)]
    batch += [event(data=[1], id="bad"), event(0), event(1, data={"kwh": "1"})]
    with pytest.raises(Invalid) as refusal:
        ingest(workshop, park, *batch)
    assert [fault.field for fault in refusal.value.errors] == [f"events[{2 * PIECE}].data"]
    assert stored(workshop, park) == 0
    kept = ingest(workshop, park, *batch, partial=True)
    assert (kept.accepted, kept.duplicates) == (2 * PIECE, 1)
    assert [each.index for each in kept.rejected] == [2 * PIECE, 2 * PIECE + 2]


def test_what_the_database_refuses_on_its_way_is_raised_as_from_any_statement(workshop: WorkShop, park: Actor) -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    torn = IncomingEvent("gateway/1", "torn", "energy.read", "building-7", moment, '{"kwh":', "0" * 64)
    good = [IncomingEvent("gateway/1", str(n), "energy.read", "b", moment, "{}", "0" * 64) for n in range(3)]

    def send_all() -> None:
        with workshop.work(park) as work, intake(work.session, park.require_tenant(), work.now) as taking:
            for each in (good[0], torn, good[1]):
                taking.send([each])

    with pytest.raises(DBAPIError):
        send_all()
    assert stored(workshop, park) == 0
    assert ingest(workshop, park, event(1)).accepted == 1, "the connection goes on"


def test_the_same_number_written_otherwise_is_the_same(workshop: WorkShop, park: Actor) -> None:
    ingest(workshop, park, event(data={"kwh": 12, "f": Decimal("0.5")}))
    again = ingest(workshop, park, event(data={"f": 0.5, "kwh": Decimal("12.0")}), event(data={"f": 0.5, "kwh": 12.0}))
    assert again.duplicates == 2


@pytest.mark.parametrize("size", BATCHES)
def test_texts_are_stored_as_they_came(workshop: WorkShop, park: Actor, size: int) -> None:
    odd = {"path": "C:\\new\\table", "lines": "a\tb\nc\rd", "quote": '"', "null": "\\N", "汉字": "\u2028🙂"}
    ingest(workshop, park, *[event(number, subject="\\N \\t", data=odd) for number in range(size)])
    with workshop.work(park) as work:
        rows = work.session.execute(text("SELECT DISTINCT subject, data FROM usage_events")).all()
    assert [tuple(row) for row in rows] == [("\\N \\t", odd)]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda pair: pair[0],
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_mistaken_for_the_form_it_is_sent_in(workshop: WorkShop, pairs: list[tuple[str, str]]) -> None:
    park = system_actor("park", tenant_id=new_id())
    batch = [event(id=name, subject=f'"{name},\\', data={"note": note, name: 1e-7}) for name, note in pairs]
    assert ingest(workshop, park, *batch).accepted == len(batch)
    assert ingest(workshop, park, *batch).duplicates == len(batch)
    with workshop.work(park) as work:
        rows = work.session.execute(text("SELECT event_id, subject, data FROM usage_events")).all()
    kept = {row.event_id: (row.subject, row.data) for row in rows}
    assert kept == {each["id"]: (each["subject"], each["data"]) for each in batch}


def test_what_one_event_got_right_is_still_asked_of_the_next(workshop: WorkShop, park: Actor) -> None:
    bad = [
        event(1, source="marketplace/x"),
        event(2, source=["gateway/1"]),
        event(3, specversion=1.0),
        event(4, type=7),
    ]
    result = ingest(workshop, park, event(0), *bad, event(5, subject=str(new_id())), event(6), partial=True)
    assert [each.fault.field for each in result.rejected] == [
        "events[1].source", "events[2].source", "events[3].specversion", "events[4].type", "events[5].subject",
    ]  # fmt: skip
    assert result.accepted == 2


def test_what_was_sent_before_numbers_were_written_shorter_is_still_known(workshop: WorkShop, park: Actor) -> None:
    older = hashlib.sha256(b'["energy.read", "building-7"]{"kwh":1e-07}').hexdigest()
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    sent = IncomingEvent("gateway/1", "old", "energy.read", "building-7", moment, '{"kwh":1e-07}', older)
    with workshop.work(park) as work:
        take_in(work.session, park.require_tenant(), [sent], work.now)
    assert ingest(workshop, park, event(id="old", data={"kwh": 1e-7})).duplicates == 1


def test_one_id_twice_in_a_batch_counts_once(workshop: WorkShop, park: Actor) -> None:
    result = ingest(workshop, park, event(1), event(1), event(1, source="gateway/2"))
    assert (result.accepted, result.duplicates) == (2, 1)
    with pytest.raises(Conflict):
        ingest(workshop, park, event(3), event(3, data={"kwh": "1"}))


def test_parks_have_their_own_ids(workshop: WorkShop, park: Actor) -> None:
    other = system_actor("other", tenant_id=new_id())
    assert ingest(workshop, park, event()).accepted == 1
    assert ingest(workshop, other, event(data={"kwh": "1"})).accepted == 1


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        ("nothing", "", "field.not_object"),
        (event(specversion="0.3"), "specversion", "event.specversion"),
        (event(id=""), "id", "field.text"),
        (event(id="x" * 201), "id", "field.text"),
        (event(source=7), "source", "field.text"),
        (event(type="line\nbreak"), "type", "field.text"),
        (event(time="yesterday"), "time", "field.moment"),
        (event(time="2026-03-01T08:00:00"), "time", "field.moment"),
        (event(time="2026-03-02T03:00:00Z"), "time", "event.in_future"),
        (event(subject="0198c0de-0000-7000-8000-000000000000"), "subject", "event.foreign_subject"),
        (event(datacontenttype="text/xml"), "datacontenttype", "event.content_type"),
        (event(data=[1]), "data", "field.not_object"),
        (event(data={"kwh": float("nan")}), "data", "event.data"),
        (event(data={"kwh": float("inf")}), "data", "event.data"),
        (event(data={"text": "a\0b"}), "data", "event.data"),
        (event(data={"text": "\ud800"}), "data", "event.data"),
        (event(data={"text": "x" * 70_000}), "data", "event.too_large"),
    ],
)
def test_a_bad_event_is_named_and_its_batch_refused(
    workshop: WorkShop, park: Actor, bad: Any, field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        ingest(workshop, park, event(1), bad)
    (fault,) = refusal.value.errors
    assert (fault.field, fault.code) == (f"events[1].{field}".rstrip("."), code)
    assert stored(workshop, park) == 0
    result = ingest(workshop, park, event(1), bad, partial=True)
    assert (result.accepted, [each.code for each in result.rejected]) == (1, [code])


def test_deep_nesting_is_refused(workshop: WorkShop, park: Actor) -> None:
    for depth in (40, 100_000):
        data: dict[str, Any] = {}
        for _ in range(depth):
            data = {"in": data}
        with pytest.raises(Invalid):
            ingest(workshop, park, event(data=data))


def test_a_million_values_and_too_many_events_are_refused(workshop: WorkShop, park: Actor) -> None:
    with pytest.raises(TooLarge):
        ingest(workshop, park, *[event()] * 10_001)


def test_a_late_event_and_one_of_an_unknown_type_are_kept(workshop: WorkShop, park: Actor) -> None:
    result = ingest(workshop, park, event(1, time="2019-01-01T00:00:00Z"), event(2, type="never.heard.of"))
    assert (result.accepted, result.unmetered) == (2, 2)


def test_an_event_without_subject_or_time_is_the_parks_own_and_of_now(workshop: WorkShop, park: Actor) -> None:
    bare = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    ingest(workshop, park, bare)
    assert ingest(workshop, park, bare).duplicates == 1
    with workshop.work(park) as work:
        row = work.session.execute(text("SELECT subject, time, data FROM usage_events")).one()
        assert (row.subject, row.time, row.data) == (str(park.tenant_id), work.now, {})


def test_staff_send_no_events_of_their_own(workshop: WorkShop) -> None:
    with pytest.raises(NotAllowed):
        ingest(workshop, system_actor("staff"), event())


def test_the_platform_meters_in_its_own_transaction(workshop: WorkShop, park: Actor) -> None:
    for expected in (True, False):
        with workshop.work(park) as work:
            new = metering.record_event(
                work,
                source="marketplace/twin",
                event_id="run-1",
                event_type="twin.run",
                subject=str(park.tenant_id),
                time=work.now - timedelta(minutes=1),
                data={"quantity": 1},
            )
        assert new is expected
    with pytest.raises(Conflict, match="quantity"), workshop.work(park) as work:
        metering.record_event(
            work, source="marketplace/twin", event_id="run-1", event_type="twin.run", subject=str(park.tenant_id),
            time=work.now, data={"quantity": 2},
        )  # fmt: skip


@pytest.mark.parametrize("change", ["UPDATE usage_events SET data = '{}'", "DELETE FROM usage_events"])
def test_events_are_added_and_never_changed(workshop: WorkShop, park: Actor, change: str) -> None:
    ingest(workshop, park, event())
    with pytest.raises(Exception, match="permission denied"), workshop.work(park) as work:
        work.session.execute(text(change))
