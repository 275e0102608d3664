"""The carbon ledger through the API: records, corrections, imports, certificates, reports, plans, factors."""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openpyxl
import pytest
from sqlalchemy import text

from marketplace.usecases import invariants
from services.usecases.invariants_carbon import INVARIANTS_CARBON
from tenants.kernel.context import system_actor
from tests.support.carbon import CSV, GAS, POWER, carbon_site, certify, enter, year_of
from tests.support.databases import Database
from tests.support.parks import PASSWORD
from tests.support.province import Province
from tests.support.web import Caller

MARKET_2025 = "0.6096"


@pytest.fixture
def park(province: Province) -> Caller:
    return province.park()


@pytest.fixture
def site(province: Province, park: Caller) -> str:
    return carbon_site(province, park)


def test_an_activity_is_counted_with_a_frozen_factor(park: Caller, site: str) -> None:
    """1,000 MWh with the newest grid factor that is not after 2025: 2023's, with its source and residual mix."""
    made = enter(park, site, POWER)
    assert (made["grams"], made["edition"], made["factor_kg"]) == (530_600_000, "grid-2023", "0.5306")
    assert (made["residual_edition"], made["residual_kg"], made["base_quantity"]) == ("grid-2023", "0.6096", "1000000")
    assert "2023" in made["factor_source"]
    assert made["created_by"]
    older = enter(park, site, POWER, edition="grid-2022", region="41")
    assert (older["factor_kg"], older["residual_kg"]) == ("0.6058", "0.5856")
    year = year_of(park, site)
    assert year["total_location_grams"] == 530_600_000 + 605_800_000
    assert year["missing"][0] == "2025-02-01"
    assert year["without_evidence"] == 2


def test_without_a_rented_month_nothing_is_written_and_all_can_be_read(province: Province, park: Caller) -> None:
    other = carbon_site(province, park, "二号厂房", rented=False)
    answer = park.post(f"/sites/{other}/carbon/records", POWER)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "site.not_rented")
    assert year_of(park, other)["total_location_grams"] == 0
    assert park.get(f"/sites/{other}/carbon/records").get_json()["items"] == []


WRONG: list[tuple[dict[str, Any], set[str]]] = [
    ({"item": "fuel.diesel"}, {"item"}),
    ({"unit": "GJ"}, {"unit"}),
    ({"end": "2025-01-01"}, {"end"}),
    ({"end": "2027-01-01"}, {"end"}),
    ({"edition": "grid-1999"}, {"edition"}),
    ({"evidence_id": "00000000-0000-7000-8000-000000000000"}, {"evidence_id"}),
    ({"stated": {"kg": "0.1", "source": "x"}}, {"item"}),
    ({"item": "fuel.diesel", "end": "2024-01-01"}, {"item", "end"}),
    ({"quantity": "-1"}, {"quantity"}),
    ({"category": "magic"}, {"category"}),
]


def test_a_wrong_activity_is_refused_with_every_field(park: Caller, site: str) -> None:
    for change, fields in WRONG:
        answer = park.post(f"/sites/{site}/carbon/records", POWER | change)
        assert answer.status_code == 422, answer.text
        assert {error["field"].removeprefix("body.") for error in answer.get_json()["errors"]} == fields


def test_a_correction_takes_the_place_of_a_record_once(park: Caller, site: str) -> None:
    """The wrong record stays in the ledger and does not count; of two corrections the second is refused."""
    wrong = enter(park, site, POWER)
    path = f"/carbon/records/{wrong['id']}/corrections"
    assert park.post(path, POWER | {"quantity": "100"}).status_code == 422, "a correction says why"
    right = park.post(path, POWER | {"quantity": "100", "note": "抄表错误"})
    assert right.status_code == 201
    assert right.get_json()["replaces_id"] == wrong["id"]
    again = park.post(path, POWER | {"quantity": "90", "note": "又改"})
    assert (again.status_code, again.get_json()["code"]) == (409, "carbon.replaced")
    kept = park.get(f"/carbon/records/{wrong['id']}").get_json()
    assert (kept["grams"], kept["replaced_by"]) == (530_600_000, right.get_json()["id"])
    assert year_of(park, site)["total_location_grams"] == 53_060_000
    withdrawn = park.post(
        f"/carbon/records/{right.get_json()['id']}/corrections", POWER | {"quantity": "0", "note": "重复登记"}
    )
    assert withdrawn.status_code == 201
    assert year_of(park, site)["total_location_grams"] == 0
    assert len(park.get(f"/sites/{site}/carbon/records?year=2025").get_json()["items"]) == 3


def test_the_database_lets_nobody_edit_the_ledger(province: Province, park: Caller, site: str) -> None:
    """Not by the application's roles; and a row whose grams do not follow from its factor is no row."""
    enter(park, site, POWER)
    with province.workshop.work(system_actor("test")) as work:
        for table in ("carbon_records", "green_certificates", "certificate_ends", "carbon_reports", "carbon_plans"):
            granted = work.session.execute(
                text(
                    "SELECT has_table_privilege(r, :table, 'UPDATE') OR has_any_column_privilege(r, :table, 'UPDATE')"
                    " OR has_table_privilege(r, :table, 'DELETE')"
                    " FROM unnest(ARRAY['marketplace_tenant', 'marketplace_staff']) r"
                ),
                {"table": table},
            ).scalars()
            assert list(granted) == [False, False], table


def test_evidence_is_a_file_with_its_hash_and_lets_a_factor_be_stated(park: Caller, site: str) -> None:
    content = b"%PDF-1.4 heat supplier's letter"
    file = park.post("/artefacts?name=letter.pdf", data=content, content_type="application/pdf").get_json()
    heat = {
        "category": "heat", "item": "heat.default", "start": "2025-01-01", "end": "2025-02-01", "quantity": "100",
        "unit": "GJ", "evidence_id": file["id"], "stated": {"kg": "95.5", "source": "供热公司 2025 年函"},
    }  # fmt: skip
    made = enter(park, site, heat)
    assert made["evidence_sha256"] == hashlib.sha256(content).hexdigest()
    assert (made["edition"], made["grams"], made["factor_source"]) == ("stated", 9_550_000, "供热公司 2025 年函")
    stranger = Caller(park.client)
    assert stranger.get(f"/carbon/records/{made['id']}").status_code == 401


def test_another_park_sees_nothing(province: Province, park: Caller, site: str) -> None:
    record, certificate = enter(park, site, POWER), certify(park, site, "GEC-000001")
    report = park.post(f"/sites/{site}/carbon/reports", {"year": 2025}).get_json()
    other = province.park(2)
    for path in (
        f"/sites/{site}/carbon/records", f"/sites/{site}/carbon/inventory?year=2025", f"/carbon/records/{record['id']}",
        f"/sites/{site}/certificates", f"/sites/{site}/carbon/reports", f"/carbon/reports/{report['id']}",
        f"/sites/{site}/carbon/plans", f"/artefacts/{report['files'][0]['id']}",
    ):  # fmt: skip
        assert other.get(path).status_code == 404, path
    ended = other.post(f"/certificates/{certificate['id']}/retirement", {"year": 2025})
    assert ended.status_code == 404
    assert province.officer.get(f"/sites/{site}/carbon/records").status_code == 403


def test_a_file_of_activities_is_taken_whole_or_its_good_rows(park: Caller, site: str) -> None:
    """Every fault is named at its row; the file is the evidence; the same file is not taken twice."""
    path = f"/sites/{site}/carbon/imports"
    bad = CSV + "外购电力,电,2025-03-01,2025-03-31,800,GJ,,\n移动源,汽油,2025-03-01,xx,10,t,,\n"
    refused = park.post(f"{path}?name=a.csv", data=bad.encode(), content_type="text/csv")
    assert refused.status_code == 422
    assert [error["field"] for error in refused.get_json()["errors"]] == ["file[5].end", "file[4].unit"]
    assert year_of(park, site)["records"] == 0
    good = park.post(f"{path}?name=a.csv&keep=good", data=bad.encode(), content_type="text/csv").get_json()
    assert (good["rows_kept"], good["rows_refused"], len(good["errors"])) == (2, 2, 2)
    year = year_of(park, site)
    diesel = 2_641_876  # 1,000 L x 0.84 kg/L x 3.145094... t/t
    assert (year["records"], year["without_evidence"]) == (2, 0)
    assert [(each["category"], each["grams"]) for each in year["headings"]] == [
        ("vehicle", pytest.approx(diesel, abs=50)), ("electricity", 477_540_000),
    ]  # fmt: skip
    again = park.post(f"{path}?name=b.csv&keep=good", data=bad.encode(), content_type="text/csv")
    assert (again.status_code, again.get_json()["code"]) == (409, "carbon.known_file")


def test_a_workbook_is_taken_as_well(park: Caller, site: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for line in CSV.replace('"1,000"', "1000").splitlines():
        sheet.append([float(cell) if cell in {"900", "1000", "0.84"} else cell for cell in line.split(",")])
    target = io.BytesIO()
    book.save(target)
    form = {"file": (io.BytesIO(target.getvalue()), "活动.xlsx")}
    taken = park.post(f"/sites/{site}/carbon/imports", data=form, content_type="multipart/form-data")
    assert taken.status_code == 201
    assert taken.get_json()["rows_kept"] == 2
    for content in (b"PK\x03\x04 no book", b"\xff\xfe\x00", b"a,b\n1,2\n", b"", CSV.splitlines()[0].encode()):
        answer = park.post(f"/sites/{site}/carbon/imports?name=x", data=content, content_type="text/csv")
        assert answer.status_code == 422, content


def test_certificates_cover_and_sold_own_power_is_not_green(park: Caller, site: str) -> None:
    enter(park, site, POWER)
    enter(park, site, POWER, category="own_green", quantity="500")
    bought, own = (
        certify(park, site, "GEC-000001", mwh=400),
        certify(park, site, "GEC-000002", origin="own_used", mwh=300),
    )
    assert year_of(park, site)["scope2_market_grams"] == 609_600_000, "held certificates cover nothing"
    retired = park.post(f"/certificates/{bought['id']}/retirement", {"year": 2025, "note": "2025 年度"})
    assert (retired.status_code, retired.get_json()["end"], retired.get_json()["year"]) == (200, "retired", 2025)
    assert year_of(park, site)["scope2_market_grams"] == 600 * 609_600
    assert park.post(f"/certificates/{own['id']}/sale", {}).status_code == 200
    year = year_of(park, site)
    assert year["scope2_market_grams"] == 900 * 609_600
    assert year["cover"] == {"offered": "400000", "used": "400000", "given_away": "300000"}
    assert year["scope2_location_grams"] == 530_600_000, "location-based is what the grid is"
    for end, body in (("retirement", {"year": 2025}), ("sale", {})):
        answer = park.post(f"/certificates/{own['id']}/{end}", body)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "certificate.ended")
    third = certify(park, site, "GEC-000003")
    assert park.post(f"/certificates/{third['id']}/retirement", {"year": 2024}).status_code == 422
    assert park.post(f"/certificates/{third['id']}/sale", {}).status_code == 422, "bought ones are not sold here"


def test_a_certificate_counts_once_in_the_province(province: Province, park: Caller, site: str) -> None:
    """Its number is nobody else's, and of many that end it at once one does."""
    made = certify(park, site, "GEC-000001", origin="own_used")
    other = province.park(2)
    theirs = carbon_site(province, other)
    wish = {"number": "gec-000001", "origin": "purchased", "mwh": 1, "month": "2025-01", "project": "p"}
    answer = other.post(f"/sites/{theirs}/certificates", wish)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "certificate.known")
    token = park.token

    def end(number: int) -> int:
        caller = Caller(province.app.test_client(), token)
        path, body = ("retirement", {"year": 2025}) if number % 2 else ("sale", {})
        return caller.post(f"/certificates/{made['id']}/{path}", body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(end, range(8))) == [200] + [409] * 7


def test_a_report_follows_the_standard_and_its_hashes_prove_it(park: Caller, site: str) -> None:
    assert park.post(f"/sites/{site}/carbon/reports", {"year": 2025}).get_json()["code"] == "carbon.empty"
    wrong = enter(park, site, POWER)
    park.post(f"/carbon/records/{wrong['id']}/corrections", POWER | {"quantity": "100", "note": "错"})
    enter(park, site, GAS)
    park.post(f"/sites/{site}/carbon/imports?name=二月.csv", data=CSV.encode(), content_type="text/csv")
    answer = park.post(f"/sites/{site}/carbon/reports", {"year": 2025}, key="r")
    assert answer.status_code == 201, answer.text
    report = answer.get_json()
    files = {each["name"]: park.get(f"/artefacts/{each['id']}").data for each in report["files"]}
    assert set(files) == {"report.pdf", "report.xlsx", "records.csv", "evidence.csv", "manifest.json"}
    assert files["report.pdf"].startswith(b"%PDF")
    assert hashlib.sha256(files["manifest.json"]).hexdigest() == report["manifest_sha256"]
    manifest = json.loads(files["manifest.json"])
    for name, said in manifest["files"].items():
        assert said["sha256"] == hashlib.sha256(files[name]).hexdigest()
    year = year_of(park, site)
    assert report["location_grams"] == manifest["grams"]["total_location"] == year["total_location_grams"]
    assert sum(manifest["grams"]["by_category"].values()) == year["total_location_grams"]
    assert manifest["records"] == {"all": 5, "standing": 4}
    rows = files["records.csv"].decode("utf-8-sig").splitlines()
    assert len(rows) == 6
    book = openpyxl.load_workbook(io.BytesIO(files["report.xlsx"]), read_only=True)
    totals = {row[0]: row[3] for row in book["排放量"].iter_rows(values_only=True)}
    assert totals["总排放量（基于位置）"] == pytest.approx(year["total_location_grams"] / 1e6, abs=5e-4)
    (evidence,) = files["evidence.csv"].decode("utf-8-sig").splitlines()[1:]
    assert evidence.startswith(hashlib.sha256(CSV.encode()).hexdigest())


PLAN = {
    "base_year": 2025, "target_year": 2030, "remaining_percent": "50", "discount_percent": "8",
    "measures": [
        {"key": "led", "name": "LED", "kind": "efficiency", "capex_yuan": "100000", "yearly_yuan": "-40000",
         "life_years": 10, "saved_kwh": "60000"},
        {"key": "pump", "name": "热泵", "kind": "electrification", "capex_yuan": "800000", "yearly_yuan": "20000",
         "life_years": 15, "saved_kwh": "-100000", "fuel": "fuel.natural_gas", "saved_fuel": "90000"},
        {"key": "gec", "name": "绿电", "kind": "green_power", "yearly_yuan": "30000", "green_kwh": "900000"},
        {"key": "ccer", "name": "CCER", "kind": "offset", "yearly_yuan": "80000", "offset_t": "1000"},
    ],
}  # fmt: skip


def test_a_plan_reaches_its_target_from_the_sites_own_ledger(park: Caller, site: str) -> None:
    enter(park, site, POWER)
    enter(park, site, GAS)
    basis = park.get(f"/sites/{site}/carbon/plan-basis?year=2025").get_json()
    assert (basis["uncovered_kwh"], basis["kg_per_kwh"]) == ("1000000", "0.6096")
    assert basis["fuels"][0]["item"] == "fuel.natural_gas"
    assert basis["fuels"][0]["quantity"] == "100000"
    assert basis["suggestions"] == [], "there is no twin yet"
    answer = park.post(f"/sites/{site}/carbon/plans", {"plan": PLAN})
    assert answer.status_code == 201, answer.text
    plan = answer.get_json()
    result = plan["result"]
    assert result["reached"]
    assert result["years"][-1]["offset_t"] == "0.000"
    assert float(result["residual_t"]) <= basis["grams"] / 1e6 / 2 + 0.001
    assert result["starts"]["led"] == 2026, "what earns money begins at once"
    assert result["curve"][-1]["key"] == "ccer"
    assert park.get(f"/carbon/plans/{plan['id']}").get_json() == plan
    beyond = PLAN | {"measures": [{"key": "a", "name": "A", "kind": "pv", "saved_kwh": "1000001"}]}
    refused = park.post(f"/sites/{site}/carbon/plans", {"plan": beyond})
    assert [error["field"] for error in refused.get_json()["errors"]] == ["measures[0].saved_kwh"]
    wrong = {"base_year": 2025, "target_year": 2025, "remaining_percent": "101", "measures": [{"key": "A"}], "x": 1}
    assert park.post(f"/sites/{site}/carbon/plans", {"plan": wrong}).status_code == 422


def test_a_plan_is_offered_what_the_twin_found(park: Caller, site: str, database: Database) -> None:
    """The latest run's savings against as it is, its yearly capital in the cost; a scenario that saves nothing is not."""
    enter(park, site, POWER)
    scenario = {"annual_bill_yuan": 100.0, "import_kwh": 1000.0, "capital_yuan": 0.0}
    sized = {"annual_bill_yuan": 40.0, "import_kwh": 400.0, "capital_yuan": 25.0}
    kpis = {"as_is": scenario, "optimised": scenario | {"annual_bill_yuan": 90.0}, "sized": sized}
    with database.owner().begin() as connection:
        connection.execute(text("SET LOCAL row_security = off"))
        connection.execute(
            text(
                "INSERT INTO runs (tenant_id, id, offering, delivery, order_line_id, request, status, stage, progress,"
                " attempts, kpis, created_at, finished_at) SELECT tenant_id, gen_random_uuid(), 'digital-twin-run',"
                " 'twin', gen_random_uuid(), '{}', 'succeeded', 'done', 100, 1, :kpis, now(), now() FROM sites LIMIT 1"
            ),
            {"kpis": json.dumps(kpis)},
        )
    (offered,) = park.get(f"/sites/{site}/carbon/plan-basis?year=2025").get_json()["suggestions"]
    assert offered["measure"] == {
        "key": "twin-sized", "name": "孪生推演：扩建光伏与储能", "kind": "pv", "saved_kwh": "600", "yearly_yuan": "-35.00",
    }  # fmt: skip
    plan = PLAN | {"measures": [offered["measure"]], "remaining_percent": "100"}
    assert park.post(f"/sites/{site}/carbon/plans", {"plan": plan}).get_json()["result"]["reached"]


EDITION = """edition,item,region,value,unit,year,ncv_gj,carbon_tc_per_tj,oxidation_percent,source
grid-2024,electricity.average,CN,0.5000,kgCO2/kWh,2024,,,,测试来源
grid-2024,electricity.residual,CN,0.6200,kgCO2/kWh,2024,,,,测试来源
"""


def test_an_edition_takes_two_operators_and_changes_no_record(province: Province, park: Caller, site: str) -> None:
    before = enter(park, site, POWER)
    operator = province.operator
    made = operator.post("/factor-editions?name=2024", data=EDITION.encode(), content_type="text/csv")
    assert (made.status_code, made.get_json()["status"]) == (201, "draft")
    assert enter(park, site, POWER)["edition"] == "grid-2023", "a draft is not used"
    assert "grid-2024" not in park.get("/factor-editions").text
    alone = operator.post("/factor-editions/grid-2024/decision", {"decision": "published"})
    assert (alone.status_code, alone.get_json()["code"]) == (403, "edition.own")
    second = province_operator(province)
    assert second.post("/factor-editions/grid-2024/decision", {"decision": "published"}).status_code == 200
    assert second.post("/factor-editions/grid-2024/decision", {"decision": "refused"}).status_code == 409
    after = enter(park, site, POWER)
    assert (after["edition"], after["factor_kg"], after["residual_kg"]) == ("grid-2024", "0.5", "0.62")
    assert park.get(f"/carbon/records/{before['id']}").get_json()["factor_kg"] == "0.5306"
    for content, status in ((EDITION, 409), (EDITION.replace("grid-2024", "grid-2023"), 409), ("x", 422)):
        answer = operator.post("/factor-editions?name=x", data=content.encode(), content_type="text/csv")
        assert answer.status_code == status
    assert park.post("/factor-editions?name=x", data=EDITION.encode(), content_type="text/csv").status_code == 403


def province_operator(province: Province) -> Caller:
    """Enter a second operator."""
    from tenants.kernel.vocabulary import Role
    from tenants.usecases import onboarding
    from tests.support.parks import person

    with province.workshop.work(system_actor("test")) as work:
        first = person(province.workshop, "operator")
        assert first.organisation_id is not None
        onboarding.add_person(
            work, organisation_id=first.organisation_id, login="operator2", password=PASSWORD, name="乙",
            roles=[Role.OPERATOR],
        )  # fmt: skip
    return province.caller("operator2")


BROKEN = {
    "carbon-evidence": "UPDATE carbon_records SET evidence_sha256 = repeat('0', 64) WHERE evidence_id IS NOT NULL",
    "carbon-correction": "UPDATE carbon_records SET created_at = created_at - interval '1 day' WHERE replaces_id IS NOT NULL",
    "carbon-import-rows": "UPDATE carbon_imports SET rows_kept = 9",
    "carbon-frozen-factor": "UPDATE carbon_records SET edition = 'grid-2024', factor_kg = 0.1,"
    " grams = round(base_quantity * 0.1 * 1000)",
    "factor-edition-file": "UPDATE factor_editions SET content = 'x'",
    "certificate-number": "UPDATE certificate_numbers SET number = 'GEC-999999'",
    "certificate-used": "UPDATE certificate_ends SET year = 2000",
    "carbon-report-files": "UPDATE carbon_reports SET manifest_sha256 = repeat('0', 64)",
}
REFUSED = {
    "grams": "UPDATE carbon_records SET grams = grams + 1",
    "replaces": "UPDATE carbon_records SET replaces_id = id",
    "two_people": "UPDATE factor_editions SET status = 'published', decided_by = imported_by, decided_at = now()",
    "year": "UPDATE certificate_ends SET kind = 'sold'",
}


def test_each_invariant_finds_its_break(province: Province, park: Caller, site: str, database: Database) -> None:
    wrong = enter(park, site, POWER)
    park.post(f"/carbon/records/{wrong['id']}/corrections", POWER | {"quantity": "100", "note": "错"})
    park.post(f"/sites/{site}/carbon/imports?name=a.csv", data=CSV.encode(), content_type="text/csv")
    made = certify(park, site, "GEC-000001")
    park.post(f"/certificates/{made['id']}/retirement", {"year": 2025})
    park.post(f"/sites/{site}/carbon/reports", {"year": 2025})
    province.operator.post("/factor-editions?name=2024", data=EDITION.encode(), content_type="text/csv")
    assert set(BROKEN) == {each.name for each in INVARIANTS_CARBON}
    with database.owner().connect() as connection:
        for name, change in BROKEN.items():
            sql = next(each.sql for each in invariants.ALL if each.name == name)
            assert connection.execute(text(sql)).first() is None, name
            connection.execute(text("SET LOCAL row_security = off"))
            connection.execute(text(change))
            assert connection.execute(text(sql)).first() is not None, name
            connection.rollback()
        for name, change in REFUSED.items():
            with pytest.raises(Exception, match=name):
                connection.execute(text(change))
            connection.rollback()
    with province.workshop.work(system_actor("check")) as work:
        assert invariants.check(work) == ()
