"""Submitted samples through the API and the pages: ordered, labelled, handed on, reported, repeated, given back."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from marketplace.usecases import fulfilment, invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.databases import Database
from tests.support.province import Province
from tests.support.web import Caller

CSV = "样品,铅\nA,0.1\n".encode()
ASKED = {"samples": [{"name": "甲", "material": "水"}, {"name": "乙"}], "tests": ["铅", "镉", "砷"]}


@pytest.fixture
def park(province: Province) -> Caller:
    province.fund()
    return province.park(1)


def ordered(park: Caller, request: dict[str, Any] = ASKED) -> dict[str, Any]:
    quote = park.post("/quotes", {"lines": [{"offering": "sample-testing", "request": request}]})
    assert quote.status_code == 201, quote.text
    order: dict[str, Any] = park.post("/orders", {"quote_id": quote.get_json()["id"]}).get_json()
    return order


def deliver(lab: Caller, batch: str, content: bytes = CSV, name: str = "r.csv") -> Any:
    return lab.post(
        f"/sample-batches/{batch}/report?passed=true&name={name}", data=content, content_type="application/octet-stream"
    )


def in_test(province: Province, batch: str) -> None:
    came = {"place": "收样室", "condition": "完好", "person": "王收样"}
    assert province.lab.post(f"/sample-batches/{batch}/reception", came).status_code == 200
    assert province.lab.post(f"/sample-batches/{batch}/testing", {}).status_code == 200


def settle(province: Province, park: Caller, batch: str, *, failed: bool = False) -> None:
    tenant = UUID(park.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("job", tenant_id=tenant)) as work:
        if failed:
            fulfilment.fail_delivery(work, sample_batch_id=UUID(batch), code="samples.failed")
        else:
            fulfilment.complete_samples(work, batch_id=UUID(batch))


def sound(province: Province) -> None:
    with province.workshop.work(system_actor("check")) as work:
        assert invariants.check(work) == ()


def test_samples_go_from_the_quote_to_the_report_with_every_hand_named(province: Province, park: Caller) -> None:
    order = ordered(park)
    line = order["lines"][0]
    assert (line["quantity"], line["gross_fen"]) == (6, 6 * 300_00), "two samples, three tests each"
    assert 0 < line["subsidy_fen"] < line["gross_fen"]
    batch = line["samples"]
    assert [each["number"] for each in batch["samples"]] == [f"{batch['number']}-01", f"{batch['number']}-02"]
    labels = park.get(f"/sample-batches/{batch['id']}/labels")
    assert labels.data.startswith(b"%PDF")
    sent = {"step": "sent", "person": "张送样", "place": "快递柜", "condition": "密封"}
    assert park.post(f"/sample-batches/{batch['id']}/custody", sent).status_code == 200
    assert deliver(province.lab, batch["id"]).get_json()["code"] == "samples.step", "not even received"
    in_test(province, batch["id"])
    assert park.post(f"/sample-batches/{batch['id']}/custody", sent).status_code == 409, "the lab has them by now"
    assert park.post(f"/orders/{order['id']}/cancel").get_json()["code"] == "samples.begun"
    for name, content, code in (
        ("r.csv", b"", "artefact.empty"),
        ("r.txt", b"x", "result.kind"),
        ("r.pdf", b"x", "result.malformed"),
    ):
        refused = deliver(province.lab, batch["id"], content, name)
        assert (refused.status_code, refused.get_json()["code"]) == (422, code)
    done = deliver(province.lab, batch["id"]).get_json()
    assert (done["status"], done["passed"], done["late"]) == ("reported", True, False)
    settle(province, park, batch["id"])
    settle(province, park, batch["id"])
    after = park.get(f"/orders/{order['id']}").get_json()
    assert (after["status"], after["lines"][0]["result_sha256"]) == ("completed", done["report_sha256"])
    (file,) = park.get(f"/orders/{order['id']}/artefacts").get_json()["items"]
    assert (file["sha256"], park.get(f"/artefacts/{file['id']}").data) == (done["report_sha256"], CSV)
    chain = park.get(f"/sample-batches/{batch['id']}").get_json()["samples"][0]["custody"]
    assert [each["step"] for each in chain] == ["registered", "sent", "received", "testing", "reported"]
    assert [chain[1]["person"], chain[2]["person"], chain[2]["condition"]] == ["张送样", "王收样", "完好"]
    assert all(each["person"] for each in chain)
    digest = done["custody_sha256"]
    kept = {"step": "stored", "place": "留样柜 3"}
    assert province.lab.post(f"/sample-batches/{batch['id']}/custody", kept).get_json()["custody_sha256"] == digest
    sound(province)


def test_the_report_is_the_parks_alone_and_so_is_the_request(
    province: Province, park: Caller, database: Database
) -> None:
    batch = ordered(park)["lines"][0]["samples"]["id"]
    in_test(province, batch)
    deliver(province.lab, batch)
    stranger = province.park(2)
    assert stranger.get(f"/sample-batches/{batch}").status_code == 404
    assert stranger.get("/sample-batches").get_json()["items"] == []
    assert province.lab.get("/artefacts/" + str(UUID(int=1))).status_code == 403, "a provider opens no files"
    with database.owner().connect() as connection:
        forced = connection.execute(
            text(
                "SELECT bool_and(relrowsecurity AND relforcerowsecurity) FROM pg_class"
                " WHERE relname IN ('sample_batches', 'samples', 'sample_custody')"
            )
        ).scalar()
        changed = connection.execute(
            text(
                "SELECT has_table_privilege(r, 'sample_custody', 'UPDATE, DELETE') FROM"
                " unnest(ARRAY['marketplace_tenant', 'marketplace_staff']) r"
            )
        ).scalars()
        assert (forced, set(changed)) == (True, {False})


def test_given_up_or_cancelled_samples_give_everything_back(province: Province, park: Caller) -> None:
    failing, cancelled = ordered(park), ordered(park)
    batch = failing["lines"][0]["samples"]["id"]
    assert province.lab.post(f"/sample-batches/{batch}/failure", {"reason": "样品破损"}).status_code == 200
    settle(province, park, batch, failed=True)
    after = park.post(f"/orders/{cancelled['id']}/cancel").get_json()
    assert (after["status"], after["lines"][0]["samples"]["status"]) == ("cancelled", "cancelled")
    assert park.get(f"/orders/{failing['id']}").get_json()["status"] == "failed"
    sound(province)


def test_a_retest_is_free_for_the_labs_fault_and_an_order_for_the_parks_wish(province: Province, park: Caller) -> None:
    first = ordered(park)["lines"][0]["samples"]["id"]
    again = {"samples": [], "tests": [], "retest_of": first, "reason": "结果存疑"}
    early = park.post("/quotes", {"lines": [{"offering": "sample-testing", "request": again}]})
    assert early.get_json()["errors"][0]["field"] == "lines[0].request.retest_of"
    in_test(province, first)
    deliver(province.lab, first)
    settle(province, park, first)
    paid = ordered(park, again)["lines"][0]
    second = paid["samples"]
    assert (second["round"], second["retest_of"], paid["gross_fen"]) == (2, first, 6 * 300_00)
    refused = province.lab.post(f"/sample-batches/{first}/retest", {"reason": "复核"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "samples.retest_open")
    in_test(province, second["id"])
    deliver(province.lab, second["id"])
    settle(province, park, second["id"])
    before = park.get("/orders").get_json()["items"]
    free = province.lab.post(f"/sample-batches/{second['id']}/retest", {"reason": "标样过期"}).get_json()
    assert (free["round"], free["retest_cause"], free["retest_of"]) == (3, "lab_error", second["id"])
    in_test(province, free["id"])
    done = deliver(province.lab, free["id"]).get_json()
    settle(province, park, free["id"])
    assert park.get("/orders").get_json()["items"] == before, "nothing is charged for it"
    assert park.get(f"/sample-batches/{free['id']}").get_json()["report_sha256"] == done["report_sha256"]
    sound(province)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"samples": [], "tests": ["铅"]}, "samples"),
        ({"samples": [{"name": "甲"}], "tests": []}, "tests"),
        ({"samples": [{"name": "甲"}], "tests": ["铅", "铅"]}, "tests"),
        ({"samples": [{"name": ""}], "tests": ["铅"]}, "samples[0].name"),
        ({"samples": [{"name": "甲"}], "tests": ["铅"], "retest_of": str(UUID(int=7))}, "retest_of"),
    ],
)
def test_a_wrong_request_is_named_by_its_field(park: Caller, request_: dict[str, Any], field: str) -> None:
    refused = park.post("/quotes", {"lines": [{"offering": "sample-testing", "request": request_}]})
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, f"lines[0].request.{field}")


def test_a_late_report_shows_to_both_sides(
    province: Province, park: Caller, clock: ManualClock, signed_in: Callable[..., Any]
) -> None:
    batch = ordered(park)["lines"][0]["samples"]["id"]
    in_test(province, batch)
    assert park.get("/sample-batches?late=true").get_json()["items"] == []
    clock.advance(timedelta(days=14))
    for side in (park, province.lab):
        (shown,) = side.get("/sample-batches?late=true").get_json()["items"]
        assert (shown["id"], shown["late"]) == (batch, True)
    for login in ("admin1", "lab"):
        page = signed_in(login).get("/samples").text
        assert "有 1 份报告逾期未出" in page


def test_samples_are_sent_tested_and_reported_on_the_pages(
    province: Province, park: Caller, signed_in: Callable[..., Any]
) -> None:
    admin, lab = signed_in("admin1"), signed_in("lab")
    form = admin.get("/rent/sample-testing")
    assert "样品数 × 项目数" in form.text
    assert "请至少登记一件样品" in admin.post("/rent/sample-testing", {"samples": "", "tests": "铅"}).text
    asked = admin.post("/rent/sample-testing", {"samples": "甲；水\n乙", "tests": "铅\n镉"})
    price = admin.follow(asked)
    assert "¥1,200.00" in price.text
    quote = asked.headers["Location"].rpartition("/")[2].partition("?")[0]
    order = admin.follow(admin.post(f"/quotes/{quote}", {"key": "k", "payment_method": "invoice"}))
    batch = order.text.partition('href="/samples/')[2].partition('"')[0]
    shown = admin.get(f"/samples/{batch}")
    assert "登记寄送" in shown.text
    assert admin.get(f"/samples/{batch}/labels").data.startswith(b"%PDF")
    admin.follow(admin.post(f"/samples/{batch}/custody", {"step": "sent", "person": "张三"}))
    lab.get(f"/samples/{batch}")
    assert "已收样" in lab.follow(lab.post(f"/samples/{batch}/reception", {"place": "收样室"})).text
    assert "检测中" in lab.follow(lab.post(f"/samples/{batch}/testing", {})).text

    def send(content: bytes) -> Any:
        fields = {"result": (io.BytesIO(content), "r.pdf"), "passed": "passed"}
        return lab.post(f"/samples/{batch}/report", fields, content_type="multipart/form-data")

    assert "不是 PDF" in send(b"nothing").text
    assert "已出报告" in lab.follow(send(b"%PDF-1.7\n%%EOF")).text
    page = admin.get(f"/samples/{batch}").text
    assert "下载报告" in page
    assert "张三" in page
    settle(province, park, batch)
    assert "申请复检" in page
    assert "复检 S" in admin.get(f"/rent/sample-testing?retest_of={batch}").text
    assert "第 2 轮" in lab.follow(lab.post(f"/samples/{batch}/retest", {"reason": "标样过期"})).text
    sound(province)
