"""The application that describes itself: OpenAPI 3.1 made from the calls' models, at ``/api/v1/openapi.json``."""

from __future__ import annotations

from typing import Any, NoReturn

from flask import Response, jsonify
from flask_openapi3.models.info import Info
from flask_openapi3.models.server import Server
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

PREFIX = "/api/v1"
VERSION = "1.0.0"

SECURITY_SCHEMES: dict[str, Any] = {
    "api_key": {"type": "http", "scheme": "bearer", "description": "An API key, made by POST /api-keys."},
    "oauth": {
        "type": "oauth2",
        "description": "OAuth 2.0 client credentials: an API key's id and secret are the client's.",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}},
    },
}


class FieldProblem(BaseModel):
    """What is wrong with one field of the input."""

    field: str = Field(description="Path of the field, such as lines[0].quantity")
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """A refusal or a fault, as RFC 9457 describes one."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong and how to mend it, in the reader's language")
    code: str = Field(description="Stable name of the refusal, such as quote.expired")
    errors: list[FieldProblem]
    request_id: str


class ApiApplication(OpenAPI):
    """Flask, with models for what comes in and goes out."""

    def __init__(self, import_name: str, **options: Any) -> None:
        super().__init__(
            import_name,
            info=Info(
                title="Park technology marketplace",
                version=VERSION,
                description="Parks rent subsidised technology services. Money is in whole fen; times carry an offset.",
            ),
            security_schemes=SECURITY_SCHEMES,
            servers=[Server(url="/")],
            doc_ui=False,
            validation_error_model=ProblemDocument,
            validation_error_callback=refuse,
            **options,
        )
        self.url_map.merge_slashes = False  # an address with two slashes is no other address
        self.add_url_rule(f"{PREFIX}/openapi.json", "openapi", self._show)

    def generate_spec_json(self) -> None:
        """Make the document. A parameter that is an object has a name in brackets for each of its parts."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]  # the library gives it no types
        for calls in self.spec_json["paths"].values():
            for each in calls.values():
                for parameter in each.get("parameters", ()):
                    if parameter["in"] == "query" and parameter["schema"].get("type") == "object":
                        parameter |= {"style": "deepObject", "explode": True}

    def _show(self) -> Response:
        """Show the document."""
        return jsonify(self.api_doc)


def refuse(error: ValidationError) -> NoReturn:
    """Refuse input that does not fit its model, field by field; raises Invalid."""
    raise Invalid(
        "request.invalid",
        msg("输入有误。请按各字段的说明更正后重试。"),
        errors=[_field_error(each) for each in error.errors(include_url=False, include_input=False)],
    ) from error


def _field_error(found: ErrorDetails) -> FieldError:
    path = ""
    for step in found["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return FieldError(path.removeprefix(".")[:200], f"field.{found['type']}", _text(found))


def _text(found: ErrorDetails) -> Message:
    """Return the sentence for pydantic's finding; its own English one where a common one does not fit."""
    bounds = found.get("ctx", {})
    known = {
        "missing": msg("必须填写"),
        "extra_forbidden": msg("没有这个字段，请删除"),
        "string_type": msg("须为文字"),
        "int_type": msg("须为整数"),
        "int_from_float": msg("须为整数"),
        "bool_type": msg("须为 true 或 false"),
        "string_too_short": msg("至少 {least} 个字符", least=bounds.get("min_length")),
        "string_too_long": msg("至多 {most} 个字符", most=bounds.get("max_length")),
        "string_pattern_mismatch": msg("格式不符"),
        "greater_than_equal": msg("不得小于 {least}", least=bounds.get("ge")),
        "less_than_equal": msg("不得大于 {most}", most=bounds.get("le")),
        "enum": msg("须为以下之一：{expected}", expected=bounds.get("expected")),
        "literal_error": msg("须为以下之一：{expected}", expected=bounds.get("expected")),
        "model_type": msg("须为 JSON 对象"),
        "dict_type": msg("须为 JSON 对象"),
        "list_type": msg("须为 JSON 数组"),
        "too_short": msg("至少 {least} 项", least=bounds.get("min_length")),
        "too_long": msg("至多 {most} 项", most=bounds.get("max_length")),
        "uuid_parsing": msg("须为有效的编号"),
    }
    return known.get(found["type"]) or msg("取值无效：{reason}", reason=found["msg"])
