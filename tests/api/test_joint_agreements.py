"""Agreements on joint facilities: written by the province or proposed by a park, signed by every party, registered by another, seen by no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.usecases.invariants_joint import INVARIANTS_JOINT
from tenants.kernel.context import system_actor
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.province import Province
from tests.support.web import Caller

TERMS = {
    "title": "检测中心", "valid_from": "2026-01-01", "valid_to": "2027-01-01", "capital_fen": 10_000_000_000,
    "life_years": 10, "year_minutes": 300_000, "variable_fen_per_hour": 60_000, "premium_bp": 2_000,
    "outsider_premium_bp": 5_000, "lending_notice_days": 14, "overdraw_minutes": 60_000, "carry_over_minutes": 6_000,
}  # fmt: skip
"""The worked example: 100 million yuan over ten years, 5,000 hours, 600 yuan an hour, a premium of 20 %."""

COPY = (
    "SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'version', 2{more}))).*"
    " FROM joint_agreements a"
)
"""A second version with the terms of the first."""
OPEN = ", 'registered_at', NULL, 'registered_by', NULL"


def three(province: Province) -> tuple[list[Caller], list[str]]:
    """Three parks and their ids."""
    parks = [province.park(number) for number in (1, 2, 3)]
    return parks, [each.get("/me").get_json()["park"]["id"] for each in parks]


def parties(ids: list[str], shares: tuple[int, ...] = (4_000, 3_000, 3_000)) -> list[dict[str, Any]]:
    """The parks with their shares, the first leads."""
    return [
        {"park_id": park, "role": "participant" if place else "lead", "share_bp": share}
        for place, (park, share) in enumerate(zip(ids, shares, strict=False))
    ]


def written(province: Province, ids: list[str], **changed: Any) -> dict[str, Any]:
    """A version that the officer wrote."""
    answer = province.officer.post("/joint-agreements", TERMS | {"parties": parties(ids)} | changed)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def in_force(province: Province, parks: list[Caller], made: dict[str, Any]) -> dict[str, Any]:
    """The version, signed by all and registered."""
    for park in parks:
        assert park.post(f"/joint-agreements/{made['id']}/signature", {"sha256": made["sha256"]}).status_code == 200
    answer = province.approver.post(f"/joint-agreements/{made['id']}/registration")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_all_sign_before_it_is_in_force(province: Province) -> None:
    parks, ids = three(province)
    stranger = province.park(4)
    wish = TERMS | {"parties": parties(ids)}
    for refused in (province.finance, province.approver, province.operator, province.lab):
        assert refused.post("/joint-agreements", wish).status_code == 403
    for park in parks:
        by_id = park.post("/joint-agreements", wish)
        assert (by_id.status_code, by_id.get_json()["code"]) == (422, "joint.unknown_park"), "it knows no ids of parks"
    made = written(province, ids)
    path = f"/joint-agreements/{made['id']}"
    assert (made["status"], made["above_fen_per_hour"], made["variable_fen_per_hour"]) == ("signing", 312_000, 60_000)
    assert [each["entitled_minutes"] for each in made["parties"]] == [120_000, 90_000, 90_000]
    assert sum(each["foreseen_fen"] for each in made["parties"]) == 1_300_000_000
    early = province.approver.post(f"{path}/registration")
    assert (early.status_code, early.get_json()["code"]) == (409, "joint.unsigned")
    assert "第 3 园区" in early.get_json()["detail"]
    other = parks[0].post(f"{path}/signature", {"sha256": "0" * 64})
    assert (other.status_code, other.get_json()["code"]) == (409, "joint.other_terms")
    for hidden in (stranger.get(path), stranger.post(f"{path}/signature", {"sha256": made["sha256"]})):
        assert hidden.status_code == 404
    assert stranger.get("/joint-agreements").get_json()["items"] == []
    assert province.officer.post(f"{path}/signature", {"sha256": made["sha256"]}).status_code == 403
    done = in_force(province, parks, made)
    assert done["status"] == "in_force"
    assert all(each["signed_at"] and each["signed_name"] for each in done["parties"])
    assert parks[1].get("/joint-agreements").get_json()["items"] == [done]
    again = parks[0].post(f"{path}/signature", {"sha256": made["sha256"]})
    assert (again.status_code, again.get_json()["code"]) == (409, "joint.signed")
    assert province.officer.post(f"{path}/withdrawal").status_code == 409


def test_a_change_is_a_new_version_that_all_sign_again(province: Province) -> None:
    parks, ids = three(province)
    fourth = province.park(4)
    newcomer = fourth.get("/me").get_json()["park"]["id"]
    first = in_force(province, parks, written(province, ids))
    joined = parties([*ids, newcomer], (4_000, 3_000, 2_000, 1_000))
    second = written(province, ids, series_id=first["id"], valid_from="2026-07-01", parties=joined)
    assert (second["version"], second["series_id"]) == (2, first["id"])
    unsigned = province.approver.post(f"/joint-agreements/{second['id']}/registration")
    assert unsigned.get_json()["code"] == "joint.unsigned"
    in_force(province, [*parks, fourth], second)
    ended = parks[0].get(f"/joint-agreements/{first['id']}").get_json()
    assert ended["valid_to"] == "2026-07-01"
    assert fourth.get(f"/joint-agreements/{first['id']}").status_code == 404, "it was no party of the first"
    late = written(province, ids, series_id=first["id"], valid_from="2026-01-15")
    for park in parks:
        park.post(f"/joint-agreements/{late['id']}/signature", {"sha256": late["sha256"]})
    refused = province.approver.post(f"/joint-agreements/{late['id']}/registration")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "joint.past")
    assert province.officer.post(f"/joint-agreements/{late['id']}/withdrawal").get_json()["status"] == "withdrawn"
    unknown = province.officer.post("/joint-agreements", TERMS | {"parties": parties(ids), "series_id": ids[0]})
    assert unknown.status_code == 404


def test_unsound_terms_are_refused_by_field(province: Province) -> None:
    _parks, ids = three(province)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"parties": parties(ids, (4_000, 3_000, 2_999))}, "parties"),
        ({"parties": parties(ids[:1], (10_000,))}, "parties"),
        ({"parties": parties([ids[0], ids[0]], (5_000, 5_000))}, "parties"),
        ({"parties": [each | {"role": "lead"} for each in parties(ids)]}, "parties"),
        ({"parties": parties([ids[0], made_up()], (5_000, 5_000))}, "parties.1.park_id"),
        ({"year_minutes": 527_041}, "year_minutes"),
        ({"reserve_minutes": 300_000}, "reserve_minutes"),
        ({"overdraw_minutes": 300_001}, "overdraw_minutes"),
        ({"valid_to": "2026-01-01"}, "valid_to"),
        ({"life_years": 0}, "life_years"),
    ]
    for changed, field in cases:
        answer = province.officer.post("/joint-agreements", TERMS | {"parties": parties(ids)} | changed)
        assert answer.status_code == 422, (changed, answer.text)
        assert field in [each["field"] for each in answer.get_json()["errors"]], (changed, answer.text)
    nearest = province.officer.post("/joint-agreements", TERMS | {"parties": parties(ids), "year_minutes": 527_041})
    assert "527,040" in nearest.text or "527040" in nearest.text


def made_up() -> str:
    """An id of no park."""
    return "01920000-0000-7000-8000-000000000000"


def test_two_who_sign_at_once_leave_one_signature(province: Province) -> None:
    parks, ids = three(province)
    made = written(province, ids)
    callers = [province.caller("admin1") for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(
                lambda each: each.post(f"/joint-agreements/{made['id']}/signature", {"sha256": made["sha256"]}), callers
            )
        )
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409]
    assert len(parks) == len(ids)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE joint_parties SET share_bp = 3999 WHERE role = 'lead'", "not changed"),
        ("UPDATE joint_parties SET signed_name = 'x'", "not changed"),
        ("UPDATE joint_agreements SET capital_fen = 1", "not changed"),
        ("UPDATE joint_agreements SET valid_to = valid_to + 1", "not changed"),
        ("UPDATE joint_agreements SET registered_at = NULL, registered_by = NULL", "not changed"),
        ("DELETE FROM joint_parties", "not changed"),
        ("DELETE FROM joint_agreements", "not changed"),
        (f"INSERT INTO joint_agreements {COPY.format(more=OPEN)}", "shares sum to 0"),
        (f"INSERT INTO joint_agreements {COPY.format(more='')}", "one_in_force"),
    ],
)
def test_the_database_keeps_what_was_signed(province: Province, database: Database, change: str, why: str) -> None:
    parks, ids = three(province)
    in_force(province, parks, written(province, ids))
    owner = database.owner()
    with pytest.raises(DBAPIError, match=why), owner.begin() as connection:
        connection.execute(text(change))
    owner.dispose()


def test_the_database_lets_none_be_in_force_unsigned_or_signed_under_other_terms(province: Province) -> None:
    _parks, ids = three(province)
    written(province, ids)
    registered = text("UPDATE joint_agreements SET registered_at = now(), registered_by = gen_random_uuid()")
    with pytest.raises(DBAPIError, match="unsigned"), province.workshop.work(system_actor("test")) as work:
        work.session.execute(registered)
    forged = text(
        "UPDATE joint_parties SET signed_by = gen_random_uuid(), signed_name = 'x', signed_at = now(),"
        " signed_sha256 = repeat('0', 64) RETURNING park_id"
    )
    park = system_actor("test", tenant_id=UUID(ids[0]))
    signed: list[UUID] = []
    with pytest.raises(DBAPIError, match="other terms"), province.workshop.work(park) as work:
        signed += work.session.execute(forged).scalars()
    assert [str(each) for each in signed] == ids[:1], "a park signs for itself alone"


def test_the_check_finds_what_the_database_was_made_to_swallow(province: Province, database: Database) -> None:
    parks, ids = three(province)
    in_force(province, parks, written(province, ids))
    assert broken(province.workshop, INVARIANTS_JOINT) == {}
    owner = database.owner()
    with owner.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE joint_parties SET share_bp = 3999 WHERE role = 'lead'"))
        connection.execute(text("UPDATE joint_parties SET signed_sha256 = repeat('0', 64) WHERE role = 'lead'"))
    owner.dispose()
    assert set(broken(province.workshop, INVARIANTS_JOINT)) == {"joint-shares", "joint-signed"}
