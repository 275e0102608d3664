"""A park's own subsidies: this year's ceilings as bars, what each programme gave, and every grant."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, request

from billing.rules.money import yuan as in_yuan
from marketplace.api.artefacts import download
from marketplace.doors.current import current_market
from marketplace.formats.tables import CSV, Table, csv_file
from marketplace.usecases.subsidies import MySubsidies, read_my_subsidies
from marketplace.web import words
from marketplace.web.explaining import tell_ceiling
from marketplace.web.pages import page_group, page_work
from marketplace.web.rendering import moment, named, say, show
from marketplace.web.rendering import name_in_language as by_language
from tenants.kernel.clock import CHINA
from tenants.kernel.messages import msg

pages = page_group("subsidies")

YEARS = 5
"""Years back that can be chosen."""
HEADER = (
    msg("时间"),
    msg("订单"),
    msg("服务"),
    msg("补贴项目"),
    msg("版本"),
    msg("资金池"),
    msg("状态"),
    msg("占用（元）"),
    msg("核销（元）"),
    msg("已兑付（元）"),
    msg("结清时间"),
)


@pages.get("/subsidies")
def subsidies() -> Response:
    """Show a year's subsidies, this year's unless ``?year=`` names another."""
    year = _year()
    found = _found(year)
    return show(
        "subsidies.html",
        year=year,
        years=range(_now().year, _now().year - YEARS, -1),
        found=found,
        called=_called(found),
        ceilings=[(named(each), [tell_ceiling(state) for state in each.ceilings]) for each in found.ceilings],
    )


@pages.get("/subsidies.csv")
def history() -> Response:
    """Send a year's grants as CSV."""
    year = _year()
    found = _found(year)
    called = _called(found)
    rows = [
        (
            moment(row.hold.created_at),
            row.order.number if row.order else "",
            row.order.title if row.order else "",
            called.get(row.hold.programme, row.hold.programme),
            row.hold.version,
            by_language(row.hold.fund_name, row.hold.fund_name_en),
            words.word("hold", row.hold.status),
            in_yuan(row.hold.amount_fen),
            in_yuan(row.hold.captured_fen),
            in_yuan(row.hold.paid_fen),
            moment(row.hold.settled_at),
        )
        for row in found.history
    ]
    table = Table(say(msg("我的补贴")), [say(name) for name in HEADER], rows)
    return download(f"subsidies-{year}.csv", CSV, csv_file(table))


def _found(year: int) -> MySubsidies:
    start, end = (datetime(each, 1, 1, tzinfo=CHINA).astimezone(UTC) for each in (year, year + 1))
    with page_work() as work:
        return read_my_subsidies(work, from_=start, to=end)


def _called(found: MySubsidies) -> dict[str, str]:
    return {slug: by_language(*names) for slug, names in found.names.items()}


def _now() -> datetime:
    return current_market().clock.now().astimezone(CHINA)


def _year() -> int:
    """Return the chosen year, this one where none of those on offer is named."""
    this = _now().year
    wanted = request.args.get("year", "")
    return next((year for year in range(this, this - YEARS, -1) if wanted == str(year)), this)
