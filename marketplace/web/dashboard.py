"""The province's dashboard: where public money is, whom it reaches, and what renting saves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from marketplace.api.artefacts import download
from marketplace.doors.current import current_market
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.rules.statistics import Filters, GroupBy, Sums
from marketplace.rules.tiles import Tile, lay_out
from marketplace.usecases.statistics import Statistics, read_statistics
from marketplace.web.charts import FUND, HELD, QUIET
from marketplace.web.pages import page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, sentence, show
from marketplace.web.statistics_tables import GROUPS, label_of, place_label, table_of
from services.usecases.places import position_of
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Tier
from tenants.rules.regions import Level, regions
from tenants.usecases.province import home_province

pages = page_group("dashboard")

SHADES = 5
"""Steps of the map's colour; the lowest is "nothing"."""


@dataclass(frozen=True)
class MapTile:
    """A prefecture on the map: where, its name, its figures (None where it has no verified park), and its shade."""

    tile: Tile
    code: str
    name: str
    sums: Sums | None
    shade: int


@pages.get("/dashboard")
def dashboard() -> Response:
    """Show a period's figures: ``?from=2026-01&to=2026-03`` (both months included), ``by=``, and what counts."""
    group_by = _group_by()
    refusal: Refusal | None = None
    try:
        found, province = _found([group_by, GroupBy.REGION])
    except Invalid as problem:
        refusal = refusal_of(problem)
        found, province = _found([group_by, GroupBy.REGION], plain=True)
    return show(
        "dashboard.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        found=found,
        groups=GROUPS,
        group_by=group_by,
        label=label_of(group_by, found.labels),
        rows=found.groups[group_by],
        tiles=_tiles(found, province),
        months=_month_chart(found),
        regions=[(code, place_label(code)) for code in _prefectures(province)],
        tiers=tuple(Tier),
        asked=_asked(),
        exports={kind: {**_asked(), "by": group_by.value, "format": kind} for kind in ("csv", "xlsx")},
    )


@pages.get("/dashboard/file")
def file() -> Response:
    """Send the shown grouping as CSV or XLSX."""
    group_by = _group_by()
    found, _ = _found([group_by])
    table = table_of(found, group_by)
    name = f"dashboard-{group_by.value}-{_asked()['from']}-{_asked()['to']}"
    if request.args.get("format") == "xlsx":
        return download(f"{name}.xlsx", XLSX, xlsx_file(table, current_market().clock.now()))
    return download(f"{name}.csv", CSV, csv_file(table))


def _found(group_by: list[GroupBy], *, plain: bool = False) -> tuple[Statistics, str | None]:
    """Return the asked statistics and the home province; ``plain`` asks for this year without filters."""
    with page_work() as work:
        months = _this_year(work.now) if plain else _asked()
        start, end = _first(months["from"]), _first(months["to"], later=1)
        filters = (
            Filters() if plain else Filters(*(_asked()[name] for name in ("programme", "region", "tier", "service")))
        )
        found = read_statistics(work, from_=start, to=end, group_by=group_by, filters=filters)
        return found, home_province(work)


def _asked() -> dict[str, str]:
    """Return what the address asks for, this year where it names no months."""
    year = _this_year(current_market().clock.now())
    names = ("programme", "region", "tier", "service")
    return {
        "from": request.args.get("from") or year["from"],
        "to": request.args.get("to") or year["to"],
        **{name: request.args.get(name, "")[:64] for name in names},
    }


def _this_year(now: datetime) -> dict[str, str]:
    month = month_of(now)
    return {"from": f"{month[:4]}-01", "to": month}


def _group_by() -> GroupBy:
    wanted = request.args.get("by", "")
    return GroupBy(wanted) if wanted in set(GroupBy) else GroupBy.REGION


def _first(month: str, *, later: int = 0) -> datetime:
    """Return the first moment of a month, or of one ``later``, in China."""
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=CHINA)
        index = first.year * 12 + first.month - 1 + later
        return first.replace(year=index // 12, month=index % 12 + 1).astimezone(UTC)
    except ValueError:
        wrong = msg("月份须形如 2026-03。请重新选择。")
        raise Invalid("form.period", wrong, errors=[FieldError("from", "form.period", wrong)]) from None


def _prefectures(province: str | None) -> list[str]:
    """Return the six digits of the home province's prefectures."""
    if province is None:
        return []
    return sorted(code for code, each in regions().items() if code.startswith(province) and each.level is Level.CITY)


def _tiles(found: Statistics, province: str | None) -> dict[str, Any] | None:
    """Return the map of the home province; None where there is nothing to lay out."""
    sums = {each.key: each for each in found.groups[GroupBy.REGION]}
    codes = sorted({*_prefectures(province), *(key for key in sums if province and key.startswith(province))})
    places = {code: place for code in codes if (place := position_of(code)) is not None}
    if len(places) < 2:
        return None
    laid = lay_out(places)
    most = max((each.enablement_bp or 0 for each in sums.values()), default=0)
    tiles = [
        _tile(code, laid[code], sums.get(code), most) for code in sorted(laid, key=lambda each: _reading(laid[each]))
    ]
    return {
        "tiles": tiles,
        "columns": 1 + max(each.tile.column for each in tiles),
        "rows": 1 + max(each.tile.row for each in tiles),
        "most_bp": most,
    }


def _reading(tile: Tile) -> tuple[int, int]:
    return tile.row, tile.column


def _tile(code: str, tile: Tile, sums: Sums | None, most_bp: int) -> MapTile:
    rate = sums.enablement_bp if sums else None
    shade = 0 if not rate or not most_bp else 1 + (rate * (SHADES - 1) - 1) // most_bp
    return MapTile(tile, code, (regions()[code].city or code) if code in regions() else code, sums, shade)


def _month_chart(found: Statistics) -> dict[str, Any] | None:
    """Return columns for each month: what of the applied subsidy is redeemed, still held, or was given back."""
    rows = found.months
    if not rows:
        return None
    parts = (
        (sentence("已核销"), FUND, [each.redeemed_fen for each in rows]),
        (sentence("预占"), HELD, [each.granted_fen - each.redeemed_fen for each in rows]),
        (sentence("已退回"), QUIET, [each.applied_fen - each.granted_fen for each in rows]),
    )
    return {
        "color": [colour for _, colour, _ in parts],
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "left": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "fen"},
        "xAxis": {"type": "category", "data": [each.month for each in rows], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "shortfen"}, "splitNumber": 3},
        "series": [
            {"name": name, "type": "bar", "stack": "aid", "data": figures, "barMaxWidth": 40}
            for name, _, figures in parts
        ],
    }
