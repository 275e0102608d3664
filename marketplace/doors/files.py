"""Files that are made for one answer: written to disk when they are large, and sent from there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO
from urllib.parse import quote

from flask import Response, send_file

from marketplace.doors.current import current_market
from marketplace.formats.tables import CSV, XLSX, Table, csv_file, xlsx_file
from tenants.kernel.context import Actor
from tenants.kernel.work import Work

IN_MEMORY = 8 << 20
"""Bytes that an answer keeps in memory; what is larger waits on disk until it is sent."""


def spreadsheet(table: Table, name: str, kind: str, made_at: datetime) -> Response:
    """Return a table to be saved: as a workbook for ``xlsx``, else as CSV."""
    content, media_type = (xlsx_file(table, made_at), XLSX) if kind == "xlsx" else (csv_file(table), CSV)
    response = Response(content, mimetype=media_type)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}.{kind}"
    return response


def packed(actor: Actor, name: str, write: Callable[[Work, IO[bytes]], object]) -> Response:
    """Let ``write`` make a zip in ``actor``'s name, and return it to be saved. The transaction ends before it is sent."""
    return written(actor, name, "application/zip", write)


def written(actor: Actor, name: str, media_type: str, write: Callable[[Work, IO[bytes]], object]) -> Response:
    """Let ``write`` make a file in ``actor``'s name, and return it to be saved. The transaction ends before it is sent."""
    target: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by the answer that sends it
    try:
        with current_market().workshop.work(actor) as work:
            write(work, target)
    except BaseException:
        target.close()
        raise
    size = target.tell()
    target.seek(0)
    response = send_file(target, mimetype=media_type)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Length"] = str(size)
    response.headers["Cache-Control"] = "private, no-store"
    return response
