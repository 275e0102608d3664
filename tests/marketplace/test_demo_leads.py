"""The demo's lists stand on a registry and on dated expansions, both brought in as an operator brings them in."""

from __future__ import annotations

import json

from marketplace.demo.theatre import Play
from services.rules.company_imports import ImportKind
from services.rules.ranking.history import THEMES
from services.usecases import artefacts, company_imports
from tests.marketplace.test_lead_repeats import carry_out
from tests.support import plays


def test_a_list_of_the_demo_tells_when_companies_expanded_last(play: Play) -> None:
    operator = play.person("operator")
    told = play.do(operator, lambda work: company_imports.list_imports(work, kind=ImportKind.EXPANSIONS)).items
    assert [(each.status, each.imported_by, each.rows_refused) for each in told] == [("done", operator.user_id, 0)]
    assert 100 <= told[0].rows_merged < 200, "enough for reasons, too few to fit a ranker to for every list"
    plays.give_money(play)
    park = play.person("park01")
    run_id = plays.run_of(plays.order(play, park, plays.BRIEF))
    carry_out(play, park, run_id)
    found = play.do(park, lambda work: artefacts.list_artefacts(work, source_id=run_id))
    (wanted,) = (each.id for each in found if each.name == "leads.json")
    leads = json.loads(play.do(park, lambda work: artefacts.open_artefact(work, artefact_id=wanted)).content)
    last = [each for lead in leads for each in lead["reasons"] if each["code"] == "RECENT"]
    assert last
    assert THEMES["recent"] == "RECENT", "told as a fitted ranker tells it"
    assert all(each["evidence"]["value"] in each["text"] for each in last)
    assert all(each["evidence"]["field"] == "events" for each in last)
    assert {lead["chance"] for lead in leads} == {None}, "the data supports no chance"
