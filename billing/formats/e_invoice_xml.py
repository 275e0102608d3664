"""The XML of an issued e-invoice (数电票), as the tax bureau hands it out: root ``EInvoice``, no namespace.

Read here: ``TaxSupervisionInfo/InvoiceNumber`` and ``IssueTime``; in ``EInvoiceData`` the sellers' and buyers' ``…IdNum``,
``BasicInformation`` with ``TotalAmWithoutTax``, ``TotalTaxAm``, ``TotalTax-includedAmount``, and the ``Remark``. The rest is
passed over. The bureau's signature inside is not checked: the file is kept as it came.

The file comes from people. A document type, and with it every entity, is refused before it is read; so is a file that is
large, deep or full of elements. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NoReturn
from xml.parsers import expat

from billing.rules.e_invoices import IssuedEInvoice, is_number
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import Message, msg

MOST_BYTES = 2 << 20
MOST_DEPTH = 32
MOST_ELEMENTS = 20_000
LONGEST_TEXT = 2_000
_DATA = "EInvoice/EInvoiceData"
_PATHS = {
    "EInvoice/TaxSupervisionInfo/InvoiceNumber": "number",
    "EInvoice/TaxSupervisionInfo/IssueTime": "issued_on",
    f"{_DATA}/SellerInformation/SellerIdNum": "seller_uscc",
    f"{_DATA}/BuyerInformation/BuyerIdNum": "buyer_uscc",
    f"{_DATA}/BasicInformation/TotalAmWithoutTax": "net_fen",
    f"{_DATA}/BasicInformation/TotalTaxAm": "vat_fen",
    f"{_DATA}/BasicInformation/TotalTax-includedAmount": "gross_fen",
    f"{_DATA}/AdditionalInformation/Remark": "remark",
}
_AMOUNT = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]{1,2}))?", re.ASCII)
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T][0-9:.]{1,15})?", re.ASCII)


def read_e_invoice(content: bytes) -> IssuedEInvoice:
    """Return what an e-invoice's XML says. Raises Invalid that says what is wrong with the file."""
    if len(content) > MOST_BYTES:
        _refuse(
            "e_invoice.too_large", msg("XML 文件超过 {most} MB，不是一张数电票。请核对文件。", most=MOST_BYTES >> 20)
        )
    found = _Reader().read(content)
    missing = [path.rsplit("/", 1)[-1] for path, name in _PATHS.items() if name != "remark" and not found.get(name)]
    if missing:
        _refuse(
            "e_invoice.missing", msg("文件缺少 {fields}，不是数电票的 XML。请下载原始文件。", fields="、".join(missing))
        )
    if not is_number(found["number"]):
        _refuse("e_invoice.number", msg("数电票号码须为 20 位数字。请下载原始文件。"))
    net, vat, gross = (_fen(found[name]) for name in ("net_fen", "vat_fen", "gross_fen"))
    if net + vat != gross:
        _refuse("e_invoice.sum", msg("文件中不含税额与税额之和不等于价税合计。请下载原始文件。"))
    return IssuedEInvoice(
        number=found["number"],
        issued_on=_day(found["issued_on"]),
        seller_uscc=found["seller_uscc"].upper(),
        buyer_uscc=found["buyer_uscc"].upper(),
        net_fen=net,
        vat_fen=vat,
        gross_fen=gross,
        remark=found.get("remark", ""),
    )


class _Reader:
    """Walks through the elements and keeps the texts of those that are wanted, each of which comes once."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._elements = 0
        self._texts: dict[str, list[str]] = {}
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.ExternalEntityRefHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self._parser = parser

    def read(self, content: bytes) -> dict[str, str]:
        try:
            self._parser.Parse(content, True)
        except (expat.ExpatError, UnicodeDecodeError, LookupError, ValueError):
            _refuse("e_invoice.malformed", msg("文件不是完整的 XML。请重新下载后导入。"))
        return {name: "".join(parts).strip() for name, parts in self._texts.items()}

    def _doctype(self, *_: object) -> NoReturn:
        _refuse("e_invoice.doctype", msg("XML 含有文档类型或实体定义，数电票不含此类内容，已拒绝。请下载原始文件。"))

    def _start(self, name: str, _attributes: object) -> None:
        self._elements += 1
        self._path.append(name)
        if self._elements > MOST_ELEMENTS or len(self._path) > MOST_DEPTH:
            _refuse("e_invoice.too_complex", msg("XML 的层级或元素过多，不是一张数电票。请核对文件。"))
        wanted = _PATHS.get("/".join(self._path))
        if wanted in self._texts:
            _refuse("e_invoice.twice", msg("XML 中 {field} 出现多次，无法确定取值。请下载原始文件。", field=name))
        if wanted is not None:
            self._texts[wanted] = []

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        wanted = _PATHS.get("/".join(self._path))
        if wanted is None:
            return
        self._texts[wanted].append(text)
        if sum(map(len, self._texts[wanted])) > LONGEST_TEXT:
            _refuse("e_invoice.too_complex", msg("XML 的层级或元素过多，不是一张数电票。请核对文件。"))


def _fen(text: str) -> int:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        _refuse("e_invoice.amount", msg("金额 {text} 不是有效数字。请下载原始文件。", text=text[:40]))
    sign, whole, rest = found.groups()
    fen = int(whole) * 100 + int((rest or "").ljust(2, "0"))
    return -fen if sign else fen


def _day(text: str) -> date:
    found = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(found[1] if found else "")
    except ValueError:
        _refuse("e_invoice.day", msg("开票日期 {text} 无效。请下载原始文件。", text=text[:40]))


def _refuse(code: str, message: Message) -> NoReturn:
    raise Invalid(code, message)
