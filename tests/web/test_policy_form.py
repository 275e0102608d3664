"""The form of a policy version: it loses nothing, says what is wrong at its field, and needs no script."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from hypothesis import given, settings
from werkzeug.test import TestResponse

from billing.formats.policy import policy_json
from billing.rules.terms import Policy
from billing.usecases.policies_in_force import read_policy
from marketplace.demo import world
from marketplace.web.policy_form import document_of, place, state_of
from tests.billing.test_quote_properties import policies
from tests.support.province import LEADS, Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


class _Fields(HTMLParser):
    """Reads what a browser would send of the form ``policy``."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, Any] = {}
        self._inside = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "form":
            self._inside = found.get("id") == "policy"
        elif not self._inside:
            return
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in found or self._select not in self.fields):
            self.fields[self._select] = found.get("value") or ""
        elif tag == "textarea":
            self._area = name
            self.fields[name] = ""
        elif tag == "input" and found.get("type") == "checkbox":
            if "checked" in found:
                self.fields.setdefault(name, []).append(found["value"])
        elif tag == "input":
            self.fields[name] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data


def fields_of(page: TestResponse) -> dict[str, Any]:
    reader = _Fields()
    reader.feed(page.text)
    return reader.fields


@settings(max_examples=80, deadline=None)
@given(policies())
def test_a_version_that_nobody_touched_comes_back_from_the_form_as_it_was(policy: Policy) -> None:
    document, faults = document_of(state_of(policy_json(policy)))
    assert faults == []
    back = read_policy({"programme": policy.programme, "version": policy.version, **document})
    assert policy_json(back) == policy_json(policy)


def test_every_path_of_a_document_has_its_place_in_the_form() -> None:
    places = {
        "rates[0].rate_bp": "rates.0.rate",
        "rates[1].when[2].value": "rates.1.when.2.fact",
        "rates[0].when": "rates.0.when",
        "caps[3].amount_fen": "caps.3.amount",
        "funders": "funders",
        "funders[0].share_bp": "funders.0.share",
        "eligible.all[1].is": "eligible.1.fact",
        "window.from": "from",
        "window": "to",
        "stacking.combined_cap_bp": "stacking.cap_percent",
        "price_limit_fen": "price_limit",
        "year_starts": "year_starts",
        "rolling.years": "rolling.years",
        "rolling.amount_fen": "rolling.amount",
        "claim_days": "claim_days",
        "timezone": "other",
    }
    assert {path: place(path) for path in places} == places


def programme_of(officer: Visitor) -> str:
    return "/programmes/" + officer.get("/programmes").text.partition('href="/programmes/')[2].partition('"')[0]


def test_an_officer_writes_a_version_row_by_row_without_scripts(province: Province, signed_in: Enter) -> None:
    province.fund()
    officer = signed_in("officer")
    address = programme_of(officer)
    form = fields_of(officer.get(f"{address}/draft"))
    today = province.workshop.clock.now().date().isoformat()
    same = {**form, "from": today, "do": "save"}
    officer.follow(officer.post(f"{address}/draft", same))
    one, two = (each["policy"] for each in province.officer.get("/programmes").get_json()["items"][0]["versions"])
    assert two == {**one, "version": 2, "window": {**one["window"], "from": today}}

    rates = sum(name.endswith(".rate") for name in form)
    grown = fields_of(officer.post(f"{address}/draft", {**form, "from": today, "do": "add:rates"}))
    assert f"rates.{rates}.rate" in grown
    grown = fields_of(officer.post(f"{address}/draft", {**grown, "do": f"add:rates.{rates}.when"}))
    grown |= {f"rates.{rates}.rate": "30", f"rates.{rates}.when.0.value": ["medium", "large"]}
    grown = fields_of(officer.post(f"{address}/draft", {**grown, "do": "add:caps"}))
    caps = sum(name.startswith("caps.") and name.endswith(".amount") for name in grown) - 1
    grown |= {f"caps.{caps}.scope": "scheme", f"caps.{caps}.amount": "80,000,000"}
    grown |= {"rolling.register": "aid", "rolling.years": "3", "rolling.amount": "200,000", "claim_days": "120"}
    shown = officer.post(f"{address}/draft", {**grown, "do": "preview"})
    assert shown.status_code == 200
    assert "可得补贴" in shown.text
    gone = fields_of(officer.post(f"{address}/draft", {**grown, "do": "remove:rates.0"}))
    assert sum(name.endswith(".rate") for name in gone) == rates

    officer.get(f"{address}/draft")
    saved = officer.follow(officer.post(f"{address}/draft", {**grown, "do": "save"}))
    assert "新增政策执行期总额的上限 80,000,000.00 元" in saved.text
    assert "与第 1 版比较" in saved.text
    versions = province.officer.get("/programmes").get_json()["items"][0]["versions"]
    assert versions[2]["policy"]["rolling"] == {"register": "aid", "years": 3, "amount_fen": 20_000_000}
    assert versions[2]["policy"]["claim_days"] == 120
    assert versions[2]["policy"]["rates"][rates] == {
        "rate_bp": 3000,
        "reason": None,
        "when": [{"fact": "park_size", "is": "in", "value": ["medium", "large"]}],
    }


def test_each_refusal_stands_at_its_field(province: Province, signed_in: Enter) -> None:
    province.fund()
    officer = signed_in("officer")
    address = programme_of(officer)
    form = fields_of(officer.get(f"{address}/draft")) | {"do": "save"}
    grown = fields_of(officer.post(f"{address}/draft", {**form, "do": "add:eligible"}))
    last = sum(name.startswith("eligible.") and name.endswith(".fact") for name in grown) - 1
    county = {**grown, f"eligible.{last}.fact": "region", f"eligible.{last}.value": "雾都县", "do": "save"}
    for changes, field in (
        ({"rates.0.rate": "99"}, "rates.0.rate"),
        ({"rates.0.rate": "sixty"}, "rates.0.rate"),
        ({"rates.0.rate": ""}, "rates.0.rate"),
        ({"funders.0.share": "90"}, "funders"),
        ({"funders.0.fund": "nowhere"}, "funders.0.fund"),
        ({"from": "2020-01-01"}, "from"),
        ({"to": "2020-01-01"}, "to"),
        ({"year_starts": "13-01"}, "year_starts"),
        ({"price_limit": "-1"}, "price_limit"),
        ({"other": "["}, "other"),
        ({"other": '{"colour": "red"}'}, "other"),
        (county, f"eligible.{last}.fact"),
    ):
        refused = officer.post(f"{address}/draft", {**form, **changes})
        assert refused.status_code == 422, changes
        assert f'id="e-{field}"' in refused.text, changes
    example = officer.post(f"{address}/draft", {**form, "do": "preview", "example.region": "000000"})
    assert example.status_code == 422
    assert (
        officer.post("/programmes", {"name": "界限", "slug": "b", "small.min": "70", "small.max": "50"}).status_code
        == 422
    )
    assert signed_in("approver").get(f"{address}/draft").status_code == 403


def test_an_approver_reads_what_changes_tries_it_and_refuses_it_with_a_reason(
    province: Province, signed_in: Enter
) -> None:
    province.fund()
    park = province.park()
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    assert park.post("/orders", {"quote_id": quote["id"]}).status_code == 201
    officer, approver = signed_in("officer"), signed_in("approver")
    address = programme_of(officer)
    today = province.workshop.clock.now().date()
    form = fields_of(officer.get(f"{address}/draft")) | {"from": today.isoformat(), "rates.0.rate": "55", "do": "save"}
    officer.follow(officer.post(f"{address}/draft", form))
    officer.follow(officer.post(f"{address}/versions/2/submit"))
    page = approver.get(f"{address}/versions/2")
    assert "降低到 55%" in page.text
    assert "officer" in page.text
    period = {"from": "2026-01-01", "to": today.replace(year=today.year + 1).isoformat(), "with_funds": "1"}
    tried = approver.follow(approver.post(f"{address}/versions/2/simulate", period))
    assert "1 笔订单、1 个园区" in tried.text
    table = approver.get(tried.request.path + "/parks.csv")
    assert table.data.startswith("\ufeffpark_id,park,".encode())
    wrong = approver.post(f"{address}/versions/2/simulate", {**period, "from": "soon"})
    assert (wrong.status_code, 'id="e-from"' in wrong.text) == (422, True)
    approver.get(f"{address}/versions/2")
    assert approver.post(f"{address}/versions/2/reject", {"reason": ""}).status_code == 422
    refused = approver.follow(approver.post(f"{address}/versions/2/reject", {"reason": "比例缺少依据"}))
    assert "已驳回" in refused.text
    assert "比例缺少依据" in refused.text
    again = fields_of(officer.get(f"{address}/draft?from=2"))
    assert again["rates.0.rate"] == "55"
    assert "第 1 版" in officer.get(f"/programmes?on={today.isoformat()}").text
    assert world.FUND_SLUG in officer.get(f"{address}/draft").text
