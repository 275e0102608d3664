"""Activities as a table: CSV (UTF-8 or GB 18030) or XLSX, with Chinese or English headers, one row an activity.

Every row is read; a row that cannot be right is named with its number and column and never repaired by guessing.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from services.gateways.workbooks import workbook_rows
from services.rules.carbon.records import Category
from tenants.kernel.errors import FieldError, Invalid, TooLarge
from tenants.kernel.messages import Message, msg

ALIASES = {
    "category": ("category", "排放类别", "类别"),
    "item": ("item", "活动", "品种", "能源品种"),
    "start": ("start", "开始日期", "起始日期"),
    "end": ("end", "结束日期", "截止日期"),
    "quantity": ("quantity", "数量", "用量"),
    "unit": ("unit", "单位"),
    "region": ("region", "地区"),
    "edition": ("edition", "因子版本"),
    "density": ("density_kg_per_l", "密度"),
    "note": ("note", "备注"),
}
"""What a column is called, per field. The last day of 结束日期 is part of the activity, as bills write it."""
REQUIRED = ("category", "item", "start", "end", "quantity", "unit")
CATEGORIES = {
    "化石燃料燃烧": Category.FUEL,
    "固定燃烧": Category.FUEL,
    "移动源": Category.VEHICLE,
    "车辆": Category.VEHICLE,
    "过程排放": Category.PROCESS,
    "工业生产过程": Category.PROCESS,
    "制冷剂": Category.REFRIGERANT,
    "外购电力": Category.ELECTRICITY,
    "购入电力": Category.ELECTRICITY,
    "自发自用绿电": Category.OWN_GREEN,
    "外购热力": Category.HEAT,
    "购入热力": Category.HEAT,
    "输出电力": Category.SOLD_ELECTRICITY,
    "输出热力": Category.SOLD_HEAT,
}
ITEMS = {
    "电": "electricity.average",
    "电力": "electricity.average",
    "热力": "heat.default",
    "蒸汽": "heat.default",
    "天然气": "fuel.natural_gas",
    "柴油": "fuel.diesel",
    "汽油": "fuel.gasoline",
    "无烟煤": "fuel.anthracite",
    "烟煤": "fuel.bituminous_coal",
    "褐煤": "fuel.lignite",
    "焦炭": "fuel.coke",
    "燃料油": "fuel.fuel_oil",
    "煤油": "fuel.kerosene",
    "液化石油气": "fuel.lpg",
    "液化天然气": "fuel.lng",
}
MOST_ROWS = 20_000
MOST_BYTES = 16 << 20
_XLSX_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class ActivityRow:
    """A row as it was read: ``number`` counts from 1, the header included; ``end`` is the day after the last."""

    number: int
    category: Category
    item: str
    start: date
    end: date
    quantity: Decimal
    unit: str
    region: str
    edition: str | None
    density_kg_per_l: Decimal | None
    note: str


@dataclass(frozen=True)
class ActivityFile:
    """What a file holds: rows that could be read, and the faults of the others."""

    rows: tuple[ActivityRow, ...]
    errors: tuple[FieldError, ...]


def read_activities(content: bytes) -> ActivityFile:
    """Read a file; Invalid when it is no such table at all, TooLarge above the limits."""
    if len(content) > MOST_BYTES:
        raise TooLarge("carbon.file_size", msg("文件超过 {limit} MB。请压缩或拆分后再上传。", limit=MOST_BYTES >> 20))
    rows = _xlsx(content) if content.startswith(_XLSX_MAGIC) else _csv(content)
    header = [str(cell or "").strip().lower() for cell in next(rows, [])]
    places = {name: header.index(alias) for name, known in ALIASES.items() for alias in known if alias in header}
    missing = [ALIASES[name][1] for name in REQUIRED if name not in places]
    if missing:
        raise _refusal(msg("缺少列：{columns}。", columns="、".join(missing)))
    reader = _Reader(places)
    for number, row in enumerate(rows, start=2):
        if number > MOST_ROWS + 1:
            raise TooLarge("carbon.file_rows", msg("最多 {most} 行。请拆分。", most=MOST_ROWS))
        if any(str(cell if cell is not None else "").strip() for cell in row):
            reader.row(number, row)
    if not reader.rows and not reader.errors:
        raise _refusal(msg("文件没有数据行。"))
    return ActivityFile(tuple(reader.rows), tuple(reader.errors))


class _Reader:
    def __init__(self, places: dict[str, int]) -> None:
        self.places = places
        self.rows: list[ActivityRow] = []
        self.errors: list[FieldError] = []

    def row(self, number: int, cells: Sequence[object]) -> None:
        before = len(self.errors)
        text = {name: self._cell(cells, name) for name in ALIASES}
        category = CATEGORIES.get(str(text["category"])) or _category(str(text["category"]))
        if category is None:
            self._fault(number, "category", msg("不认识的排放类别。"))
        start, end = self._day(number, text["start"], "start"), self._day(number, text["end"], "end")
        quantity = self._number(number, text["quantity"], "quantity")
        density = self._number(number, text["density"], "density") if text["density"] != "" else None
        if len(self.errors) > before or category is None or start is None or end is None or quantity is None:
            return
        item = str(text["item"])
        self.rows.append(
            ActivityRow(
                number=number,
                category=category,
                item=ITEMS.get(item, item),
                start=start,
                end=end + timedelta(days=1),
                quantity=quantity,
                unit=str(text["unit"]),
                region=str(text["region"]) or "CN",
                edition=str(text["edition"]) or None,
                density_kg_per_l=density,
                note=str(text["note"]),
            )
        )

    def _cell(self, cells: Sequence[object], name: str) -> object:
        place = self.places.get(name)
        cell = cells[place] if place is not None and place < len(cells) else None
        return "" if cell is None else cell.strip() if isinstance(cell, str) else cell

    def _day(self, number: int, cell: object, name: str) -> date | None:
        if isinstance(cell, datetime):
            return cell.date()
        if isinstance(cell, date):
            return cell
        try:
            return date.fromisoformat(str(cell).replace("/", "-"))
        except ValueError:
            self._fault(number, name, msg("日期须写成 2026-01-31。"))
            return None

    def _number(self, number: int, cell: object, name: str) -> Decimal | None:
        try:
            value = Decimal(str(cell).replace(",", ""))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value.adjusted() > 12 or value.as_tuple().exponent < -12:  # type: ignore[operator]
            self._fault(number, name, msg("须为数字。"))
            return None
        return value

    def _fault(self, number: int, name: str, message: Message) -> None:
        self.errors.append(FieldError(f"file[{number}].{name}", "carbon.row", message))


def _category(text: str) -> Category | None:
    return Category(text) if text in set(Category) else None


def _csv(content: bytes) -> Iterator[Sequence[object]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise _refusal(msg("文件须为 UTF-8 或 GB 18030 编码的 CSV，或 XLSX。"))
    if "\0" in text:
        raise _refusal(msg("文件须为 UTF-8 或 GB 18030 编码的 CSV，或 XLSX。"))
    return _told(csv.reader(io.StringIO(text, newline="")))


def _told(rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    try:
        yield from rows
    except csv.Error as problem:
        raise _refusal(msg("不是有效的 CSV：{why}", why=problem)) from None


def _xlsx(content: bytes) -> Iterator[Sequence[object]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield from workbook_rows(Path(file.name))


def _refusal(message: Message) -> Invalid:
    return Invalid("carbon.file", message, errors=[FieldError("file", "carbon.file", message)])
