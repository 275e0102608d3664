"""Every movement of a fund's money, filtered, and as a file."""

from __future__ import annotations

from flask import Response, request

from billing.usecases import fund_exports, funds
from billing.usecases.funds import EntryFilter
from marketplace.api.artefacts import download
from marketplace.doors.fund_words import PLACES, entries_of_days, register_table
from marketplace.doors.language import reader_language
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.web.fund_forms import day_of, fund_and_rights
from marketplace.web.pages import id_of, page_group, page_work
from marketplace.web.rendering import show

pages = page_group("fund_register")

ALL = "*"
"""What the filter calls every envelope: '' is the general one."""


@pages.get("/funds/<fund_id>/register")
def entries(fund_id: str) -> Response:
    """Show the movements of a place, an envelope and some days, a part of the list."""
    with page_work() as work:
        found, _rights = fund_and_rights(work, fund_id)
        page = funds.list_fund_entries(
            work, fund_id=found.id, wanted=_wanted(), limit=50, cursor=request.args.get("cursor")
        )
    chosen = {name: request.args[name] for name in ("place", "envelope", "from", "to") if request.args.get(name)}
    return show("funds/register.html", fund=found, page=page, places=PLACES, chosen=chosen)


@pages.get("/funds/<fund_id>/register.<any(csv, xlsx):kind>")
def export(fund_id: str, kind: str) -> Response:
    """Save the movements that are shown, all parts of the list, as a file."""
    with page_work() as work:
        register = fund_exports.export_register(work, fund_id=id_of(fund_id), wanted=_wanted())
        now = work.now
    table = register_table(register, reader_language())
    if kind == "xlsx":
        return download(f"{table.title}-register.xlsx", XLSX, xlsx_file(table, now))
    return download(f"{table.title}-register.csv", CSV, csv_file(table))


def _wanted() -> EntryFilter:
    place, envelope = request.args.get("place"), request.args.get("envelope", ALL)
    return entries_of_days(
        place if place in PLACES else None, None if envelope == ALL else envelope, day_of("from"), day_of("to")
    )
