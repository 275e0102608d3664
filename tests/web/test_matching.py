"""Matching through its doors: the operator's measures, a park's question by page and by API, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from marketplace.demo.measures import FILE
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
DOCUMENTS = json.loads(FILE.read_text(encoding="utf-8"))
BIOLOGY = next(each for each in DOCUMENTS if each["slug"] == "demo-biology-grant")
SEED_GRANT = next(each for each in DOCUMENTS if each["slug"] == "demo-seed-grant")
PROFILE = {"founded_on": "2024-02-20", "patents": 3, "staff": 50, "fields": ["biology"], "region_code": "411224"}


@pytest.fixture
def measured(province: Province) -> Province:
    """A province whose operator has laid down two grants of one group."""
    for document in (BIOLOGY, SEED_GRANT):
        answer = province.operator.post("/measures", {"measure": document})
        assert answer.status_code == 201, answer.text
    return province


def test_an_enterprise_learns_what_fits_and_what_is_missing(measured: Province) -> None:
    park = measured.park()
    answer = park.post("/matches", {"profile": PROFILE})
    assert answer.status_code == 200, answer.text
    report = answer.get_json()
    assert report["total_fen"] == 300_000_00
    assert report["missing"] == ["invention_patents", "rd_spend_fen"]
    fits, lacks = report["matches"]
    assert (fits["slug"], fits["verdict"], fits["counted_fen"]) == ("demo-biology-grant", "match", 300_000_00)
    assert (lacks["verdict"], lacks["missing"]) == ("incomplete", ["invention_patents", "rd_spend_fen"])
    assert lacks["reasons"][0]["clause"] == "第二条（二）"
    more = PROFILE | {"invention_patents": 1, "rd_spend_fen": 4_000_000_00}
    both = park.post("/matches", {"profile": more}).get_json()
    assert [(each["slug"], each["counted_fen"], each["cut_by"]) for each in both["matches"]] == [
        ("demo-seed-grant", 400_000_00, None),
        ("demo-biology-grant", 0, "demo-seed-grant"),
    ]
    assert both["total_fen"] == 400_000_00, "of one group the highest counts"
    early = park.post("/matches", {"profile": PROFILE, "on": "2025-11-01"}).get_json()
    assert (early["total_fen"], early["matches"][0]["opens_on"]) == (0, "2026-01-01")
    assert park.post("/matches", {"profile": PROFILE, "on": "2025-01-01"}).get_json()["matches"] == []
    wrong = park.post("/matches", {"profile": {"staff": "many"}})
    assert (wrong.status_code, wrong.get_json()["errors"][0]["field"]) == (422, "profile.staff")


def test_versions_follow_each_other_and_never_overlap(measured: Province) -> None:
    operator, park = measured.operator, measured.park()
    assert park.post("/measures", {"measure": BIOLOGY}).status_code == 403
    again = operator.post("/measures", {"measure": BIOLOGY})
    assert (again.status_code, again.get_json()["code"]) == (409, "measure.too_early")
    second = BIOLOGY | {"valid_from": "2026-06-01", "benefit": {"text": "…", "amount_fen": 50_000_00}}
    assert operator.post("/measures", {"measure": second}).get_json()["version"] == 2
    for day, amount in (("2026-05-31", 300_000_00), ("2026-06-01", 50_000_00)):
        found = park.post("/matches", {"profile": PROFILE, "on": day}).get_json()["matches"]
        grants = [each for each in found if each["slug"] == BIOLOGY["slug"] and each["opens_on"] is None]
        assert [each["amount_fen"] for each in grants] == [amount]
    other = SEED_GRANT | {"slug": "third", "stacking": {"group": "demo-research", "mode": "SUM"}}
    refused = operator.post("/measures", {"measure": other})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "measure.group")
    past = operator.post(f"/measures/{SEED_GRANT['slug']}/end", {"on": "2025-01-01"})
    assert (past.status_code, past.get_json()["code"]) == (422, "measure.past")
    ended = operator.post(f"/measures/{SEED_GRANT['slug']}/end", {"on": "2026-12-01"})
    assert ended.get_json()["valid_to"] == "2026-12-01"
    assert operator.post(f"/measures/{SEED_GRANT['slug']}/end", {"on": "2026-12-02"}).status_code == 409
    assert operator.post("/measures/none/end", {"on": "2026-12-02"}).status_code == 404
    unknown = operator.post("/measures", {"measure": SEED_GRANT | {"slug": "lab", "offering": "rocket"}})
    assert (unknown.status_code, unknown.get_json()["code"]) == (422, "measure.offering")
    assert [each["measure"]["slug"] for each in operator.get("/measures").get_json()["items"]] == [
        "demo-biology-grant", "demo-seed-grant",
    ]  # fmt: skip


def test_the_page_answers_and_keeps_what_was_typed(measured: Province, signed_in: Enter) -> None:
    measured.park()
    somebody = signed_in("admin1")
    form = somebody.get("/matching")
    assert 'value="510104"' in form.text, "the park's own county"
    typed = {
        "founded_on": "2024-02-20", "patents": "3", "staff": "50", "fields": "biology", "region_code": "411224",
        "not_stated": ["fields", "qualifications"], "rd_spend_fen": "1,000,000",
    }  # fmt: skip
    answer = somebody.post("/matching", typed)
    assert answer.status_code == 200, answer.text
    for part in (
        "1 项匹配，1 项待补，0 项不符",
        "¥300,000.00",
        "其中发明专利件数",
        "第二条（二）",
        'value="1,000,000"',
    ):
        assert part in answer.text
    wrong = somebody.post("/matching", (typed | {"staff": "viele", "founded_on": "yesterday", "assets_fen": "x"}))
    assert wrong.status_code == 422
    assert all(f'id="e-{name}"' in wrong.text for name in ("staff", "assets_fen"))
    somebody.get("/language/en")
    page = somebody.post("/matching", typed).text
    assert "(Demo) settlement grant for biology and medicine" in page
    assert "1 fit, 1 need more information, 0 do not fit" in page


def test_the_operator_enters_and_ends_measures_by_page(province: Province, signed_in: Enter) -> None:
    operator = signed_in("operator")
    assert operator.get("/measures").status_code == 200
    broken = operator.post("/measures", {"document": "{"})
    assert broken.status_code == 422
    assert 'id="e-document"' in broken.text
    faulty = operator.post("/measures", {"document": json.dumps(BIOLOGY | {"kind": "gift"})})
    assert faulty.status_code == 422
    assert "measure.kind" in faulty.text
    saved = operator.follow(operator.post("/measures", {"document": json.dumps(BIOLOGY)}))
    assert "第三条" in saved.text
    assert operator.post("/measures/demo-biology-grant/end", {"on": "soon"}).status_code == 422
    ended = operator.follow(operator.post("/measures/demo-biology-grant/end", {"on": "2026-12-31"}))
    assert "2026-12-31" in ended.text
    assert signed_in("finance").get("/measures").status_code == 403
