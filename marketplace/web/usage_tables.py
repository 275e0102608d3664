"""A park's use as tables in the reader's words: for the page and its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from billing.rules.money import yuan
from marketplace.formats.tables import Cell, Table
from marketplace.usecases.usage_reports import OTHERS, UsageReport, UsedSum
from marketplace.web.rendering import named, say
from services.usecases.catalogue import OfferingView
from tenants.kernel.messages import msg

GROUPS = {"offering": msg("服务"), "day": msg("日期"), "person": msg("下单人")}
COLUMNS = (
    msg("交付次数"),
    msg("数量"),
    msg("标价（元）"),
    msg("补贴（元）"),
    msg("园区支付（元）"),
    msg("已退回（元）"),
)
BUILD = msg("自建成本（元）")


CHARGES = {
    "subscription": msg("订阅费"),
    "adjustment": msg("补收"),
    "minimum": msg("最低消费差额"),
    "joint": msg("共建年度结算"),
    "attendance": msg("预约取消、爽约与超时费"),
}
"""What stands for an offering on what is charged without an order."""
METERED = "meter:"
"""Before a meter's slug it stands for an offering on what is charged by the meter."""


def label_of(report: UsageReport, group_by: str, offerings: Mapping[str, OfferingView]) -> Callable[[str], str]:
    """Return how the key of a group is called."""

    def label(key: str) -> str:
        if group_by == "offering" and key in CHARGES:
            return say(CHARGES[key])
        if group_by == "offering" and key.startswith(METERED):
            return say(msg("计量 {meter}", meter=key.removeprefix(METERED)))
        if group_by == "offering":
            return named(offerings[key]) if key in offerings else key
        if group_by == "person":
            if key == OTHERS:
                return say(msg("其他人员"))
            return report.names.get(key) or say(msg("平台或已离开的人员"))
        return key

    return label


def rows_of(report: UsageReport, group_by: str) -> Sequence[UsedSum]:
    """Return the sums of a grouping."""
    return {"offering": report.by_offering, "day": report.by_day, "person": report.by_person}[group_by]


def table_of(report: UsageReport, group_by: str, offerings: Mapping[str, OfferingView]) -> Table:
    """Return a grouping as a table, with its total in the last row."""
    label = label_of(report, group_by, offerings)
    builds = group_by == "offering"
    header = [say(GROUPS[group_by]), *(say(each) for each in COLUMNS), *([say(BUILD)] if builds else [])]
    rows = [_row(label(each.key), each, builds=builds) for each in rows_of(report, group_by)]
    rows.append(_row(say(msg("合计")), report.total, builds=builds))
    return Table(say(msg("用量")), header, rows)


def _row(name: str, sums: UsedSum, *, builds: bool) -> list[Cell]:
    money: list[Decimal] = [
        yuan(fen) for fen in (sums.gross_fen, sums.subsidy_fen, sums.payable_fen, sums.returned_fen)
    ]
    build = [] if not builds else [None if sums.build_cost_fen is None else yuan(sums.build_cost_fen)]
    return [name, sums.deliveries, float(sums.quantity), *money, *build]
