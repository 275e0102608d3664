"""Issued e-invoices come back as XML: each is tied to the document of ours that its remark names, once."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from billing.formats.e_invoice_xml import MOST_BYTES, read_e_invoice
from billing.rules.e_invoices import IssuedEInvoice, blue_named, documents_named, vat_tolerance_fen
from billing.rules.money import format_yuan
from billing.store import e_invoice_queries as store
from billing.store.credit_notes import CreditNote
from billing.store.e_invoices import EInvoice
from billing.store.invoices import Invoice
from billing.usecases import evidence
from billing.usecases.evidence import Upload
from billing.usecases.issuers import issuer_at
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem, TooLarge
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.files import safe_name
from tenants.usecases import audit, onboarding

MOST_FILES = 500
MOST_IN_ALL = 64 << 20
XML = "application/xml"


@dataclass(frozen=True)
class ImportedFile:
    """What became of one file: ``recorded``, ``known`` (it was there) or ``refused`` with a code and a reason."""

    name: str
    outcome: str
    number: str | None = None
    document_no: str | None = None
    code: str | None = None
    reason: Message | str | None = None


def import_e_invoices(work: Work, *, files: Sequence[Upload]) -> tuple[ImportedFile, ...]:
    """Take in XML files, or zips of them, and return what became of each: the good ones are kept, whatever the others are.

    Raises Invalid for no file at all and for a zip that cannot be read, TooLarge for more than there can be.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    found = []
    for file in _unpacked(files):
        try:
            with work.savepoint():
                found.append(_take(work, file))
        except Problem as problem:
            found.append(ImportedFile(safe_name(file.name), "refused", code=problem.code, reason=problem.message))
    return tuple(found)


def _take(work: Work, file: Upload) -> ImportedFile:
    issued = read_e_invoice(file.content)
    known = store.e_invoice(work.session, issued.number)
    if known is not None:
        return _known(file, issued, known)
    document_no = _document(issued)
    blue = _blue_of(work, issued) if issued.is_red else None
    number = document_no if blue is None else _invoice_number_of(blue)
    invoice = store.issued_invoice(work.session, number, lock=True)
    if invoice is None:
        raise Conflict("e_invoice.no_document", msg("没有已开具的账单 {number}。请核对备注。", number=number))
    _check_parties(work, issued, invoice)
    note = None
    if blue is None:
        _check_blue(work, issued, invoice)
    else:
        note = _note_of(work, blue, document_no)
        _check_red(work, issued, blue, note)
    kept = evidence.keep(work, invoice.tenant_id, Upload(file.name, XML, file.content))
    written = store.insert_e_invoice(
        work.session,
        {
            "number": issued.number,
            "tenant_id": invoice.tenant_id,
            "invoice_id": invoice.id,
            "document_no": document_no,
            "blue_number": None if blue is None else blue.number,
            "credit_note_id": None if note is None else note.id,
            "issued_on": issued.issued_on,
            "gross_fen": issued.gross_fen,
            "vat_fen": issued.vat_fen,
            "evidence_id": kept.id,
            "imported_by": work.actor.user_id,
            "imported_at": work.now,
        },
    )
    if not written:
        raise Conflict(
            "e_invoice.document_taken", msg("{number} 已有另一张数电票。请核对是否重复开票。", number=document_no)
        )
    audit.record(
        work, "e_invoice.import", "e_invoice", issued.number, tenant_id=invoice.tenant_id, document_no=document_no,
        gross_fen=issued.gross_fen,
    )  # fmt: skip
    return ImportedFile(safe_name(file.name), "recorded", issued.number, document_no)


def _known(file: Upload, issued: IssuedEInvoice, known: EInvoice) -> ImportedFile:
    if (known.gross_fen, known.vat_fen, known.issued_on) != (issued.gross_fen, issued.vat_fen, issued.issued_on):
        raise Conflict(
            "e_invoice.changed", msg("数电票 {number} 已导入，但金额或日期不同。请核对文件来源。", number=issued.number)
        )
    return ImportedFile(safe_name(file.name), "known", known.number, known.document_no)


def _document(issued: IssuedEInvoice) -> str:
    """Return the one document of ours that a remark names: a credit note for a red e-invoice, else an invoice."""
    named = [each for each in documents_named(issued.remark) if ("-CN-" in each) == issued.is_red]
    if len(named) != 1:
        raise Invalid(
            "e_invoice.remark",
            msg(
                "备注中须有且只有一个账单编号（红字发票为红字账单编号），现有 {count} 个。请核对备注。",
                count=len(named),
            ),
        )
    return named[0]


def _blue_of(work: Work, issued: IssuedEInvoice) -> EInvoice:
    number = blue_named(issued.remark)
    blue = None if number is None else store.e_invoice(work.session, number)
    if blue is None or blue.blue_number is not None:
        raise Conflict(
            "e_invoice.no_blue", msg("没有找到备注所指的蓝字发票 {number}。请先导入蓝字发票。", number=number or "—")
        )
    return blue


def _invoice_number_of(blue: EInvoice) -> str:
    return blue.document_no


def _check_parties(work: Work, issued: IssuedEInvoice, invoice: Invoice) -> None:
    buyer = onboarding.read_organisation(work, organisation_id=invoice.tenant_id)
    if issued.buyer_uscc != buyer.uscc:
        raise Conflict(
            "e_invoice.buyer",
            msg(
                "购买方税号 {found} 不是该园区的 {expected}。请核对发票。", found=issued.buyer_uscc, expected=buyer.uscc
            ),
        )
    issuer = issuer_at(work, invoice.finalized_at or work.now)
    if issuer is None or issued.seller_uscc != issuer.uscc:
        raise Conflict(
            "e_invoice.seller",
            msg(
                "销售方税号 {found} 不是开票信息中的 {expected}。请核对发票。",
                found=issued.seller_uscc, expected="—" if issuer is None else issuer.uscc,
            ),
        )  # fmt: skip


def _check_blue(work: Work, issued: IssuedEInvoice, invoice: Invoice) -> None:
    sold_fen = invoice.gross_fen - invoice.discount_fen
    if issued.gross_fen != sold_fen:
        raise Conflict(
            "e_invoice.amount_differs",
            msg(
                "数电票价税合计 {found} 元，账单 {number} 为 {expected} 元，相差 {difference} 元。请核对后重新开票。",
                found=format_yuan(issued.gross_fen), number=invoice.number or "—",
                expected=format_yuan(sold_fen),
                difference=format_yuan(issued.gross_fen - sold_fen),
            ),
        )  # fmt: skip
    off = issued.vat_fen - invoice.vat_fen
    if abs(off) > vat_tolerance_fen(store.lines_counted(work.session, invoice.tenant_id, invoice.id)):
        raise Conflict(
            "e_invoice.vat_differs",
            msg(
                "数电票税额 {found} 元，账单 {number} 为 {expected} 元，相差 {difference} 元，超过逐行取整的误差。请核对税率。",
                found=format_yuan(issued.vat_fen), number=invoice.number or "—",
                expected=format_yuan(invoice.vat_fen), difference=format_yuan(off),
            ),
        )  # fmt: skip


def _note_of(work: Work, blue: EInvoice, number: str) -> CreditNote:
    note = store.issued_note(work.session, blue.tenant_id, number)
    if note is None or note.invoice_id != blue.invoice_id:
        raise Conflict(
            "e_invoice.no_credit_note",
            msg("账单 {invoice} 没有已开具的红字账单 {number}。请核对备注。", invoice=blue.document_no, number=number),
        )
    return note


def _check_red(work: Work, issued: IssuedEInvoice, blue: EInvoice, note: CreditNote) -> None:
    if -issued.gross_fen != note.amount_fen:
        raise Conflict(
            "e_invoice.amount_differs",
            msg(
                "数电票价税合计 {found} 元，账单 {number} 为 {expected} 元，相差 {difference} 元。请核对后重新开票。",
                found=format_yuan(issued.gross_fen), number=note.number or "—",
                expected=format_yuan(-note.amount_fen),
                difference=format_yuan(issued.gross_fen + note.amount_fen),
            ),
        )  # fmt: skip
    off = issued.vat_fen + note.vat_fen
    if abs(off) > vat_tolerance_fen(store.note_lines_counted(work.session, note)):
        raise Conflict(
            "e_invoice.vat_differs",
            msg(
                "数电票税额 {found} 元，账单 {number} 为 {expected} 元，相差 {difference} 元，超过逐行取整的误差。请核对税率。",
                found=format_yuan(issued.vat_fen), number=note.number or "—",
                expected=format_yuan(-note.vat_fen), difference=format_yuan(off),
            ),
        )  # fmt: skip
    left = blue.gross_fen - store.taken_back_fen(work.session, blue.number)
    if note.amount_fen > left:
        raise Conflict(
            "e_invoice.red_exceeds",
            msg(
                "红字金额 {found} 元超过蓝字发票 {number} 尚未红冲的 {left} 元。请核对发票。",
                found=format_yuan(note.amount_fen), number=blue.number, left=format_yuan(left),
            ),
        )  # fmt: skip


def _unpacked(files: Sequence[Upload]) -> list[Upload]:
    found: list[Upload] = []
    for file in files:
        found += _members(file) if zipfile.is_zipfile(io.BytesIO(file.content)) else [file]
        if len(found) > MOST_FILES or sum(len(each.content) for each in found) > MOST_IN_ALL:
            raise _too_much()
    if not found:
        none = msg("请选择数电票的 XML 文件，或其压缩包（ZIP）。")
        raise Invalid("e_invoice.no_file", none, errors=[FieldError("files", "e_invoice.no_file", none)])
    return found


def _members(file: Upload) -> list[Upload]:
    """Return the XML files of a zip. What it says of their size is not trusted: no more than the limit is unpacked."""
    members: list[Upload] = []
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
            for info in archive.infolist():
                if info.is_dir() or not info.filename.lower().endswith(".xml"):
                    continue
                with archive.open(info) as member:
                    content = member.read(MOST_BYTES + 1)
                total += len(content)
                if len(members) >= MOST_FILES or total > MOST_IN_ALL:
                    raise _too_much()
                members.append(Upload(info.filename, XML, content))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        broken = msg("压缩包无法读取。请重新下载后导入。")
        raise Invalid("e_invoice.zip", broken, errors=[FieldError("files", "e_invoice.zip", broken)]) from error
    return members


def _too_much() -> TooLarge:
    large = msg(
        "一次最多导入 {most} 个文件，解压后合计 {size} MB。请分批导入。", most=MOST_FILES, size=MOST_IN_ALL >> 20
    )
    return TooLarge("e_invoice.too_many", large, errors=[FieldError("files", "e_invoice.too_many", large)])
