"""What would I get, asked by somebody who is nobody yet: by page and by API, in both languages."""

from marketplace.demo import world
from marketplace.demo.world import YUAN
from tests.support.province import Province
from tests.support.visitor import Visitor

LUSHI, XICHUAN = "411224", "411326"
WISH = {"region_code": LUSHI, "size": "small", "tier": "leading", "offerings": ["digital-twin-run"]}


def test_a_visitor_sees_price_subsidy_and_what_would_give_more(province: Province, visitor: Visitor) -> None:
    province.fund()
    form = visitor.get("/pre-check")
    assert form.status_code == 200
    assert '<option value="41" selected>' in form.text, "the authority's own province is chosen"
    assert f'<option value="{LUSHI}">' in form.text
    other = visitor.get(f"/pre-check?province=51&region_code={LUSHI}&size=small&tier=leading").text
    assert "请选择所在区县" in other, "a county of the province chosen before is not taken over"
    assert "成都市" in other
    page = visitor.get(f"/pre-check?region_code={LUSHI}&size=small&tier=leading&offering=digital-twin-run").text
    for part in ("¥10,000.00", "¥6,000.00", "¥4,000.00", "为什么不是 70%", "南阳市淅川县", "目前：三门峡市卢氏县"):
        assert part in page
    assert "不作为承诺" in page
    assert "2027-01-01 起重新计算" in page
    wrong = visitor.get("/pre-check?region_code=410000&size=huge&tier=top&offering=rocket")
    assert wrong.status_code == 422
    assert all(f'id="e-{name}"' in wrong.text for name in ("region_code", "size", "tier", "offering"))
    english = Visitor(province.app, "en").get(f"/pre-check?region_code={XICHUAN}&size=small&tier=basic").text
    assert "An estimate, not a promise" in english
    assert "needs Leading tier" in english
    assert "70%" in english
    assert "Why not" not in english, "there is nothing above the highest rate"


def test_the_api_tells_the_same_and_no_balance(province: Province) -> None:
    province.fund(9_000 * YUAN)
    answer = province.nobody.post("/pre-checks", WISH)
    assert answer.status_code == 200, answer.text
    (line,) = answer.get_json()["lines"]
    assert (line["gross_fen"], line["subsidy_fen"], line["payable_fen"]) == (10_000_00, 6_000_00, 4_000_00)
    assert answer.get_json()["binding"] is False
    told = line["awards"][0]["explanation"]
    assert (told["rate_bp"], told["reason"]) == (6000, "SMALL_LEADING")
    (better,) = told["better_rates"]
    assert better["rate_bp"] == 7000
    assert better["unmet"][0]["condition"]["is"] == "in"
    assert better["unmet"][0]["stated"] == LUSHI
    assert told["funds"] == {"province-tech-2026": "nearly_used_up"}
    basic = province.nobody.post("/pre-checks", {**WISH, "tier": "basic"}).get_json()["lines"][0]
    assert basic["included"] is False
    unmet = [each["unmet"] for each in basic["awards"][0]["explanation"]["better_rates"]]
    assert [[each["condition"]["fact"] for each in way] for way in unmet] == [["region"], ["tier"]]
    park = province.park(1, region_code=LUSHI)
    quote = park.post("/quotes", {"lines": [{"offering": "digital-twin-run", "request": {"demo": True}}]})
    ordered = park.post("/orders", {"quote_id": quote.get_json()["id"], "payment_method": "invoice"}, key="one")
    assert ordered.status_code == 201, ordered.text
    again = province.nobody.post("/pre-checks", WISH).get_json()["lines"][0]
    assert again["subsidy_fen"] == 6_000_00, "3,000 yuan are left, and nobody is told"
    assert again["awards"][0]["explanation"]["funds"] == {"province-tech-2026": "nearly_used_up"}
    refused = province.nobody.post("/pre-checks", {**WISH, "region_code": "999999"})
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["field"] == "region_code"


def test_a_quote_and_an_offering_explain_themselves(province: Province) -> None:
    province.fund(9_000 * YUAN, park_year_cap_fen=10_000 * YUAN)
    park = province.park(1, region_code=LUSHI)
    wish = {"lines": [{"offering": "digital-twin-run", "request": {"demo": True}}]}
    asked = park.post("/quotes?lang=en", wish).get_json()
    (told,) = asked["lines"][0]["explanations"]
    assert told["ceilings"] == [
        {
            "scope": "entity_year",
            "limit_fen": 10_000_00,
            "used_fen": 0,
            "taken_fen": 6_000_00,
            "left_fen": 4_000_00,
            "starts_anew": "2027-01-01",
            "years": 0,
        }
    ]
    assert any("Why not 70%" in sentence for sentence in told["sentences"])
    assert park.post("/orders", {"quote_id": asked["id"], "payment_method": "invoice"}, key="one").status_code == 201
    kept = park.get(f"/quotes/{asked['id']}?lang=en").get_json()
    assert kept == asked, "an explanation is of the moment when the quote was made"
    (twin,) = [each for each in park.get("/offerings").get_json()["items"] if each["slug"] == "digital-twin-run"]
    (now,) = twin["explanations"]
    assert (now["amount_fen"], now["ceilings"][0]["used_fen"], now["ceilings"][0]["left_fen"]) == (
        3_000_00, 6_000_00, 1_000_00,
    )  # fmt: skip
    assert now["reasons"] == ["SMALL_LEADING", "CAP_ENTITY_YEAR", "FUND_PARTIAL"]
    assert province.officer.get("/offerings").get_json()["items"][0]["explanations"] == []


def test_a_programme_for_one_service_is_told_there_by_its_name_and_nowhere_else(province: Province) -> None:
    leads = {"fact": "offering", "is": "eq", "value": "ai-leads"}
    small, large = ({"fact": "park_size", "is": "eq", "value": size} for size in ("small", "large"))
    rates = [{"when": [small], "rate_bp": 6000}, {"when": [large], "rate_bp": 3000}]
    province.fund(rates=[{"when": [small, leads], "rate_bp": 7000}, *rates])
    park = f"region_code={LUSHI}&size=small&tier=leading"
    visitor = Visitor(province.app)
    assert "为什么不是" not in visitor.get(f"/pre-check?{park}&offering=ai-leads").text
    twins = visitor.get(f"/pre-check?{park}&offering=digital-twin-run").text
    assert "服务须为“AI 招商线索”（目前：数字孪生推演）" in twins
    assert (
        "ai-leads"
        not in Visitor(province.app, "en").get(f"/pre-check?{park}&offering=digital-twin-run").text.split("<h2>")[-1]
    )
    programme = province.officer.get("/programmes").get_json()["items"][0]["id"]
    for_leads = world.policy(version=2) | {
        "window": {"from": "2026-03-02", "to": "2028-01-01"},
        "eligible": {"all": [leads]},
        "rates": rates,
    }
    answer = province.officer.post(f"/programmes/{programme}/versions", {"policy": for_leads})
    assert answer.status_code == 201, answer.text
    for caller, step in ((province.officer, "submission"), (province.approver, "approval")):
        assert caller.post(f"/programmes/{programme}/versions/2/{step}").status_code == 200
    assert "60%" in visitor.get(f"/pre-check?{park}&offering=ai-leads").text
    elsewhere = visitor.get(f"/pre-check?{park}&offering=digital-twin-run").text
    assert "不符合" not in elsewhere
    assert "目前没有适用于本园区的补贴政策" in elsewhere
    (line,) = province.nobody.post("/pre-checks", WISH).get_json()["lines"]
    (award,) = line["awards"]
    assert award["explanation"]["other_services"] is True
    assert any("服务须为“AI 招商线索”" in each for each in award["explanation"]["sentences"])
