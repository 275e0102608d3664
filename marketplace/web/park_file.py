"""The page on ``park.json``: every field with its limits, read from the schema itself, and the built-in climate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response

from marketplace.web.pages import page_group
from marketplace.web.rendering import say, show
from services.usecases.twin_schema import climate_cities, park_json_schema
from tenants.kernel.messages import Message, msg

pages = page_group("park_file")

_LIMITS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minLength", "length ≥ {}"),
    ("maxLength", "length ≤ {}"),
    ("minItems", "items ≥ {}"),
    ("maxItems", "items ≤ {}"),
)
PARTS: Mapping[str, Message] = {
    "format": msg("版本"),
    "site": msg("园区位置"),
    "period": msg("时段：一个年份，或起止日期"),
    "step_minutes": msg("步长（分钟）"),
    "weather": msg("气象：EPW、CSV、内置气候或典型年，四选一"),
    "load": msg("负荷：单个文件、数值、电表文件或演示负荷，四选一"),
    "pv": msg("光伏"),
    "wind": msg("风电"),
    "battery": msg("储能"),
    "buildings": msg("采暖制冷的建筑"),
    "network": msg("园区电网：母线、变压器、线路"),
    "logistics": msg("货车与装卸场站"),
    "fuels": msg("燃料（范围一）"),
    "fuel_edition": msg("燃料排放因子版本"),
    "tariff": msg("电价：尖峰平谷、需量或容量、节假日"),
    "feed_in": msg("上网方式：不上网、余电上网、全额上网"),
    "emission_factor": msg("电力排放因子"),
    "sizing": msg("可新增容量的上限与造价"),
    "processes": msg("可移动的工序"),
    "scenarios": msg("情景对比"),
    "carbon_yuan_per_t": msg("决策用碳价（元/吨）"),
    "seed": msg("随机种子"),
}


@dataclass(frozen=True)
class FieldRow:
    """A field of the document as the schema gives it."""

    path: str
    kind: str
    limits: str
    default: str
    required: bool


@pages.get("/park-file")
def park_file() -> Response:
    """Show what a park.json holds; open to all."""
    schema = park_json_schema()
    parts = [
        (name, _title(name), list(_rows(name, schema["properties"][name], schema))) for name in schema["properties"]
    ]
    return show("ordering/park_file.html", parts=parts, cities=climate_cities())


def _title(name: str) -> str:
    return say(PARTS.get(name, name))


def _rows(path: str, node: Mapping[str, Any], schema: Mapping[str, Any], *, needed: bool = False) -> Iterator[FieldRow]:
    """Walk a node of the schema down to what has a value of its own."""
    found = _resolved(node, schema)
    if "properties" in found:
        required = set(found.get("required", ()))
        for name, child in found["properties"].items():
            yield from _rows(f"{path}.{name}", child, schema, needed=name in required)
    elif found.get("type") == "array" and "properties" in _resolved(found.get("items", {}), schema):
        yield from _rows(f"{path}[]", found["items"], schema)
    else:
        default = node.get("default", found.get("default"))
        shown = "" if default is None or isinstance(default, dict | list) else str(default)
        yield FieldRow(path, _kind(found), _limits(found), shown, needed)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and take the branch that is not null."""
    if "$ref" in node:
        return _resolved(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    for branch in node.get("anyOf", ()):
        if branch.get("type") not in {"null", "string"} or len(node["anyOf"]) == 1:
            return {**node, **_resolved(branch, schema)}
    if "anyOf" in node:
        return _resolved(node["anyOf"][0], schema)
    return node


def _kind(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " | ".join(str(item) for item in node["enum"])
    if "const" in node:
        return str(node["const"])
    return str(node.get("format") or node.get("type", "object"))


def _limits(node: Mapping[str, Any]) -> str:
    return ", ".join(form.format(node[name]) for name, form in _LIMITS if name in node)
