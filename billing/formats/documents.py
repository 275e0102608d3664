"""Reading JSON that anybody may have written: bounded, exact, and refused with the path of what is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MAX_DEPTH = 32
MAX_INT = 2**63 - 1

TREE = "a tree"
CONDITION = "a condition"
FLAT = "a number"
NAMED = "an object"
"""Names by which the validator tells alternatives apart; they are no part of a field's path."""

Model = TypeVar("Model", bound=BaseModel)


class Document(BaseModel):
    """A part of a document: nothing unknown in it, and nothing taken for what it is not (``true`` is no number)."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=True, arbitrary_types_allowed=True
    )


def read_json(text: str | bytes) -> object:
    """Return the JSON value in ``text``, fractions as exact decimals. Raises Invalid."""
    try:
        return json.loads(text, parse_float=_exact, parse_constant=_not_a_number)
    except RecursionError:
        raise _too_deep("") from None
    except ValueError:
        raise Invalid("document.not_json", msg("输入不是有效的 JSON(UTF-8）。请检查后重试。")) from None


def read_document(model: type[Model], document: object) -> Model:
    """Return ``document`` as ``model``. Raises Invalid with one FieldError per fault (the first hundred)."""
    _check_shape(document)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)[:100]
        raise Invalid(
            "document.invalid",
            msg("输入有 {count} 处错误。请按所列字段逐一改正。", count=error.error_count()),
            errors=[_translate(detail) for detail in details],
        ) from None


def _exact(text: str) -> Decimal:
    return Decimal(text)


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(text)


def _too_deep(path: str) -> Invalid:
    return Invalid(
        "document.too_deep",
        msg("输入嵌套超过 {depth} 层。请减少嵌套层数。", depth=MAX_DEPTH),
        errors=[FieldError(path, "document.too_deep", msg("嵌套过深。请减少嵌套层数。"))],
    )


def _check_shape(document: object) -> None:
    """Refuse what no field of ours takes, without recursion: deep nesting, numbers that are not finite or too big."""
    stack: list[tuple[object, str, int]] = [(document, "", 1)]
    while stack:
        value, path, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _too_deep(path)
        if isinstance(value, Mapping):
            for key in value:
                _check_text(key if isinstance(key, str) else "\0", path)
            stack += [(member, f"{path}.{key}" if path else str(key), depth + 1) for key, member in value.items()]
        elif isinstance(value, list):
            stack += [(member, f"{path}[{index}]", depth + 1) for index, member in enumerate(value)]
        elif isinstance(value, str):
            _check_text(value, path)
        elif not _sane(value):
            field = FieldError(path, "field.number", msg("数值须为有限且不过大的数。请改正该数值。"))
            raise Invalid("document.invalid", msg("输入中有无法处理的数值。请改正所列字段。"), errors=[field])


def _check_text(text: str, path: str) -> None:
    """Refuse text that no database and no file can hold: a zero byte, or half of a character."""
    if "\0" in text or not (text.isascii() or _whole(text)):
        field = FieldError(_printable(path), "field.text", msg("文本含有无法保存的字符。请删除这些字符。"))
        raise Invalid("document.invalid", msg("输入中有无法保存的文本。请改正所列字段。"), errors=[field])


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(path: str) -> str:
    return path.encode(errors="replace").decode()


def _sane(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value.adjusted()) < 100
    return not isinstance(value, int) or abs(value) <= MAX_INT


def _translate(detail: ErrorDetails) -> FieldError:
    kind = detail["type"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    code, message = _fault(kind, context)
    return FieldError(_path(detail["loc"]), code, message)


_NO_FIELDS = frozenset(
    (TREE, CONDITION, FLAT, NAMED, "[key]", "per_unit", "package", "graduated", "volume", "graduated_package", "volume_package", "percentage",
     "graduated_percentage")
)  # fmt: skip
"""What the validator puts into paths beside fields: alternatives it chose, charge models among them."""


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if part in _NO_FIELDS:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _fault(kind: str, context: Mapping[str, Any]) -> tuple[str, Message]:
    """Return the stable code and the sentence for one of the validator's kinds of fault."""
    known: dict[str, tuple[str, Message]] = {
        "missing": ("field.missing", msg("缺少此字段。请补上。")),
        "extra_forbidden": ("field.unknown", msg("没有这个字段。请删除，或检查拼写。")),
        "int_type": ("field.not_integer", msg("须为整数。请改为不带小数和引号的整数。")),
        "string_type": ("field.not_text", msg("须为文本。请加引号。")),
        "list_type": ("field.not_list", msg("须为列表。请改为 JSON 列表。")),
        "dict_type": ("field.not_object", msg("须为对象。请改为 JSON 对象。")),
        "model_type": ("field.not_object", msg("须为对象。请改为 JSON 对象。")),
        "model_attributes_type": ("field.not_object", msg("须为对象。请改为 JSON 对象。")),
        "field.date": ("field.date", msg("须为日期 YYYY-MM-DD。请改正该日期。")),
        "field.moment": (
            "field.moment", msg("须为日期 YYYY-MM-DD，或带时区的时间，如 2026-05-01T08:00:00+08:00。请改正。")
        ),
        "field.timezone": ("field.timezone", msg("没有这个时区。请用 IANA 名称，如 Asia/Shanghai。")),
        "field.decimal": (
            "field.decimal", msg('须为写成文本的十进制数，最多 18 位整数和 12 位小数，如 "12.5"。请改正。')
        ),
        "field.fact": ("field.fact", msg("事实须为文本、数字、true/false，或它们的列表。请改正。")),
        "field.value_for_in": ("field.value_for_in", msg("比较方式 in 的值须为列表，其他比较方式须为单个值。请改正。")),
        "field.tree": ("field.tree", msg("须为条件，或只含 all、any 之一的对象。请改正。")),
        "charge.minimum_above_maximum": (
            "charge.minimum_above_maximum", msg("最低金额不能高于最高金额。请改正其中之一。")
        ),
        "charge.last_tier": ("charge.last_tier", msg("须只有最后一档没有上限（null）。请补上或删除该档的上限。")),
        "charge.tiers_rise": ("charge.tiers_rise", msg("各档上限须依次增大。请调整各档。")),
        "meter.no_value_property": ("meter.no_value_property", msg("除 count 外须给出 value_property。请补上。")),
        "meter.carry_in_twice": ("meter.carry_in_twice", msg("carry_in 只能给出一次。请删除其中之一。")),
        "period.order": ("period.order", msg("开始时间须早于结束时间。请改正。")),
        "union_tag_invalid": ("field.choice", msg("没有这种计费模式。请对照格式说明改正。")),
        "union_tag_not_found": ("field.missing", msg("缺少 model 字段。请补上计费模式。")),
        "field.path": ("field.path", msg("须为形如 $.a.b 的路径。请改正。")),
    }  # fmt: skip
    if kind in known:
        return known[kind]
    if kind in {"greater_than_equal", "greater_than", "less_than_equal", "less_than"}:
        limit = next((context[key] for key in ("ge", "gt", "le", "lt") if key in context), "")
        return "field.range", msg("数值超出允许范围（界限 {limit}）。请改正该数值。", limit=limit)
    if kind == "literal_error":
        return "field.choice", msg(
            "须为其中之一：{choices}。请改正。", choices=str(context.get("expected", "")).replace(" or ", ", ")
        )
    if kind in {"too_short", "too_long", "string_too_short", "string_too_long"}:
        limit = context.get("min_length", context.get("max_length", ""))
        return "field.length", msg("长度不符（界限 {limit}）。请增减内容。", limit=limit)
    return "field.invalid", msg("此字段的值无法使用。请对照格式说明改正。")
