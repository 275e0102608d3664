"""A bank's statement as CSV, in UTF-8 or GB18030, as Chinese banks export it.

Rows above the header (the account, the time of export) are passed over, except that a cell after 账号 names the
account. The header names the columns, in any order, by one of these names:

- day: 交易日期, 记账日期, 交易时间 (``20260405``, ``2026-04-05`` or ``2026/04/05``, a time may follow)
- the bank's own reference: 交易流水号, 流水号, 银行流水号
- money in: 贷方金额, 收入金额, 贷方发生额, 收入 (yuan, at most two places, thousands may be separated)
- money out (may be missing): 借方金额, 支出金额, 借方发生额, 支出; rows of money out are passed over
- payer: 对方户名, 对方名称, 付款人
- text, one or more: 摘要, 附言, 用途, 备注
- the account that the money arrived on (may be missing): 收款账号, 虚拟账号, 虚拟子账号, 子账号

A closing row that begins with 合计 or 总计 says the sum of the money in, and must be right. A file that is malformed,
cut off or wrong in one row is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from billing.rules.money import MAX_FEN
from billing.rules.receipts import Receipt
from tenants.kernel.errors import FieldError, Invalid, TooLarge
from tenants.kernel.messages import Message, msg

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 100_000
HEADER_WITHIN = 30
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "booked_on": ("交易日期", "记账日期", "交易时间"),
    "bank_reference": ("交易流水号", "流水号", "银行流水号"),
    "credit": ("贷方金额", "收入金额", "贷方发生额", "收入"),
    "debit": ("借方金额", "支出金额", "借方发生额", "支出"),
    "payer": ("对方户名", "对方名称", "付款人"),
    "remittance": ("附言", "摘要", "用途", "备注"),
    "arrived_on": ("虚拟账号", "虚拟子账号", "子账号", "收款账号"),
}
NEEDED = ("booked_on", "bank_reference", "credit", "payer", "remittance")
TOTALS = ("合计", "总计")
UNNAMED_ACCOUNT = "main"
"""The account of files that name none."""

_DAY = re.compile(r"(\d{4})([-/]?)(\d{2})\2(\d{2})(?:[ T]?\d{2}:?\d{2}(?::?\d{2})?)?", re.ASCII)
_AMOUNT = re.compile(r"[¥￥+]?(\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.(\d{1,2}))?", re.ASCII)


@dataclass(frozen=True)
class _Header:
    row: int
    width: int
    places: Mapping[str, tuple[int, ...]]
    account: str


def read_statement(content: bytes) -> tuple[Receipt, ...]:
    """Return the receipts of a statement. Raises Invalid with the row and field of what is wrong, TooLarge."""
    if len(content) > MAX_BYTES:
        raise TooLarge("statement.too_large", msg("对账单最大 {most} MB。请分段导出。", most=MAX_BYTES // 1024**2))
    rows = _rows(_decode(content))
    header = _header(rows)
    receipts: list[Receipt] = []
    total: tuple[int, int] | None = None
    for number, cells in enumerate(rows[header.row :], start=header.row + 1):
        if not any(cells):
            continue
        if total is not None:
            _refuse(number, "", "statement.after_total", msg("合计行之后还有内容。请重新导出对账单。"))
        if cells[0].startswith(TOTALS):
            total = number, _total(number, cells, header)
        elif (receipt := _receipt(number, cells, header)) is not None:
            receipts.append(receipt)
    _check_end(content, receipts, total)
    return tuple(receipts)


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid("statement.encoding", msg("无法识别文件编码。请导出为 UTF-8 或 GB18030 编码的 CSV。"))


def _rows(text: str) -> list[list[str]]:
    if "\0" in text:
        raise Invalid("statement.not_csv", msg("文件不是 CSV 文本。请从网上银行重新导出 CSV 格式。"))
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), strict=True):
            rows.append([cell.strip() for cell in cells])
            if len(rows) > MAX_ROWS:
                raise TooLarge("statement.too_many_rows", msg("对账单最多 {most} 行。请分段导出。", most=MAX_ROWS))
    except csv.Error:
        _refuse(len(rows) + 1, "", "statement.not_csv", msg("此行不是完整的 CSV（如引号未闭合）。请重新导出对账单。"))
    return rows


def _header(rows: Sequence[Sequence[str]]) -> _Header:
    account = UNNAMED_ACCOUNT
    for number, cells in enumerate(rows[:HEADER_WITHIN], start=1):
        places = {
            name: tuple(place for alias in aliases for place, cell in enumerate(cells) if cell == alias)
            for name, aliases in COLUMNS.items()
        }
        if all(places[name] for name in NEEDED):
            return _Header(number, len(cells), places, account)
        account = _account(cells) or account
    raise Invalid(
        "statement.no_header",
        msg("没有找到表头。表头须含：交易日期、交易流水号、贷方金额（或收入金额）、对方户名、摘要（或附言）。"),
        errors=[FieldError("rows[1]", "statement.no_header", msg("缺少所需的列"))],
    )


def _account(cells: Sequence[str]) -> str:
    for place, cell in enumerate(cells):
        if cell.rstrip("：:") in {"账号", "本方账号", "账户"} and place + 1 < len(cells):
            return cells[place + 1][:64]
    return ""


def _receipt(number: int, cells: Sequence[str], header: _Header) -> Receipt | None:
    """Return a row's receipt, or None for money that went out."""
    if len(cells) < header.width:
        _refuse(
            number, "", "statement.truncated", msg("此行列数不足，文件可能不完整。请重新导出对账单。")
        )  # fmt: skip
    if len(cells) > header.width and any(cells[header.width :]):
        _refuse(number, "", "statement.too_many_cells", msg("此行列数多于表头。请检查分隔符后重新导出。"))
    credit = _fen(number, "credit", _cell(cells, header, "credit"))
    debit = _fen(number, "debit", _cell(cells, header, "debit"))
    if credit and debit:
        _refuse(number, "credit", "statement.both_sides", msg("同一行既有收入又有支出。请核对对账单。"))
    booked_on = _day(number, _cell(cells, header, "booked_on"))
    reference = _cell(cells, header, "bank_reference").strip("'\"=\t ")
    if not 1 <= len(reference) <= 100 or not reference.isprintable():
        _refuse(number, "bank_reference", "statement.reference", msg("交易流水号须为 1 至 100 个字符。请核对。"))
    if not credit:
        if not debit:
            _refuse(number, "credit", "statement.no_amount", msg("此行既无收入也无支出金额。请重新导出对账单。"))
        return None
    texts = dict.fromkeys(cells[place] for place in header.places["remittance"] if cells[place])
    return Receipt(
        row=number,
        account=header.account,
        bank_reference=reference,
        booked_on=booked_on,
        amount_fen=credit,
        payer=_cell(cells, header, "payer")[:200],
        remittance=" ".join(texts)[:500],
        arrived_on=_digits(_cell(cells, header, "arrived_on") or header.account),
    )


def _digits(account: str) -> str:
    """Return an account number as it is stored: without spaces, hyphens, and the marks that keep spreadsheets off it."""
    return "".join(account.strip("'\"=\t ").split()).replace("-", "")[:64]


def _cell(cells: Sequence[str], header: _Header, name: str) -> str:
    places = header.places[name]
    return cells[places[0]] if places else ""


def _fen(number: int, field: str, text: str) -> int:
    if text in {"", "-", "--"}:
        return 0
    found = _AMOUNT.fullmatch(text)
    if found is None:
        _refuse(
            number, field, "statement.amount", msg("金额“{text}”无法识别。须为最多两位小数的正数。", text=text[:40])
        )
    amount = int(found[1].replace(",", "")) * 100 + int((found[2] or "").ljust(2, "0"))
    if amount > MAX_FEN:
        _refuse(number, field, "statement.amount", msg("金额“{text}”过大。请核对对账单。", text=text[:40]))
    return amount


def _day(number: int, text: str) -> date:
    found = _DAY.fullmatch(text)
    if found is not None:
        try:
            return date(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:
            pass
    raise _refusal(number, "booked_on", "statement.day", msg("日期“{text}”无法识别。须如 2026-04-05。", text=text[:40]))


def _total(number: int, cells: Sequence[str], header: _Header) -> int:
    place = header.places["credit"][0]
    if place >= len(cells) or not cells[place]:
        _refuse(number, "credit", "statement.truncated", msg("合计行没有收入合计，文件可能不完整。请重新导出对账单。"))
    return _fen(number, "credit", cells[place])


def _check_end(content: bytes, receipts: Sequence[Receipt], total: tuple[int, int] | None) -> None:
    """Refuse a file that says less than it began to say: a wrong sum, or a last row that is cut off."""
    if total is not None:
        number, stated = total
        found = sum(receipt.amount_fen for receipt in receipts)
        if stated != found:
            _refuse(
                number,
                "credit",
                "statement.total_differs",
                msg("合计为 {stated} 分，各行之和为 {found} 分。请重新导出对账单。", stated=stated, found=found),
            )
    elif not content.endswith((b"\n", b"\r")):
        raise Invalid(
            "statement.truncated",
            msg("文件末行没有换行符，也没有合计行，可能不完整。请重新导出对账单。"),
            errors=[FieldError("rows", "statement.truncated", msg("文件可能不完整"))],
        )
    seen: dict[str, int] = {}
    for receipt in receipts:
        first = seen.setdefault(receipt.bank_reference, receipt.row)
        if first != receipt.row:
            message = msg("交易流水号与第 {row} 行相同。请重新导出对账单。", row=first)
            _refuse(receipt.row, "bank_reference", "statement.reference_twice", message)


def _refuse(row: int, field: str, code: str, message: Message) -> NoReturn:
    raise _refusal(row, field, code, message)


def _refusal(row: int, field: str, code: str, message: Message) -> Invalid:
    path = f"rows[{row}].{field}".rstrip(".")
    return Invalid(
        code,
        msg("对账单第 {row} 行有误，未导入任何内容：{reason}", row=row, reason=str(message)),
        errors=[FieldError(path, code, message)],
    )
