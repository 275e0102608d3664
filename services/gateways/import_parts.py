"""Rows of a file on their way from the door to the worker: packed in parts, already without natural persons' data."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice

from services.gateways.company_files import RawRow

ROWS_AT_ONCE = 10_000
"""Rows of a part: half a second of a worker's time, a few mebibytes of its memory."""


def pack_parts(rows: Iterable[RawRow], size: int = ROWS_AT_ONCE) -> Iterator[tuple[int, bytes]]:
    """Yield how many rows a part has, and them; of all rows of a file the same columns are known."""
    waiting = iter(rows)
    while some := list(islice(waiting, size)):
        yield len(some), _packed(some)


def unpack_part(content: bytes) -> Iterator[RawRow]:
    """Yield the rows of a part."""
    document = json.loads(zlib.decompress(content))
    columns = document["columns"]
    for number, slipped, cells in document["rows"]:
        yield RawRow(number, dict(zip(columns, cells, strict=True)), bool(slipped))


def _packed(rows: list[RawRow]) -> bytes:
    columns = list(rows[0].values)
    document = {
        "columns": columns,
        "rows": [[raw.number, int(raw.slipped), [_kept(raw.values[name]) for name in columns]] for raw in rows],
    }
    # A workbook may hold halves of characters, which no database takes.
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return zlib.compress(text, 1)


def _kept(cell: str) -> str:
    return cell.replace("\0", "") if "\0" in cell else cell
