"""What is wrong with a ``park.json``, in words that lead to a remedy, each with the path of its field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from services.formats.park_processes import REASONS
from tenants.kernel.errors import FieldError
from tenants.kernel.messages import Message, msg

MOST_ERRORS = 50
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Return every wrong field, up to a limit."""
    found = error.errors(include_url=False, include_input=False)[:MOST_ERRORS]
    return tuple(FieldError(path(item["loc"]), _code(item["type"]), _text(item)) for item in found)


def path(location: tuple[int | str, ...]) -> str:
    """Return a field's path, such as ``tariff.windows[2].from``."""
    text = ""
    for item in location:
        text += f"[{item}]" if isinstance(item, int) else f".{item}" if text else item
    return text or "document"


def _code(kind: str) -> str:
    return {"missing": "field.missing", "extra_forbidden": "field.unknown"}.get(kind, "field.value")


def _text(item: Mapping[str, Any]) -> Message:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "missing":
        return msg("缺少此项，请补上。")
    if kind == "extra_forbidden":
        return msg("没有这一项，请删除或检查拼写。")
    if kind in {"literal_error", "enum"}:
        return msg("取值只能是：{expected}。", expected=context.get("expected", ""))
    for name, sign in _SIGNS.items():
        if name in context:
            return msg("数值应 {sign} {limit}，请修改。", sign=sign, limit=context[name])
    if "min_length" in context:
        return msg("至少需要 {count} 个，请补上。", count=context["min_length"])
    if "max_length" in context:
        return msg("最多允许 {count} 个，请减少。", count=context["max_length"])
    if kind == "value_error":
        return _reason(str(context.get("error", "")))
    return msg("格式不对，请按园区文件说明填写。")


def _reason(name: str) -> Message:
    reasons = {
        "format": msg("format 为 park/1 的文件没有这些部分，请把 format 改为 park/2。"),
        "timezone": msg("时区名称不存在，请填写如 Asia/Shanghai 的名称。"),
        "period": msg("请只填 year，或同时填 from 与 to，时段为 1 至 366 天。"),
        "weather": msg("请在 epw、csv、city、builtin 中恰好填写一项。"),
        "weather_wind": msg("wind_m_s（12 个月平均风速）与 wind_source（来源）须同时填写，且只用于内置气候的城市。"),
        "load": msg("请在 csv、values_kw、profile、meters 中恰好填写一项。"),
        "mix": msg("各类企业占比之和应大于 0。"),
        "soc": msg("荷电状态应满足 soc_min ≤ soc_start ≤ soc_max 且 soc_min < soc_max。"),
        "battery": msg("储能的 kwh 与 kw 应同时大于 0 或同时为 0。"),
        "prices": msg("电价表应包含 flat 以及所有时段用到的价格。"),
        "capacity": msg("按容量计费时，capacity_yuan_per_kva_month 与 transformer_kva 应同时填写。"),
        "factor": msg("请同时填写 kg_per_kwh、year、source，或三项都不填而由 edition 与 region 指定。"),
        "wind_speeds": msg("风速应满足 cut_in_m_s < rated_m_s < cut_out_m_s。"),
        "wind_curve": msg("功率曲线的风速应逐点增大，功率在 0 与额定功率的 1.1 倍之间。"),
        "set_points": msg("采暖温度 heat_to 应低于制冷温度 cool_to。"),
        "transformer": msg("变压器损耗与容量、短路阻抗不相称，请核对铭牌（容量以 kVA、损耗以 kW 填写）。"),
        "bus_twice": msg("母线名称重复，请改为各不相同的名称。"),
        "bus_unknown": msg("变压器、线路或接入点引用了不存在的母线，请核对名称。"),
        "feeder_volts": msg("线路两端的母线电压不同，其间应为变压器。"),
        "bus_cut_off": msg("有母线与第一条母线不连通，请补上线路或变压器。"),
        "no_load_share": msg("至少一条母线应有大于 0 的 load_share。"),
        "name_twice": msg("名称重复，请改为各不相同的名称。"),
    }
    return (reasons | REASONS).get(name, msg("格式不对，请按园区文件说明填写。"))
