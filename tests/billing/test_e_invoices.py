"""E-invoices: asked for in the operator's columns, taken in once, refused when they differ, and never trusted."""

from __future__ import annotations

import io
import zipfile
from copy import deepcopy
from typing import Any

import pytest

from billing.formats.e_invoice_xml import MOST_BYTES, read_e_invoice
from billing.rules.e_invoices import DEFAULT_LAYOUT, documents_named, layout_faults
from billing.rules.returns import ReturnCause
from billing.usecases import credit_notes, e_invoice_imports, e_invoice_layouts, e_invoices, invoice_voids, issuers
from billing.usecases.e_invoice_imports import ImportedFile
from billing.usecases.evidence import Upload
from billing.usecases.invariants_e_invoices import INVARIANTS_E_INVOICES
from billing.usecases.invoice_views import InvoiceRow
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound, TooLarge
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.billing.test_issuers import ISSUER, OPERATOR
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.parks import credit_code
from tests.support.plays import at_once
from tests.support.returns import PROVIDER

SECOND = system_actor("finance", on_behalf_of=new_id())
BLUE, RED = "26412000000000000001", "26412000000000000002"


def xml(
    remark: str, gross: str, vat: str, *, number: str = BLUE, buyer: str = credit_code(1), seller: str = ISSUER["uscc"]
) -> bytes:
    """Return an e-invoice as the tax bureau writes it."""
    whole = round((float(gross) - float(vat)) * 100)
    net = f"{whole / 100:.2f}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><EInvoice><Header><EIid>{number}</EIid><Version>0.31</Version></Header>'
        f"<EInvoiceData><SellerInformation><SellerIdNum>{seller}</SellerIdNum><SellerName>卖方</SellerName>"
        f"</SellerInformation><BuyerInformation><BuyerIdNum>{buyer}</BuyerIdNum></BuyerInformation><BasicInformation>"
        f"<TotalAmWithoutTax>{net}</TotalAmWithoutTax><TotalTaxAm>{vat}</TotalTaxAm>"
        f"<TotalTax-includedAmount>{gross}</TotalTax-includedAmount></BasicInformation><IssuItemInformation>"
        f"<ItemName>*信息技术服务*孪生</ItemName></IssuItemInformation><AdditionalInformation><Remark>{remark}</Remark>"
        f"</AdditionalInformation></EInvoiceData><TaxSupervisionInfo><InvoiceNumber>{number}</InvoiceNumber>"
        "<IssueTime>2026-04-05 10:11:12</IssueTime></TaxSupervisionInfo></EInvoice>"
    ).encode()


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    world = make_world(workshop, clock)
    with workshop.work(OPERATOR) as work:
        proposed = issuers.propose_issuer(work, **ISSUER)
    with workshop.work(FINANCE) as work:
        issuers.confirm_issuer(work, issuer_id=proposed.id)
    return world


@pytest.fixture
def park(world: World) -> Actor:
    return world.park(1)


@pytest.fixture
def row(world: World, park: Actor) -> InvoiceRow:
    """An invoice of 10,033.33 yuan with 567.93 of VAT."""
    world.deliver(park, "twin", "leads")
    (row,) = world.issue("2026-03")
    assert (row.gross_fen, row.vat_fen) == (1_003_333, 56_792)
    return row


def take(world: World, *contents: bytes) -> tuple[ImportedFile, ...]:
    with world.shop.work(FINANCE) as work:
        files = [Upload(f"{number}.xml", "application/xml", content) for number, content in enumerate(contents)]
        return e_invoice_imports.import_e_invoices(work, files=files)


def one(world: World, content: bytes) -> tuple[str, str | None]:
    (found,) = take(world, content)
    return found.outcome, found.code


def status(world: World, actor: Actor = FINANCE) -> list[tuple[str, str]]:
    with world.shop.work(actor) as work:
        return [(each.number, each.status) for each in e_invoices.list_e_invoices(work, period="2026-03")]


def test_a_request_has_the_operators_columns(world: World, row: InvoiceRow) -> None:
    with world.shop.work(FINANCE) as work:
        sheets = e_invoices.request_e_invoices(work, invoice_ids=[row.id])
    (head,) = sheets.invoice_rows
    said: dict[str, Any] = dict(zip(sheets.invoice_header, head, strict=True))
    assert (said["发票流水号"], said["购买方纳税人识别号"], said["是否含税"]) == (row.number, credit_code(1), "是")
    assert documents_named(said["备注"]) == (row.number,)
    lines = [dict(zip(sheets.line_header, each, strict=True)) for each in sheets.line_rows]
    assert [(str(each["金额"]), each["税率"], each["商品和服务税收编码"]) for each in lines] == [
        ("10000.00", "0.06", ""), ("33.33", "0.06", ""),
    ]  # fmt: skip
    assert status(world) == [(row.number, "requested")]
    layout = deepcopy(dict(DEFAULT_LAYOUT))
    layout["lines"] = [{"heading": "No", "source": "document_no"}, {"heading": "Code", "source": "tax_code"}]
    layout["tax_codes"] = {"": "3040201000000000000", "leads": "3040802000000000000"}
    with world.shop.work(OPERATOR) as work:
        e_invoice_layouts.set_layout(work, layout=layout)
    with world.shop.work(FINANCE) as work:
        again = e_invoices.request_e_invoices(work, invoice_ids=[row.id, row.id])
    assert again.line_header == ("No", "Code")
    assert [each[1] for each in again.line_rows] == ["3040201000000000000", "3040802000000000000"]


def voided(world: World, row: InvoiceRow, *, none_issued: bool = False) -> str:
    """Let two people void an invoice; return its status or the refusal's code."""
    try:
        with world.shop.work(FINANCE) as work:
            invoice_voids.ask_void(work, invoice_id=row.id, reason="抬头有误")
        with world.shop.work(SECOND) as work:
            return invoice_voids.void_invoice(work, invoice_id=row.id, none_issued=none_issued).status
    except Conflict as refused:
        return refused.code


def test_an_invoice_with_its_e_invoice_is_not_voided_and_one_that_was_asked_for_on_a_persons_word(
    world: World, row: InvoiceRow
) -> None:
    with world.shop.work(FINANCE) as work:
        e_invoices.request_e_invoices(work, invoice_ids=[row.id])
    assert voided(world, row) == "invoice.e_invoice_requested"
    assert one(world, xml(row.number, "10033.33", "567.93")) == ("recorded", None)
    assert voided(world, row, none_issued=True) == "invoice.e_invoice_issued"
    with world.shop.work(SECOND) as work:
        assert invoice_voids.refuse_void(work, invoice_id=row.id).void_reason is None, "what was asked before is let go"


def test_of_a_void_and_an_e_invoice_at_once_one_is_refused(world: World, row: InvoiceRow) -> None:
    with world.shop.work(FINANCE) as work:
        e_invoices.request_e_invoices(work, invoice_ids=[row.id])
    outcomes = at_once(
        [lambda: voided(world, row, none_issued=True), lambda: one(world, xml(row.number, "10033.33", "567.93"))[0]]
    )
    assert outcomes in (["void", "refused"], ["invoice.e_invoice_issued", "recorded"])
    assert broken(world.shop, INVARIANTS_E_INVOICES) == {}


def test_a_layout_says_everything_that_is_wrong_with_it(world: World) -> None:
    wrong = {
        "invoice": [{"heading": "A", "source": "nothing"}, {"heading": "A", "text": "x"}, {"heading": ""}, 7],
        "lines": [],
        "tax_codes": {"twin": "12"},
    }
    assert {code for _, code in layout_faults(wrong)} == {
        "layout.source", "layout.twice", "layout.heading", "layout.document_no", "layout.columns", "layout.tax_code",
    }  # fmt: skip
    others: list[Any] = [None, [], {"invoice": 1}, dict(DEFAULT_LAYOUT) | {"more": 1}]
    for other in others:
        assert layout_faults(other)
    assert layout_faults(dict(DEFAULT_LAYOUT)) == []
    with pytest.raises(Invalid) as refused, world.shop.work(OPERATOR) as work:
        e_invoice_layouts.set_layout(work, layout=wrong)
    assert {error.field for error in refused.value.errors} >= {"layout.invoice.0", "layout.lines", "layout.tax_codes"}


def test_what_comes_back_is_tied_to_its_invoice_once(world: World, park: Actor, row: InvoiceRow) -> None:
    content = xml(f"账单 {row.number}，账期 2026-03", "10033.33", "567.93")
    (found,) = take(world, content)
    assert (found.outcome, found.number, found.document_no) == ("recorded", BLUE, row.number)
    assert one(world, content) == ("known", None), "an e-invoice is one, however often it comes"
    assert status(world) == status(world, park) == [(row.number, "issued")]
    assert status(world, world.park(2)) == []
    with world.shop.work(park) as work:
        assert e_invoices.open_e_invoice(work, number=BLUE).content == content
    with pytest.raises(NotFound), world.shop.work(world.park(3)) as work:
        e_invoices.open_e_invoice(work, number=BLUE)
    with pytest.raises(Conflict), world.shop.work(FINANCE) as work:
        e_invoices.request_e_invoices(work, invoice_ids=[row.id])
    assert one(world, xml(row.number, "10033.33", "567.90")) == ("refused", "e_invoice.changed")
    assert one(world, xml(row.number, "10033.33", "567.92", number=RED)) == ("refused", "e_invoice.document_taken")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gross": "10033.34", "vat": "567.93"}, "e_invoice.amount_differs"),
        ({"vat": "567.95"}, "e_invoice.vat_differs"),
        ({"buyer": credit_code(5)}, "e_invoice.buyer"),
        ({"seller": credit_code(5)}, "e_invoice.seller"),
        ({"remark": "PTM-2026-000009"}, "e_invoice.no_document"),
        ({"remark": "no number"}, "e_invoice.remark"),
        ({"remark": "PTM-2026-000001 PTM-2026-000002"}, "e_invoice.remark"),
        ({"remark": "XPTM-2026-0000011"}, "e_invoice.remark"),
        ({"number": "123"}, "e_invoice.number"),
    ],
)
def test_what_differs_is_refused_by_its_difference(
    world: World, row: InvoiceRow, changes: dict[str, str], code: str
) -> None:
    wanted = {"remark": row.number, "gross": "10033.33", "vat": "567.93"} | changes
    good = xml(row.number, "10033.33", "567.92")
    (bad, kept) = take(world, xml(**wanted), good)
    assert (bad.outcome, bad.code) == ("refused", code)
    assert kept.outcome == "recorded", "one bad file does not hold up the others"
    if code == "e_invoice.amount_differs":
        assert bad.reason is not None
        assert "0.01" in str(getattr(bad.reason, "values", bad.reason))


def credit(world: World, row: InvoiceRow, lines: dict[int, int | None]) -> str:
    """Return a part of an invoice by a credit note, and return its number."""
    with world.shop.work(FINANCE) as work:
        wish = credit_notes.CreditWish(row.id, lines, ReturnCause.RETURNED, "报告无法使用", "来函 3 号")
        asked = credit_notes.ask_credit_note(work, wish=wish)
        given = {line: credit_notes.Delivered(PROVIDER, "孪生推演") for line in asked.order_line_ids}
        note = credit_notes.issue_credit_note(work, note_id=asked.id, deliveries=given)
    assert note.number is not None
    return note.number


def red_missing(world: World) -> tuple[str, ...]:
    with world.shop.work(FINANCE) as work:
        (shown,) = e_invoices.list_e_invoices(work, period="2026-03")
    return shown.red_missing


def test_a_red_one_is_of_its_credit_note_on_its_blue_one(world: World, row: InvoiceRow) -> None:
    number = credit(world, row, {2: None})
    remark = f"被红冲蓝字数电发票号码：{BLUE} 红字发票信息确认单编号：1 账单 {number}"
    red = xml(remark, "-33.33", "-1.89", number=RED)
    assert one(world, red) == ("refused", "e_invoice.no_blue")
    assert red_missing(world) == (), "nothing is to be taken back of what was never issued"
    assert one(world, xml(row.number, "10033.33", "567.92")) == ("recorded", None)
    assert red_missing(world) == (number,)
    wrong = remark.replace(number, "PTM-CN-2026-000099")
    assert one(world, xml(wrong, "-33.33", "-1.89", number=RED)) == ("refused", "e_invoice.no_credit_note")
    assert one(world, xml(remark, "-33.34", "-1.89", number=RED)) == ("refused", "e_invoice.amount_differs")
    assert one(world, xml(remark, "-33.33", "-1.00", number=RED)) == ("refused", "e_invoice.vat_differs")
    assert one(world, red) == ("recorded", None)
    assert one(world, red) == ("known", None)
    assert red_missing(world) == ()
    third = "26412000000000000003"
    assert one(world, xml(remark, "-33.33", "-1.89", number=third)) == ("refused", "e_invoice.document_taken")
    with world.shop.work(FINANCE) as work:
        (shown,) = e_invoices.list_e_invoices(work, period="2026-03")
    assert [(each.document_no, each.gross_fen) for each in shown.issued] == [
        (row.number, 1_003_333), (number, -3_333),
    ]  # fmt: skip


BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><EInvoice>&b;</EInvoice>'
OUTSIDE = b'<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]><EInvoice><Header>&x;</Header></EInvoice>'
DTD = b'<!DOCTYPE e SYSTEM "http://127.0.0.1:1/e.dtd"><EInvoice/>'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (BOMB, "e_invoice.doctype"),
        (OUTSIDE, "e_invoice.doctype"),
        (DTD, "e_invoice.doctype"),
        (DTD.decode().encode("utf-16"), "e_invoice.doctype"),
        (b"<EInvoice>", "e_invoice.malformed"),
        (b"", "e_invoice.malformed"),
        (b"\x00" * 50, "e_invoice.malformed"),
        (b'<?xml version="1.0" encoding="x-none"?><EInvoice/>', "e_invoice.malformed"),
        (b"<EInvoice>&undefined;</EInvoice>", "e_invoice.malformed"),
        (b"<a>" * 40 + b"</a>" * 40, "e_invoice.too_complex"),
        (b"<EInvoice>" + b"<a/>" * 20_001 + b"</EInvoice>", "e_invoice.too_complex"),
        (b" " * (MOST_BYTES + 1), "e_invoice.too_large"),
        (b"<html/>", "e_invoice.missing"),
        (xml("x" * 3_000, "1.00", "0.06"), "e_invoice.too_complex"),
        (xml("</Remark><Remark>", "1.00", "0.06"), "e_invoice.twice"),
        (xml("x", "1.00", "0.06").replace(b">1.00<", b">1e5<"), "e_invoice.amount"),
        (xml("x", "1.00", "0.06").replace(b">1.00<", b">2.00<"), "e_invoice.sum"),
        (xml("x", "1.00", "0.06").replace(b"2026-04-05", b"2026-02-30"), "e_invoice.day"),
    ],
)
def test_a_hostile_file_is_refused_before_it_is_believed(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_e_invoice(content)
    assert refused.value.code == code


def test_a_zip_is_unpacked_no_further_than_it_may_be(world: World, row: InvoiceRow) -> None:
    def packed(**members: bytes) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "."), content)
        return target.getvalue()

    good = xml(row.number, "10033.33", "567.92")
    found = take(world, packed(a__xml=good, b__pdf=b"%PDF", c__xml=b" " * 60_000_000))
    assert [(each.outcome, each.code) for each in found] == [
        ("recorded", None), ("refused", "e_invoice.too_large"),
    ]  # fmt: skip
    with pytest.raises(TooLarge):
        take(world, packed(**{f"m{number}__xml": b"x" for number in range(501)}))
    with pytest.raises(Invalid):
        take(world, packed(a__txt=b"x"))
    with pytest.raises(Invalid):
        take(world)
    broken = bytearray(packed(a__xml=good))
    broken[40:60] = b"\x00" * 20
    with pytest.raises(Invalid):
        take(world, bytes(broken))


def test_each_invariant_is_broken_on_purpose_and_found(world: World, row: InvoiceRow, database: Database) -> None:
    take(world, xml(row.number, "10033.33", "567.92"))
    remark = f"被红冲蓝字数电发票号码：{BLUE} 账单 {credit(world, row, {2: None})}"
    (red,) = take(world, xml(remark, "-33.33", "-1.89", number=RED))
    assert red.outcome == "recorded", red
    assert broken(world.shop, INVARIANTS_E_INVOICES) == {}
    breaks = {
        "e-invoice-of-its-invoice": f"UPDATE e_invoices SET gross_fen = 1003334 WHERE number = '{BLUE}'",
        "e-invoices-taken-back": f"UPDATE e_invoices SET gross_fen = -2000000 WHERE number = '{RED}'",
        "issuers-by-two": (
            "ALTER TABLE invoice_issuers DROP CONSTRAINT ck_invoice_issuers_two_people;"
            "UPDATE invoice_issuers SET confirmed_by = proposed_by"
        ),
    }
    owner = database.owner()
    for name, statement in breaks.items():
        with owner.begin() as connection:
            connection.exec_driver_sql(statement)
        assert name in broken(world.shop, INVARIANTS_E_INVOICES), name
    owner.dispose()
