"""Statistics as tables in the reader's words: for the dashboard, its files, and those of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from billing.rules.money import yuan as in_yuan
from marketplace.formats.tables import Cell, Table
from marketplace.rules.statistics import GroupBy, Sums
from marketplace.usecases.statistics import Labels, Statistics
from marketplace.web import words
from marketplace.web.explaining import place
from marketplace.web.rendering import named, say
from tenants.kernel.messages import msg
from tenants.rules.regions import regions

GROUPS = {
    GroupBy.REGION: msg("所在地市"),
    GroupBy.COUNTY: msg("所在区县"),
    GroupBy.REGION_CLASS: msg("所在地区"),
    GroupBy.SIZE: msg("园区规模"),
    GroupBy.PROGRAMME: msg("补贴项目"),
    GroupBy.TIER: msg("服务层级"),
    GroupBy.SERVICE: msg("服务"),
    GroupBy.MONTH: msg("月份"),
}
COLUMNS = (
    msg("申请笔数"),
    msg("申请补贴（元）"),
    msg("批准补贴（元）"),
    msg("核销补贴（元）"),
    msg("批准中一事一议（元）"),
    msg("已审核园区"),
    msg("服务园区"),
    msg("技术赋能率（%）"),
    msg("交付次数"),
    msg("服务总价（元）"),
    msg("园区租金（元）"),
    msg("自建成本（元）"),
    msg("租建成本比（%）"),
    msg("已兑付笔数"),
    msg("已兑付（元）"),
    msg("申报到兑付（天）"),
)


def label_of(group_by: GroupBy, labels: Labels) -> Callable[[str], str]:
    """Return how the key of a group is called."""
    programmes = {each.slug: each for each in labels.programmes}
    services = {each.slug: each for each in labels.services}

    def label(key: str) -> str:
        match group_by:
            case GroupBy.REGION | GroupBy.COUNTY:
                return place_label(key)
            case GroupBy.PROGRAMME:
                return named(programmes[key]) if key in programmes else key
            case GroupBy.SERVICE:
                return named(services[key]) if key in services else key
            case GroupBy.MONTH:
                return key
            case _:
                return words.word(group_by.value, key)

    return label


def place_label(key: str) -> str:
    """Return the name of a prefecture or county; of a municipality's key, which no division has, the municipality."""
    return place(key if key in regions() else f"{key[:2]}0000")


def table_of(found: Statistics, group_by: GroupBy) -> Table:
    """Return one grouping as a table, the sums over all in the last row."""
    label = label_of(group_by, found.labels)
    title = say(msg("统计：{group}", group=say(GROUPS[group_by])))
    rows = [_row(label(sums.key), sums) for sums in found.groups[group_by]]
    header = [say(GROUPS[group_by]), *(say(column) for column in COLUMNS)]
    return Table(title, header, [*rows, _row(say(msg("合计")), found.total)])


def _row(name: str, sums: Sums) -> Sequence[Cell]:
    return (
        name,
        sums.lines,
        in_yuan(sums.applied_fen),
        in_yuan(sums.granted_fen),
        in_yuan(sums.redeemed_fen),
        in_yuan(sums.exempted_fen),
        sums.parks,
        sums.parks_served,
        _percent(sums.enablement_bp),
        sums.deliveries,
        _money(sums.gross_fen),
        _money(sums.rent_fen),
        _money(sums.build_cost_fen),
        _percent(sums.rent_to_build_bp),
        sums.paid_lines,
        in_yuan(sums.paid_fen),
        None if sums.payout_days is None else round(sums.payout_days, 1),
    )


def _money(fen: int | None) -> Decimal | None:
    return None if fen is None else in_yuan(fen)


def _percent(basis_points: int | None) -> Decimal | None:
    return None if basis_points is None else Decimal(basis_points) / 100
