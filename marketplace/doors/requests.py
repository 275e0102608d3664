"""Around every request: its id, its log line, its figures, its limits and the headers that keep browsers strict."""

from __future__ import annotations

import re
import time
from typing import IO, Any

import structlog
from flask import Flask, Request, Response, g, request
from pydantic_core import from_json
from werkzeug.exceptions import RequestEntityTooLarge

from marketplace.doors import metrics
from marketplace.doors.logs import logger
from marketplace.doors.problems import STATUS
from tenants.kernel.errors import Invalid, Kind, NotFound, TooLarge
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg

REQUEST_ID = "X-Request-Id"
MIB = 1024 * 1024
DOCUMENT_BYTES = 4 * MIB
"""The largest JSON document or form without a file."""
NUL = "\x00"

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = {"/healthz", "/readyz", "/metrics"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
_log = logger(__name__)


class BoundedRequest(Request):
    """A request whose JSON is read strictly: no NaN, no bottomless nesting, no NUL, no halves of characters."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002 - the base class names them
        """Return the JSON value of the body; Invalid when it is none. Read once, then kept."""
        if "json_value" not in g:
            g.json_value = _parse(self)
        return g.json_value

    def _get_file_stream(self, *arguments: Any, **options: Any) -> IO[bytes]:
        """Return where an uploaded file is written; it is closed with the request even when the upload breaks off."""
        made: IO[bytes] = super()._get_file_stream(*arguments, **options)
        g.setdefault("spools", []).append(made)
        return made

    def get_data(self, *arguments: Any, **options: Any) -> Any:
        """Return the body, whole or not at all: a body of unknown length is not cut off at the limit in silence."""
        found = super().get_data(*arguments, **options)
        limit = self.max_content_length
        if self.content_length is None and limit is not None and len(found) >= limit:
            raise RequestEntityTooLarge
        return found


def surround(app: Flask, *, max_upload_bytes: int) -> None:
    """Put the frame around every request of ``app``."""
    app.request_class = BoundedRequest
    app.before_request(_open)

    def bound() -> None:
        _bound_body(max_upload_bytes)

    app.before_request(bound)
    app.after_request(_close)
    app.teardown_request(_sweep)


def takes_files(view: Any) -> Any:
    """Mark a view that takes a file: its body may be as large as an upload."""
    view.takes_files = True
    return view


def at_secret_address(view: Any) -> Any:
    """Mark a view whose address is a secret: logs name its route only."""
    view.at_secret_address = True
    return view


def _open() -> None:
    given = request.headers.get(REQUEST_ID, "")
    g.request_id = given if _SANE_ID.fullmatch(given) else new_id().hex
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if NUL in request.path:
        raise NotFound("path.not_found", msg("没有这个地址。请核对网址。"))
    if any(NUL in value for _, value in request.args.items(multi=True)):
        raise Invalid("request.nul", msg("输入含有不可用的空字符。请删除后重试。"))


def _bound_body(max_upload_bytes: int) -> None:
    """Refuse a body that is too large before it is read; a body of unknown length is stopped at the limit."""
    view = _app_view()
    limit = max_upload_bytes + MIB if getattr(view, "takes_files", False) else DOCUMENT_BYTES
    request.max_content_length = limit
    if request.content_length is not None and request.content_length > limit:
        raise too_large(limit)


def too_large(limit: int | None) -> TooLarge:
    """Return the refusal of a body above ``limit`` bytes."""
    return TooLarge(
        "request.too_large",
        msg("内容超过 {limit} MiB 的上限。请压缩或拆分后重新上传。", limit=(limit or DOCUMENT_BYTES) // MIB),
    )


def _app_view() -> Any:
    from flask import current_app

    return current_app.view_functions.get(request.endpoint or "")


def _close(response: Response) -> Response:
    response.headers.setdefault(REQUEST_ID, g.request_id)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    if response.status_code == STATUS[Kind.TOO_LARGE]:
        response.headers["Connection"] = "close"
    seconds = time.perf_counter() - g.started
    route = "unmatched" if request.url_rule is None else request.url_rule.rule
    metrics.observe(request.method, route, response.status_code, seconds)
    if request.path not in _QUIET or response.status_code >= 500:
        _log.info(
            "request",
            method=request.method,
            path=route if getattr(_app_view(), "at_secret_address", False) else request.path[:200],
            route=route,
            status=response.status_code,
            duration_ms=round(seconds * 1000, 1),
        )
    return response


def _sweep(_: BaseException | None) -> None:
    for spool in g.pop("spools", ()):
        spool.close()


def _parse(incoming: Request) -> Any:
    if not incoming.is_json:
        raise Invalid("request.not_json", msg("请求内容须为 JSON,并注明 Content-Type: application/json。"))
    body = incoming.get_data(cache=True)
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid(
            "request.not_json", msg("请求内容不是有效的 JSON。请检查格式：{reason}", reason=str(error))
        ) from error
    if b"\\u0000" in body and _holds_nul(value):
        raise Invalid("request.nul", msg("输入含有不可用的空字符。请删除后重试。"))
    return value


def _holds_nul(value: Any) -> bool:
    """Tell whether a NUL stands in any text of ``value``; the parser has bounded its depth."""
    if isinstance(value, str):
        return NUL in value
    if isinstance(value, dict):
        return any(NUL in key or _holds_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
