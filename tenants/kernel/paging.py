"""Lists in pages. A cursor names the last row shown, so a page stays right while rows are added in front of it.

Rejected: page numbers (rows move between pages while somebody reads) and offsets (the database reads what it skips).
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

MOST_ITEMS = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUT = struct.Struct(">q16sI")

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor that continues it (None at the end)."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def encode_cursor(at: datetime, row_id: UUID) -> str:
    """Return the cursor of the row that stands at instant ``at`` with ``row_id``: opaque text, 38 characters."""
    micros = (at - EPOCH) // timedelta(microseconds=1)
    content = struct.pack(">q16s", micros, row_id.bytes)
    packed = _LAYOUT.pack(micros, row_id.bytes, zlib.crc32(content))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Return the instant and id in ``cursor``, None for no cursor; Invalid for one that was not given out.

    The checksum finds damage, not malice: a forged cursor only starts the caller's own list elsewhere.
    """
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        micros, row_id, checksum = _LAYOUT.unpack(packed)
        # The last character has bits that no byte needs: another spelling of the same bytes was not given out either.
        if checksum != zlib.crc32(packed[:-4]) or base64.urlsafe_b64encode(packed).decode().rstrip("=") != cursor:
            raise _bad_cursor()
        return EPOCH + timedelta(microseconds=micros), UUID(bytes=row_id)
    except (binascii.Error, ValueError, struct.error, OverflowError) as error:
        raise _bad_cursor() from error


def check_limit(limit: int) -> int:
    """Return ``limit``; Invalid unless it is from 1 to MOST_ITEMS."""
    if 1 <= limit <= MOST_ITEMS:
        return limit
    message = msg("每页条数须为 1 至 {most}。请调整 limit。", most=MOST_ITEMS)
    raise Invalid("page.bad_limit", message, errors=[FieldError("limit", "page.bad_limit", message)])


def page_of(
    rows: Sequence[R], limit: int, view: Callable[[R], T], place: Callable[[R], tuple[datetime, UUID]]
) -> Page[T]:
    """Return a page from up to ``limit + 1`` rows: the one too many only tells that the list goes on."""
    shown = rows[:limit]
    following = encode_cursor(*place(shown[-1])) if len(rows) > limit else None
    return Page(tuple(view(row) for row in shown), following)


def _bad_cursor() -> Invalid:
    message = msg("翻页游标无效。请从第一页重新查询。")
    return Invalid("page.bad_cursor", message, errors=[FieldError("cursor", "page.bad_cursor", message)])
