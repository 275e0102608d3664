"""Agreements that parks propose: to partners known by their credit codes, signed by all, registered by the province."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from billing.store import joint_agreements as store
from marketplace.jobs.handlers import HANDLERS
from marketplace.usecases.invariants import ALL as INVARIANTS
from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tests.api.test_joint_agreements import TERMS, in_force, parties, three, written
from tests.support.databases import RecordingOutbox
from tests.support.invariants import broken
from tests.support.province import Province
from tests.support.web import Caller

SHARES = (4_000, 3_000, 3_000)


def code(park: Caller) -> str:
    found: str = park.get("/me").get_json()["park"]["uscc"]
    return found


def named(parks: list[Caller], shares: tuple[int, ...] = SHARES) -> list[dict[str, Any]]:
    """The parks by their credit codes, the first leads."""
    return [
        {"uscc": code(park), "role": "participant" if place else "lead", "share_bp": share}
        for place, (park, share) in enumerate(zip(parks, shares, strict=True))
    ]


def proposed(parks: list[Caller], **changed: Any) -> dict[str, Any]:
    """A version that the first park proposed."""
    answer = parks[0].post("/joint-agreements", TERMS | {"parties": named(parks)} | changed)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_park_proposes_all_sign_and_the_province_registers(province: Province) -> None:
    parks, ids = three(province)
    stranger = province.park(4)
    made = proposed(parks)
    assert (made["status"], made["version"], made["proposed_by_park"]) == ("signing", 1, ids[0])
    assert [each["name"] for each in made["parties"]] == ["第 1 园区", "第 2 园区", "第 3 园区"]
    assert [each["capital_fen"] for each in made["parties"]] == [4_000_000_000, 3_000_000_000, 3_000_000_000]
    assert parks[1].get("/joint-agreements").get_json()["items"][0]["id"] == made["id"]
    for hidden in (stranger.get(f"/joint-agreements/{made['id']}"), stranger.get("/joint-agreements")):
        assert made["id"] not in hidden.text
    early = province.approver.post(f"/joint-agreements/{made['id']}/registration")
    assert early.get_json()["code"] == "joint.unsigned"
    assert in_force(province, parks, made)["status"] == "in_force"
    assert broken(province.workshop, INVARIANTS) == {}


def test_the_parties_are_told_what_waits_for_them(province: Province, outbox: RecordingOutbox) -> None:
    parks, ids = three(province)

    def told() -> list[list[str]]:
        market = province.app.extensions["marketplace"]
        for event in outbox.events:
            if event.name.startswith("joint_agreement."):
                HANDLERS[event.name](market, system_actor(event.name, tenant_id=event.tenant_id), event.payload)
        found = [park.get("/alerts").get_json()["items"] for park in parks]
        return [sorted(each["kind"] for each in items) for items in found]

    made = proposed(parks)
    events = [event for event in outbox.events if event.name == "joint_agreement.written"]
    assert [str(event.tenant_id) for event in events] == sorted(ids[1:]), "who proposes knows"
    assert parks[1].post(f"/joint-agreements/{made['id']}/signature", {"sha256": made["sha256"]}).status_code == 200
    assert told() == [[], [], ["joint.to_sign"]], "who has signed meanwhile is not asked"
    assert told() == [[], [], ["joint.to_sign"]], "once"
    for park in (parks[0], parks[2]):
        assert park.post(f"/joint-agreements/{made['id']}/signature", {"sha256": made["sha256"]}).status_code == 200
    assert province.approver.post(f"/joint-agreements/{made['id']}/registration").status_code == 200
    assert told() == [["joint.registered"], ["joint.registered"], ["joint.registered", "joint.to_sign"]]
    (alert,) = parks[0].get("/alerts").get_json()["items"]
    assert (alert["detail"]["title"], alert["detail"]["version"]) == (TERMS["title"], 1)


def test_only_the_proposer_and_the_province_take_a_proposal_back(province: Province) -> None:
    parks, _ids = three(province)
    first, second = proposed(parks), proposed(parks)
    assert parks[1].post(f"/joint-agreements/{first['id']}/withdrawal").status_code == 404
    assert parks[0].post(f"/joint-agreements/{first['id']}/withdrawal").get_json()["status"] == "withdrawn"
    signed = parks[1].post(f"/joint-agreements/{first['id']}/signature", {"sha256": first["sha256"]})
    assert signed.get_json()["code"] == "joint.withdrawn"
    assert province.officer.post(f"/joint-agreements/{second['id']}/withdrawal").get_json()["status"] == "withdrawn"
    theirs = written(province, [each["park_id"] for each in first["parties"]])
    assert parks[0].post(f"/joint-agreements/{theirs['id']}/withdrawal").status_code == 404
    done = in_force(province, parks, proposed(parks))
    assert parks[0].post(f"/joint-agreements/{done['id']}/withdrawal").status_code == 409


def test_what_cannot_be_proposed_is_refused_by_field(province: Province) -> None:
    parks, _ids = three(province)
    unverified = "91410100MA0000000X"
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"parties": named(parks, (4_000, 3_000, 2_999))}, "parties", "joint.shares_do_not_sum"),
        ({"parties": named(parks[1:], (5_000, 5_000))}, "parties", "joint.own_park"),
        ({"parties": [*named(parks[:2], (5_000, 5_000)), {"uscc": unverified, "role": "supervisor", "share_bp": 0}]},
         "parties.2.uscc", "joint.unknown_park"),
        ({"title": " "}, "title", ""),
    ]  # fmt: skip
    for changed, field, expected in cases:
        answer = parks[0].post("/joint-agreements", TERMS | {"parties": named(parks)} | changed)
        assert answer.status_code == 422, (changed, answer.text)
        faults = {each["field"]: each["code"] for each in answer.get_json()["errors"]}
        assert field in faults, (changed, answer.text)
        assert faults[field] == (expected or faults[field])
    watching = [each | ({"role": "supervisor", "share_bp": 0} if not place else {"role": "lead" if place == 1 else
                "participant", "share_bp": 5_000}) for place, each in enumerate(named(parks))]  # fmt: skip
    answer = parks[0].post("/joint-agreements", TERMS | {"parties": watching})
    assert answer.get_json()["errors"][0]["code"] == "joint.own_park", "who only watches proposes nothing"


def test_a_next_version_keeps_the_parties_and_may_add_one(province: Province) -> None:
    parks, ids = three(province)
    fourth = province.park(4)
    first = in_force(province, parks, proposed(parks))
    following = {"series_id": first["series_id"], "valid_from": "2026-07-01"}
    left_out = parks[1].post("/joint-agreements", TERMS | {"parties": named(parks[:2], (5_000, 5_000))} | following)
    assert left_out.get_json()["errors"][0]["code"] == "joint.party_left_out"
    assert "第 3 园区" in left_out.text
    known = parties(ids, (4_000, 3_000, 2_000))
    joined = [*known, {"uscc": code(fourth), "role": "participant", "share_bp": 1_000}]
    second = parks[1].post("/joint-agreements", TERMS | {"parties": joined} | following)
    assert second.status_code == 201, second.text
    assert (second.get_json()["version"], second.get_json()["proposed_by_park"]) == (2, ids[1])
    in_force(province, [*parks, fourth], second.get_json())
    assert parks[0].get(f"/joint-agreements/{first['id']}").get_json()["valid_to"] == "2026-07-01"
    fifth = province.park(5)
    foreign = fifth.post("/joint-agreements", TERMS | {"parties": named([fifth, parks[0]], (5_000, 5_000))} | following)
    assert (foreign.status_code, foreign.get_json()["code"]) == (404, "joint.series_not_found")
    assert broken(province.workshop, INVARIANTS) == {}


def test_of_two_next_versions_at_once_one_gets_the_number(province: Province) -> None:
    parks, _ids = three(province)
    first = in_force(province, parks, proposed(parks))
    wish = TERMS | {"parties": named(parks), "series_id": first["series_id"], "valid_from": "2026-07-01"}
    callers = [province.caller(f"admin{number}") for number in (1, 2, 3)] * 2
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda each: each.post("/joint-agreements", wish), callers))
    made = [each.get_json() for each in answers]
    numbers = sorted(each["version"] for each in made if "version" in each)
    assert numbers
    assert numbers == list(range(2, 2 + len(numbers)))
    assert {each["code"] for each in made if "version" not in each} <= {"joint.version_taken"}


@pytest.mark.parametrize("change", ["series_id", "proposed_by_park", "members"])
def test_the_database_lets_a_park_write_for_itself_alone(province: Province, change: str) -> None:
    parks, ids = three(province)
    stranger = province.park(4)
    own = UUID(stranger.get("/me").get_json()["park"]["id"])
    first = proposed(parks)
    agreement_id = new_id()
    values = {name: value for name, value in TERMS.items() if not name.startswith("valid")} | {
        "id": agreement_id, "series_id": agreement_id, "version": 7, "members": sorted([own, UUID(ids[0])]),
        "valid_from": date(2026, 1, 1), "valid_to": date(2027, 1, 1), "agreed_to": date(2027, 1, 1),
        "reserve_minutes": 0, "maintenance_minutes": 0, "sha256": "0" * 64, "created_by": new_id(),
        "created_at": datetime(2026, 3, 2, tzinfo=UTC), "proposed_by_park": own,
    }  # fmt: skip
    others = {
        "series_id": UUID(first["series_id"]), "proposed_by_park": UUID(ids[0]),
        "members": sorted(UUID(each) for each in ids[:2]),
    }  # fmt: skip
    actor = system_actor("test", tenant_id=own)
    with pytest.raises(DBAPIError, match=r"row-level security|proposer"), province.workshop.work(actor) as work:
        store.insert_agreement(work.session, values | {change: others[change]}, [])
