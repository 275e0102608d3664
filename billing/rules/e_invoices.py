"""E-invoices (数电票): the columns of an issuing request, and what an issued one has to agree with.

The headings of the default layout are those of the electronic tax bureau's template for batches (批量开票导入模板: one sheet
with an invoice a row, one with its lines), as of 2024 and as far as is known from files that others fill in. A bureau
changes its template now and then; the operator adapts the layout, not the program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

INVOICE_SOURCES = (
    "document_no", "buyer_name", "buyer_uscc", "seller_name", "seller_uscc", "seller_bank", "seller_account",
    "period", "issued_on", "reference", "gross", "net", "vat", "subsidy", "payable", "remark",
)  # fmt: skip
"""What a column of the first sheet may hold."""
LINE_SOURCES = (
    "document_no", "line", "item_name", "offering", "tax_code", "quantity", "unit_price", "gross", "net", "vat", "rate",
)  # fmt: skip
"""What a column of the second sheet may hold; prices are with VAT."""
MOST_COLUMNS = 60
LONGEST = 100
_NUMBER = re.compile(r"[0-9]{20}", re.ASCII)
_DOCUMENT = re.compile(r"(?<![A-Za-z0-9-])[A-Z]{2,10}-(?:CN-)?[0-9]{4}-[0-9]{6}(?![A-Za-z0-9-])", re.ASCII)
_BLUE = re.compile(r"被红冲蓝字数电(?:发)?票号码[：:]\s*([0-9]{20})(?![0-9])", re.ASCII)

DEFAULT_LAYOUT: Mapping[str, Any] = {
    "invoice": [
        {"heading": "发票流水号", "source": "document_no"},
        {"heading": "发票类型", "text": "普通发票"},
        {"heading": "特定业务类型", "text": ""},
        {"heading": "是否含税", "text": "是"},
        {"heading": "受票方自然人标识", "text": ""},
        {"heading": "购买方名称", "source": "buyer_name"},
        {"heading": "证件类型", "text": ""},
        {"heading": "购买方纳税人识别号", "source": "buyer_uscc"},
        {"heading": "购买方地址", "text": ""},
        {"heading": "购买方电话", "text": ""},
        {"heading": "购买方开户银行", "text": ""},
        {"heading": "购买方银行账号", "text": ""},
        {"heading": "备注", "source": "remark"},
        {"heading": "是否展示购买方银行账号", "text": ""},
        {"heading": "销售方开户行", "source": "seller_bank"},
        {"heading": "销售方银行账号", "source": "seller_account"},
        {"heading": "是否展示销售方银行账号", "text": "是"},
    ],
    "lines": [
        {"heading": "发票流水号", "source": "document_no"},
        {"heading": "项目名称", "source": "item_name"},
        {"heading": "商品和服务税收编码", "source": "tax_code"},
        {"heading": "规格型号", "text": ""},
        {"heading": "单位", "text": "项"},
        {"heading": "数量", "source": "quantity"},
        {"heading": "单价", "source": "unit_price"},
        {"heading": "金额", "source": "gross"},
        {"heading": "税率", "source": "rate"},
        {"heading": "折扣金额", "text": ""},
        {"heading": "是否使用优惠政策", "text": ""},
        {"heading": "优惠政策类型", "text": ""},
        {"heading": "即征即退类型", "text": ""},
    ],
    "tax_codes": {},
}


@dataclass(frozen=True, slots=True)
class IssuedEInvoice:
    """An e-invoice as the tax bureau issued it; a red one has negative amounts and names the blue one in its remark."""

    number: str
    issued_on: date
    seller_uscc: str
    buyer_uscc: str
    net_fen: int
    vat_fen: int
    gross_fen: int
    remark: str

    @property
    def is_red(self) -> bool:
        """Tell whether it takes another one back."""
        return self.gross_fen < 0


def layout_faults(layout: Any) -> list[tuple[str, str]]:
    """Return where a layout is wrong, as (path, code); none for one that can be used."""
    if not isinstance(layout, dict) or set(layout) - {"invoice", "lines", "tax_codes"}:
        return [("", "layout.fields")]
    faults = [
        *_column_faults("invoice", layout.get("invoice"), INVOICE_SOURCES),
        *_column_faults("lines", layout.get("lines"), LINE_SOURCES),
    ]
    codes = layout.get("tax_codes", {})
    if not isinstance(codes, dict) or not all(
        isinstance(code, str) and re.fullmatch(r"[0-9]{19}", code, re.ASCII) for code in codes.values()
    ):
        faults.append(("tax_codes", "layout.tax_code"))
    return faults


def _column_faults(part: str, columns: Any, sources: Sequence[str]) -> list[tuple[str, str]]:
    if not isinstance(columns, list) or not 0 < len(columns) <= MOST_COLUMNS:
        return [(part, "layout.columns")]
    faults, seen = [], set()
    for place, column in enumerate(columns):
        path = f"{part}.{place}"
        if not isinstance(column, dict) or not _is_line(column.get("heading")) or column["heading"] == "":
            faults.append((path, "layout.heading"))
            continue
        if column["heading"] in seen:
            faults.append((path, "layout.twice"))
        seen.add(column["heading"])
        if set(column) == {"heading", "source"}:
            if column["source"] not in sources:
                faults.append((path, "layout.source"))
        elif set(column) != {"heading", "text"} or not _is_line(column["text"]):
            faults.append((path, "layout.text"))
    if not any(isinstance(each, dict) and each.get("source") == "document_no" for each in columns):
        faults.append((part, "layout.document_no"))
    return faults


def _is_line(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST and text.isprintable()


def unit_price(gross_fen: int, quantity: Decimal) -> str:
    """Return the price of one unit in yuan, with VAT, to at most eight places; nothing for no quantity."""
    if not quantity:
        return ""
    price = (Decimal(gross_fen).scaleb(-2) / quantity).quantize(Decimal("1E-8"))
    return f"{price:f}".rstrip("0").rstrip(".")


def documents_named(remark: str) -> tuple[str, ...]:
    """Return the numbers of invoices and credit notes of ours that a remark names, each once."""
    return tuple(dict.fromkeys(_DOCUMENT.findall(remark)))


def blue_named(remark: str) -> str | None:
    """Return the number of the blue e-invoice that a red one says it takes back."""
    found = _BLUE.search(remark)
    return None if found is None else found[1]


def is_number(text: str) -> bool:
    """Tell whether a text is an e-invoice's number: twenty digits."""
    return _NUMBER.fullmatch(text) is not None


def vat_tolerance_fen(lines: int) -> int:
    """Return how far the VAT of an e-invoice may be from ours: the bureau rounds it on each line, we on the whole."""
    return max(1, (lines + 1) // 2)
