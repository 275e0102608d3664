"""A park proposes on pages: from the negotiation table to the form, to its partners' signatures, without seeing their ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import urlencode

from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.web.test_joint_agreements import LIST, form

Enter = Callable[[str], Visitor]


def test_a_park_proposes_what_was_set_at_the_table(province: Province, signed_in: Enter) -> None:
    codes = [province.park(number).get("/me").get_json()["park"]["uscc"] for number in (1, 2, 3)]
    park, partner, officer, approver = (signed_in(each) for each in ("admin1", "admin2", "officer", "approver"))
    table = "/joint/table?" + urlencode(
        [("park", "第 2 园区"), ("share", "60"), ("use", "1000"), ("park", "第 1 园区"), ("share", "40"), ("use", "3000"),
         ("capital", "5000000")]
    )  # fmt: skip
    saved = park.get(table).text.partition(f'href="{LIST}/new?')[2].partition('"')[0]
    draft = park.get(f"{LIST}/new?{unescape(saved)}").text
    assert 'value="5000000"' in draft
    assert re.search(rf'name="uscc-1" value="{codes[0]}"', draft), "its own code stands where its name stood"
    assert 'placeholder="第 2 园区"' in draft
    assert 'name="share-0" value="60"' in draft
    assert '<select class="form-select" name="park-0"' not in draft, "it is shown no list of parks"
    typed = form(["", "", ""]) | {f"uscc-{place}": each for place, each in enumerate(codes)}
    wrong = park.post(f"{LIST}/new", typed | {"share-2": "29"})
    assert (wrong.status_code, "合计为 9900" in wrong.text) == (422, True)
    assert codes[1] in wrong.text, "what was typed stays"
    unknown = park.post(f"{LIST}/new", typed | {"uscc-2": "91410100MA0000000X"})
    assert "没有找到统一社会信用代码为“91410100MA0000000X”的已核实园区" in unknown.text, "the code is named"
    made = park.post(f"{LIST}/new", typed)
    assert made.status_code == 303, made.text
    path = made.headers["Location"]
    page = park.get(path).text
    assert "由第 1 园区提出" in page
    assert 'value="withdraw"' in page
    assert 'value="withdraw"' not in partner.get(path).text
    assert 'value="withdraw"' in officer.get(path).text
    seal = page.partition('name="sha256" value="')[2][:64]
    for number in (1, 2, 3):
        signer = signed_in(f"admin{number}")
        signer.get(path)
        assert signer.post(path, {"decision": "sign", "sha256": seal}).status_code == 303
    assert approver.get(path).status_code == 200
    assert approver.post(path, {"decision": "register"}).status_code == 303
    following = partner.get(f"{LIST}/new?after={path.rpartition('/')[2]}").text
    assert 'value="第 1 园区" readonly' in following
    assert approver.get(f"{LIST}/new").status_code == 403
    park.get("/language/en")
    assert "Propose an agreement" in park.get(LIST).text
