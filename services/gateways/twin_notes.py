"""What a reader of the results must know: where the data come from, what was estimated, filled in or simplified."""

from __future__ import annotations

from collections.abc import Mapping

from services.gateways.twin_optimum import Optimum
from services.gateways.twin_physics import Physics
from services.gateways.yard import MOST_DAYS
from services.rules.twin.equipment import Equipment
from services.rules.twin.inputs import FeedInMode, TwinRequest
from services.rules.twin.network import GridCheck
from services.rules.twin.weather_year import Weather
from tenants.kernel.messages import Message, msg

_SCENARIOS = {"as_is": "现状", "optimised": "优化运行", "sized": "优化配置"}


def quality_notes(
    request: TwinRequest, weather: Weather, physics: Physics, solved: Optimum, checks: Mapping[str, GridCheck]
) -> list[str]:
    """Return the notes in Chinese, those on data first."""
    notes = [
        _weather(weather),
        msg("碳排放按购入电量与{year}年因子（{edition}）计算，上网电量不抵减。",
            year=request.factor.year, edition=request.factor.edition),
        *(msg("负荷数据：{note}", note=note) for note in request.load.notes),
        *_equipment(request.equipment or Equipment(), physics),
        *(_unsound(name, check) for name, check in checks.items() if not check.sound),
    ]  # fmt: skip
    if request.feed_in.mode is FeedInMode.FULL:
        notes.append(msg("光伏全额上网：经独立计量上网，不抵减园区购电。"))
    if solved.sizing_gap is not None:
        notes.append(msg("容量先按小时模型选定，再按 {minutes} 分钟逐步求精；与理论最优的差距不超过 {gap}%。",
                         minutes=request.horizon.step_minutes, gap=f"{100 * solved.sizing_gap:.4f}"))  # fmt: skip
    if solved.shifted is not None:
        notes.append(msg("可移动工序的运行时段与理论最优的差距不超过 {gap}%。",
                         gap=f"{100 * solved.shifted.gap:.4f}"))  # fmt: skip
    if solved.plan.capped:
        notes.append(msg("上网电价高于部分时段购电价：优化时已限制同一时刻买卖电，结果偏保守。"))
    return [str(note) for note in notes]


def _weather(weather: Weather) -> Message:
    if weather.estimated:
        return msg(
            "气候估算：逐时气象由“{name}”多年月平均值按种子推算，不是实测，仅供方案比选；建议上传本地 EPW 文件。",
            name=weather.name,
        )
    if weather.source.startswith("pvlib/"):
        return msg(
            "气象取自内置典型年“{name}”（北纬 {lat}°），不是园区本地实测，发电量仅供方案比选。",
            name=weather.name,
            lat=f"{weather.latitude:.2f}",
        )
    return msg("气象取自上传文件“{source}”（{name}）。", source=weather.source, name=weather.name)


def _equipment(equipment: Equipment, physics: Physics) -> list[Message]:
    notes = []
    if not physics.wind.any() and equipment.wind is not None:
        notes.append(msg("风电：全年风速低于切入风速，没有发电。"))
    if equipment.network is not None:
        notes.append(msg("园区电网逐时段交流潮流校核；网损未计入电费。"))
    if physics.yard is not None:
        notes.append(msg("场站排队由随机模拟得出（种子固定，模拟 {days} 个工作日，最多 {most} 日，其余按比例）。",
                         days=physics.yard.days, most=MOST_DAYS))  # fmt: skip
    if equipment.buildings:
        notes.append(msg("建筑冷暖负荷由阻容模型估算，未计除湿。"))
    return notes


def _unsound(name: str, check: GridCheck) -> Message:
    """Say what a scenario would overload, or which voltages it would push out of their limits."""
    over = [item.name for item in (*check.transformers, *check.feeders) if item.hours_over]
    outside = [item.name for item in check.buses if item.hours_outside]
    return msg(
        "园区电网校核未通过（{scenario}）：过载设备 {over}；电压越限母线 {outside}。实施前须增容或调整接入方案。",
        scenario=_SCENARIOS.get(name, name), over="、".join(over) or "无", outside="、".join(outside) or "无",
    )  # fmt: skip
