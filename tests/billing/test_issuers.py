"""In whose name invoices are issued: two people, kept for invoices that are out; one virtual account per park, once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.gateways.invoice_pdf import InvoicePrinter
from billing.usecases import invoice_papers, issuers
from billing.usecases.invoice_documents import InvoicePaper, invoice_document
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.parks import credit_code

OPERATOR = system_actor("operator", on_behalf_of=new_id())
ISSUER: dict[str, str] = {
    "name": "园区技术服务有限公司",
    "uscc": credit_code(77),
    "address": "郑州市金水区一号",
    "phone": "0371-1234567",
    "bank": "中原银行郑州分行",
    "account": "4199 0501 0100 0175",
}


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def propose(world: World, actor: Actor = OPERATOR, **changes: str) -> issuers.IssuerView:
    with world.shop.work(actor) as work:
        return issuers.propose_issuer(work, **(ISSUER | changes))


def confirm(world: World, issuer: issuers.IssuerView, actor: Actor = FINANCE) -> issuers.IssuerView:
    with world.shop.work(actor) as work:
        return issuers.confirm_issuer(work, issuer_id=issuer.id)


def paper(world: World, invoice_id: Any) -> InvoicePaper:
    with world.shop.work(FINANCE) as work:
        return invoice_papers.read_paper(work, invoice_id=invoice_id)


def assign(world: World, park: Actor, account: str) -> None:
    with world.shop.work(FINANCE) as work:
        issuers.assign_account(work, park_id=park.require_tenant(), account=account)


def test_particulars_count_once_another_person_has_confirmed_them(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    (march,) = world.issue("2026-03")
    assert paper(world, march.id).issuer is None
    proposed = propose(world)
    assert (proposed.account, proposed.is_current) == ("4199050101000175", False)
    with pytest.raises(Conflict) as refused:
        confirm(world, proposed, OPERATOR)
    assert refused.value.code == "issuer.own"
    assert confirm(world, proposed).is_current
    with pytest.raises(Conflict):
        confirm(world, proposed)
    assert paper(world, march.id).issuer is not None, "the first particulars stand for what was issued before them"


def test_an_invoice_keeps_the_account_that_counted_when_it_was_issued(world: World) -> None:
    park = world.park()
    confirm(world, propose(world))
    world.deliver(park, "twin")
    (march,) = world.issue("2026-03")
    world.clock.advance(timedelta(days=35))
    confirm(world, propose(world, account="9999000011112222"))
    world.deliver(park, "leads")
    april = world.issue("2026-04")[0]
    accounts = [paper(world, row.id).issuer for row in (march, april)]
    assert [issuer and issuer.account for issuer in accounts] == ["4199050101000175", "9999000011112222"]


def test_every_wrong_field_is_named(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        propose(world, name=" ", uscc="123", account="12ab", phone="call me", bank="b" * 300)
    assert {error.field for error in refused.value.errors} == {"name", "uscc", "account", "phone", "bank"}


def test_a_virtual_account_is_one_parks_for_good(world: World) -> None:
    one, other = world.park(1), world.park(2)
    assign(world, one, "6222 0000 1111")
    assign(world, one, "622200001111")
    with pytest.raises(Conflict):
        assign(world, other, "622200001111")
    assign(world, one, "622200002222")
    with pytest.raises(Conflict):
        assign(world, one, "622200001111")
    with pytest.raises(Invalid):
        assign(world, one, "none")
    world.deliver(one, "twin")
    (row,) = world.issue("2026-03")
    assert paper(world, row.id).virtual_account == "622200002222"
    assign(world, one, "")
    assert paper(world, row.id).virtual_account is None


def test_the_page_says_all_that_a_payer_and_an_auditor_need(world: World) -> None:
    park = world.park()
    confirm(world, propose(world))
    assign(world, park, "622200001111")
    world.deliver(park, "twin")
    (row,) = world.issue("2026-03")
    found = paper(world, row.id)
    document = invoice_document(found)
    assert document["payable_capitals"] == "肆仟元整"
    assert (document["issuer"]["account"], document["virtual_account"]) == ("4199050101000175", "622200001111")
    (line,) = document["lines"]
    assert line["awards"] == ["项目tech 第 1 版，补贴率 60%：6,000.00 元（资金province 6,000.00）"]
    exempted = dict(found.invoice.lines[0].awards[0]) | {"exemption": {"id": "1", "document_no": "豫财〔2026〕8号"}}
    lines = [
        replace(found.invoice.lines[0], line=place, title=f"服务 {place}", awards=(exempted,), period="2026-02")
        for place in range(1, 201)
    ]
    long = invoice_document(replace(found, invoice=replace(found.invoice, lines=tuple(lines))))
    assert "一事一议批复 豫财〔2026〕8号" in long["lines"][0]["awards"][0]
    assert long["lines"][199]["notes"] == "2026-02 的用量"
    printer = InvoicePrinter()
    assert pages(printer.render(document)) == 1
    assert pages(printer.render(long)) >= 8


def pages(pdf: bytes) -> int:
    """Return the number of pages that a PDF's tree of pages states."""
    counts = [int(found) for found in re.findall(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)", pdf)]
    counts += [int(found) for found in re.findall(rb"/Count\s+(\d+)[^>]*?/Type\s*/Pages\b", pdf)]
    return max(counts)
