"""Problem documents (RFC 9457): how a refusal looks from outside, in HTTP and on the console."""

from __future__ import annotations

from typing import Any

from marketplace.doors.texts import translate
from tenants.kernel.errors import Kind, Problem
from tenants.kernel.messages import Message, msg

MEDIA_TYPE = "application/problem+json"

STATUS = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.NOT_ALLOWED: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
"""HTTP status of each kind of refusal."""

TITLES = {
    400: msg("请求无法识别"),
    401: msg("需要登录"),
    403: msg("没有权限"),
    404: msg("没有找到"),
    405: msg("不支持的请求方法"),
    409: msg("与当前状态冲突"),
    413: msg("内容过大"),
    422: msg("输入有误"),
    429: msg("尝试过于频繁"),
    500: msg("系统出错"),
    503: msg("服务暂不可用"),
}
"""Short title of each status."""


def problem_document(problem: Problem, language: str) -> dict[str, Any]:
    """Return ``problem`` as ``{type, title, status, detail, code, errors: [{field, code, detail}]}``."""
    document = document_of(STATUS[problem.kind], problem.code, problem.message, language)
    document["errors"] = [
        {"field": error.field, "code": error.code, "detail": translate(error.message, language)}
        for error in problem.errors
    ]
    return document


def document_of(status: int, code: str, message: Message, language: str) -> dict[str, Any]:
    """Return the problem document of a refusal that is no Problem, such as an unknown path."""
    return {
        "type": f"urn:problem:{code}",
        "title": translate(TITLES.get(status, TITLES[400]), language),
        "status": status,
        "detail": translate(message, language),
        "code": code,
        "errors": [],
    }
