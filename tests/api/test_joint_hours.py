"""Hours of a joint facility: recorded by the lead, capped by the database, lent, corrected, seen by the parties alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.usecases.alone import settle_document
from billing.usecases.invariants_joint import INVARIANTS_JOINT
from tenants.kernel.context import system_actor
from tests.api.test_joint_agreements import in_force, parties, three, written
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.province import Province
from tests.support.web import Caller

SOON, FAR = "2026-01-05", "2026-12-01"


def centre(province: Province) -> tuple[list[Caller], list[str], str]:
    """Three parks, their ids, and the path of their agreement in force: 5,000 hours, 40/30/30, overdraw 1,000 hours."""
    parks, ids = three(province)
    made = in_force(province, parks, written(province, ids))
    return parks, ids, f"/joint-agreements/{made['id']}"


def use(park: str | None, hours: int, day: str = SOON, **more: Any) -> dict[str, Any]:
    """A use to record."""
    return {"park_id": park, "day": day, "minutes": hours * 60, "evidence": "报告 JC-1"} | more


def test_the_worked_example_comes_out_of_recorded_uses(province: Province) -> None:
    parks, ids, path = centre(province)
    for park, hours in zip(ids, (3_000, 1_000, 1_000), strict=True):
        answer = parks[0].post(f"{path}/uses", use(park, hours))
        assert answer.status_code == 201, answer.text
    year = parks[1].get(f"{path}/hours").get_json()
    got = [
        (
            each["entitled_minutes"],
            each["used_minutes"],
            each["lent_minutes"],
            each["borrowed_minutes"],
            each["net_fen"],
        )
        for each in year["parks"]
    ]
    assert got == [
        (120_000, 180_000, 0, 60_000, 832_000_000),
        (90_000, 60_000, 30_000, 0, 234_000_000),
        (90_000, 60_000, 30_000, 0, 234_000_000),
    ]
    assert (year["free_minutes"], year["cost_fen"], year["inside_fen_per_hour"]) == (0, 1_300_000_000, 60_000)
    pure = settle_document(
        {
            "capital_fen": 10_000_000_000, "life_years": 10, "hours": 5_000, "variable_fen_per_hour": 60_000,
            "shares_bp": dict(zip(ids, (4_000, 3_000, 3_000), strict=True)), "premium_bp": 2_000,
            "use_hours": dict(zip(ids, (3_000, 1_000, 1_000), strict=True)), "outsider_premium_bp": 5_000,
        }
    )  # fmt: skip
    assert {each["park_id"]: each["net_fen"] for each in year["parks"]} == {
        park: each["net_fen"] for park, each in pure["parks"].items()
    }
    full = parks[0].post(f"{path}/uses", use(ids[1], 1))
    assert (full.status_code, full.get_json()["code"]) == (409, "joint.used_up")


def test_only_the_lead_records_and_only_parties_see(province: Province) -> None:
    parks, ids, path = centre(province)
    stranger = province.park(4)
    for refused in (parks[1], province.officer, province.lab):
        assert refused.post(f"{path}/uses", use(ids[1], 1)).status_code == 403
    for answer in (
        stranger.get(f"{path}/hours"),
        stranger.get(f"{path}/uses"),
        stranger.post(f"{path}/uses", use(ids[1], 1)),
        stranger.post(f"{path}/releases", {"year": 2026, "minutes": 60}),
    ):
        assert answer.status_code == 404, answer.text
    made = parks[0].post(f"{path}/uses", use(None, 5, user_name="外地企业")).get_json()
    assert parks[2].get(f"{path}/uses").get_json()["items"] == [made]
    assert province.finance.get(f"{path}/hours").get_json()["outsider_minutes"] == 300
    correction = {"minutes": 240, "reason": "日志"}
    assert stranger.post(f"/joint-uses/{made['id']}/correction", correction).status_code == 404
    assert parks[1].post(f"/joint-uses/{made['id']}/correction", correction).status_code == 403
    wrong = [
        (use(None, 1), "user_name"),
        (use(stranger.get("/me").get_json()["park"]["id"], 1), "park_id"),
        (use(ids[0], 1, day="2027-01-01"), "day"),
        (use(ids[0], 1, evidence=" "), "evidence"),
    ]
    for body, field in wrong:
        answer = parks[0].post(f"{path}/uses", body)
        assert answer.status_code == 422, answer.text
        assert field in [each["field"] for each in answer.get_json()["errors"]]
    assert parks[0].get(f"{path}/hours?year=2031").status_code == 422


def test_a_correction_is_added_and_nothing_is_changed(province: Province) -> None:
    parks, ids, path = centre(province)
    made = parks[0].post(f"{path}/uses", use(ids[1], 8)).get_json()
    again = parks[0].post(f"/joint-uses/{made['id']}/correction", {"minutes": 450, "reason": "设备日志"}).get_json()
    assert (again["minutes"], again["corrects_id"]) == (450, None)
    lines = parks[0].get(f"{path}/uses").get_json()["items"]
    assert sorted((each["minutes"], each["is_corrected"]) for each in lines) == [
        (-480, False), (450, False), (480, True),
    ]  # fmt: skip
    twice = parks[0].post(f"/joint-uses/{made['id']}/correction", {"minutes": 0, "reason": "再次"})
    assert (twice.status_code, twice.get_json()["code"]) == (409, "joint.corrected")
    parks[0].post(f"/joint-uses/{again['id']}/correction", {"minutes": 0, "reason": "未使用"})
    assert parks[1].get(f"{path}/hours").get_json()["used_minutes"] == 0
    assert broken(province.workshop, INVARIANTS_JOINT) == {}


def test_hours_far_ahead_are_borrowed_only_where_they_were_released(province: Province) -> None:
    parks, ids, path = centre(province)
    own = parks[0].post(f"{path}/uses", use(ids[1], 1_500, day=FAR))
    assert own.status_code == 201, "its own hours are its own at any date"
    early = parks[0].post(f"{path}/uses", use(ids[1], 10, day=FAR))
    assert (early.status_code, early.get_json()["code"]) == (409, "joint.not_lent_yet")
    assert parks[0].post(f"{path}/uses", use(ids[1], 10, day=SOON)).status_code == 201, "within the notice unasked"
    released = parks[2].post(f"{path}/releases", {"year": 2026, "minutes": 1_200})
    assert released.get_json()["parks"][2]["left_minutes"] == 88_800
    assert parks[0].post(f"{path}/uses", use(ids[1], 10, day=FAR)).status_code == 201
    back = parks[2].post(f"{path}/releases", {"year": 2026, "minutes": -60})
    assert (back.status_code, back.get_json()["code"]) == (409, "joint.lent_out")
    assert parks[2].post(f"{path}/releases", {"year": 2026, "minutes": 88_801}).status_code == 422
    assert parks[2].post(f"{path}/releases", {"year": 2026, "minutes": -1_201}).status_code == 422


def test_an_overdraw_cap_holds_against_many_at_once(province: Province) -> None:
    parks, ids, path = centre(province)
    assert parks[0].post(f"{path}/uses", use(ids[1], 2_490)).status_code == 201
    callers = [province.caller("admin1") for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda each: each.post(f"{path}/uses", use(ids[1], 4)), callers))
    assert sorted(each.status_code for each in answers) == [201, 201, *[409] * 6]
    assert {each.get_json()["code"] for each in answers if each.status_code == 409} == {"joint.overdraw"}
    year = parks[1].get(f"{path}/hours").get_json()
    assert year["parks"][1]["used_minutes"] == 2_498 * 60


def test_the_database_holds_the_cap_where_nobody_looked(province: Province) -> None:
    """Eight writers past the use case, each alone below the cap: the trigger lets through what fits."""
    parks, ids, path = centre(province)
    parks[0].post(f"{path}/uses", use(ids[1], 2_490))
    copy = text(
        "INSERT INTO joint_uses SELECT (jsonb_populate_record(u, jsonb_build_object("
        "'id', gen_random_uuid(), 'minutes', 240))).* FROM joint_uses u"
        " WHERE recorded_at = (SELECT min(recorded_at) FROM joint_uses) LIMIT 1"
    )

    def write(_number: int) -> str:
        try:
            with province.workshop.work(system_actor("test", tenant_id=UUID(ids[0]))) as work:
                work.session.execute(copy)
        except DBAPIError as error:
            return str(error.orig)
        return ""

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(write, range(8)))
    assert done.count("") == 2
    assert all("overdraw cap" in each for each in done if each)
    assert parks[1].get(f"{path}/hours").get_json()["parks"][1]["used_minutes"] == 2_498 * 60
    assert broken(province.workshop, INVARIANTS_JOINT) == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE joint_uses SET minutes = 1", "joint_uses"),
        ("DELETE FROM joint_uses", "joint_uses"),
        ("UPDATE joint_accounts SET entitled_minutes = entitled_minutes + 1", "entitled"),
    ],
)
def test_the_database_keeps_hours_as_recorded(province: Province, database: Database, change: str, why: str) -> None:
    parks, ids, path = centre(province)
    parks[0].post(f"{path}/uses", use(ids[1], 1))
    owner = database.owner()
    with pytest.raises(DBAPIError, match=why), owner.begin() as connection:
        connection.execute(text(change))
    owner.dispose()


def test_a_version_that_ends_within_the_year_has_its_part_of_the_hours(province: Province) -> None:
    parks, ids, path = centre(province)
    parks[0].post(f"{path}/uses", use(ids[1], 100))
    series = path.rpartition("/")[2]
    late = parks[0].post(f"{path}/uses", use(ids[1], 1, day="2026-07-01")).get_json()
    second = written(province, ids, series_id=series, valid_from="2026-07-01", parties=parties(ids))
    for park in parks:
        park.post(f"/joint-agreements/{second['id']}/signature", {"sha256": second["sha256"]})
    registration = f"/joint-agreements/{second['id']}/registration"
    refused = province.approver.post(registration)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "joint.used_later")
    parks[0].post(f"/joint-uses/{late['id']}/correction", {"minutes": 0, "reason": "改期"})
    assert province.approver.post(registration).status_code == 200
    first, rest = (parks[1].get(f"/joint-agreements/{each}/hours").get_json() for each in (series, second["id"]))
    assert (first["shared_minutes"], rest["shared_minutes"]) == (300_000 * 181 // 365, 300_000 * 184 // 365)
    assert sum(each["entitled_minutes"] for each in first["parks"]) == first["shared_minutes"]
    assert broken(province.workshop, INVARIANTS_JOINT) == {}
