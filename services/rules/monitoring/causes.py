"""From the shape of an anomaly to its likely cause and what to do about it: a small base of rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.rules.monitoring.anomalies import Anomaly, Direction
from services.rules.monitoring.meters import Measures
from tenants.kernel.messages import Message, msg


@dataclass(frozen=True)
class Cause:
    """A likely cause, and steps against it in the order in which they are tried."""

    code: str
    text: Message
    advice: tuple[Message, ...]


@dataclass(frozen=True)
class _Rule:
    cause: Cause
    holds: Callable[[Measures, Anomaly], bool]


COOLING = (Measures.COOLING, Measures.ELECTRICITY)
OFF = 0.5
"""From this part of the excess on it is a matter of hours in which nobody works."""
OFFSET = 0.6

_METER = Cause(
    "meter_low",
    msg("用量持续低于基线：多为仪表、互感器或通信故障，也可能是设备停用。"),
    (
        msg("核对仪表读数与就地显示是否一致。"),
        msg("检查互感器接线、倍率设置与通信。"),
        msg("确认是否有设备已停用或产量下降。"),
    ),
)
_LEAK = Cause(
    "night_flow",
    msg("无人时段用量持续偏高：可能有泄漏或阀门未关。"),
    (msg("夜间关闭末端阀门，观察表计是否仍在走。"), msg("分段检查管网，修复漏点。")),
)
_OFF_HOURS = Cause(
    "off_hours",
    msg("多出的用量主要在非工作时段：设备未按时关停，或定时设置有误。"),
    (
        msg("核对空调、照明和空压机的定时与假日设置。"),
        msg("安排下班巡查，关闭无人区域设备。"),
        msg("检查夜间常开设备，必要时加装定时器。"),
    ),
)
_SETPOINT = Cause(
    "setpoint",
    msg("工作时段整体偏高且不随冷负荷增减：可能温度设定过低或新风量过大。"),
    (
        msg("将室内温度设定调至 26 ℃，并锁定面板。"),
        msg("核对新风阀开度与排风运行时间。"),
        msg("确认是否新增了设备或人员。"),
    ),
)
_FOULING = Cause(
    "fouling",
    msg("用量随冷负荷成比例偏高：可能滤网、盘管或冷凝器脏堵，或制冷剂不足。"),
    (
        msg("清洗滤网与盘管。"),
        msg("清洗冷凝器或冷却塔填料，检查冷却水温差。"),
        msg("检查制冷剂压力，必要时补充。"),
    ),
)
_HEAT = Cause(
    "heating",
    msg("供热用量持续高于基线：可能设定过高、保温损坏或换热器结垢。"),
    (msg("核对供水温度曲线与室温设定。"), msg("检查管道保温与疏水器。"), msg("清洗换热器。")),
)
_OUTAGE = Cause(
    "outage",
    msg("用量在一两小时内骤降：多为停电、跳闸、设备停机或通信中断。"),
    (
        msg("到现场确认设备是否在运行、开关是否跳闸。"),
        msg("检查采集器与通信；核对仪表就地读数。"),
        msg("查明跳闸原因后再合闸，不要反复强送。"),
    ),
)
_BURST = Cause(
    "burst",
    msg("用量在一两小时内骤增：可能爆管，或阀门误开。"),
    (
        msg("立即巡查管网与末端；燃气先关总阀、通风，不要开关电器。"),
        msg("分段关阀，找出走表的支路。"),
        msg("修复前保持该支路关闭，并记录泄漏时段。"),
    ),
)
_SURGE = Cause(
    "surge",
    msg("用量在一两小时内骤增：可能设备失控、阀门卡住，或多台设备同时启动。"),
    (
        msg("对照分项计量与设备运行状态，找出突增的回路。"),
        msg("检查控制器、变频器与阀门是否卡在全开。"),
        msg("错开大设备启动，避免抬高当月最大需量。"),
    ),
)
_GENERAL = Cause(
    "general",
    msg("用量持续高于基线，原因待查。"),
    (msg("对照分项计量，找出增加的回路。"), msg("核对近期新增设备、工艺或班次变化。")),
)
RULES = (
    _Rule(_OUTAGE, lambda _, each: each.at_once and each.direction is Direction.LOW),
    _Rule(_BURST, lambda kind, each: each.at_once and kind in {Measures.WATER, Measures.GAS} and each.off_share < OFF),
    _Rule(_METER, lambda _, each: each.direction is Direction.LOW),
    _Rule(_LEAK, lambda kind, each: kind in {Measures.WATER, Measures.GAS} and each.off_share >= OFF),
    _Rule(_OFF_HOURS, lambda _, each: each.off_share >= OFF),
    _Rule(_SURGE, lambda _, each: each.at_once),
    _Rule(_HEAT, lambda kind, _: kind is Measures.HEAT),
    _Rule(_SETPOINT, lambda kind, each: kind in COOLING and each.offset_share >= OFFSET),
    _Rule(_FOULING, lambda kind, _: kind in COOLING),
    _Rule(_GENERAL, lambda *_: True),
)
CAUSES = {rule.cause.code: rule.cause for rule in RULES}


def likely_cause(measures: Measures, anomaly: Anomaly) -> Cause:
    """Return the first cause whose rule holds."""
    return next(rule.cause for rule in RULES if rule.holds(measures, anomaly))
