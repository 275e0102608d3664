"""How the services' documents are read: unknown names are refused, and every wrong field is named by its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MOST_ERRORS = 50


class Document(BaseModel):
    """Base of a document: unknown names, NaN and infinity are refused, and texts are stripped."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


T = TypeVar("T", bound=Document)


def read_document(model: type[T], given: Mapping[str, Any], *, where: str, code: str) -> T:
    """Return ``given`` as ``model``; Invalid ``code`` names every wrong field below ``where``.

    A validator of ``model`` that raises a Problem speaks for itself; its fields are named below ``where`` too.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        errors = [FieldError(path(where, item["loc"]), *_reason(item)) for item in found[:MOST_ERRORS]]
        raise Invalid(code, msg("请求中有 {count} 处需要修改。", count=len(found)), errors=errors) from error


def path(where: str, location: tuple[int | str, ...]) -> str:
    """Return a field's path, such as ``request.industries[0]``. Tags of alternatives, in brackets, are no fields."""
    parts = (item for item in location if isinstance(item, int) or not item.startswith("["))
    return where + "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in parts)


def _reason(item: Mapping[str, Any]) -> tuple[str, Message]:
    context = item.get("ctx", {})
    own = context.get("error")
    if item["type"] == "value_error" and own is not None and own.args and isinstance(own.args[0], Message):
        return "field.value", own.args[0]
    if item["type"] == "missing":
        return "field.missing", msg("缺少此项，请补上。")
    if item["type"] == "extra_forbidden":
        return "field.unknown", msg("没有这一项，请删除或检查拼写。")
    for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        if name in context:
            return "field.value", msg("数值应 {sign} {limit}，请修改。", sign=sign, limit=context[name])
    for name in ("min_length", "max_length"):
        if name in context:
            return "field.length", msg("长度或个数不合要求（{limit}），请修改。", limit=context[name])
    return "field.value", msg("格式不对，请按接口说明填写。")
