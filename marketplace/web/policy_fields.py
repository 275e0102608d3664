"""Fields of programmes' forms: days, JSON, and the bounds of rates per park size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import request

from marketplace.web.pages import field
from marketplace.web.policy_form import scaled
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import ParkSize


def parse_day(name: str, source: Mapping[str, str] | None = None) -> date:
    """Return the day typed into a field; Invalid at that field when it is none."""
    text = (request.form if source is None else source).get(name, "").strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _wrong(name, "form.day", msg("须为日期 YYYY-MM-DD。请改正该日期。")) from None
    if not 1900 <= day.year <= 2200:
        raise _wrong(name, "form.day", msg("须为日期 YYYY-MM-DD。请改正该日期。"))
    return day


def json_of(name: str) -> dict[str, Any]:
    """Return the JSON object typed into a field; Invalid at that field when it is none."""
    try:
        value = json.loads(field(name) or "{}")
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise _wrong(
            name, "form.json", msg("不是有效的 JSON：第 {line} 行附近有语法错误。请改正后重试。", line=line)
        ) from None
    if not isinstance(value, dict):
        raise _wrong(name, "form.json", msg("须为一个 JSON 对象，以 {opening} 开头。", opening="{"))
    return value


def bounds_of(form: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the bounds typed per park size in per cent; a size left empty takes every rate. Raises Invalid."""
    bounds: dict[str, dict[str, int]] = {}
    errors = []
    for size in ParkSize:
        typed = {end: form.get(f"{size.value}.{end}", "").strip() for end in ("min", "max")}
        if not any(typed.values()):
            continue
        bounds[size.value] = {}
        for end, text in typed.items():
            found = scaled(text, 100)
            if found is None or found > 10_000:
                wrong = msg("须为 0 至 100 之间、最多两位小数的百分数。请改正，或将该规模的两项都留空。")
                errors.append(FieldError(f"bounds.{size.value}.{end}_bp", "form.percent", wrong))
            else:
                bounds[size.value][f"{end}_bp"] = found
    if errors:
        raise Invalid("form.percent", msg("比例界限有误。请按所列字段改正。"), errors=errors)
    return bounds


def bounds_field(path: str) -> str:
    """Return the form's field of a path in a programme."""
    return path.removeprefix("bounds.").removesuffix("_bp")


def _wrong(name: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(name, code, message)])
