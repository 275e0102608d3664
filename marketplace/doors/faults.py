"""How refusals and faults are answered: problem documents for programs, and never a word of the program's inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from flask import Flask, Response, current_app, g, jsonify, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from marketplace.doors.language import reader_language
from marketplace.doors.logs import logger
from marketplace.doors.problems import MEDIA_TYPE, STATUS, document_of, problem_document
from marketplace.doors.requests import too_large
from tenants.kernel.errors import Kind, Problem, TooMany, Unavailable
from tenants.kernel.messages import Message, msg

RETRY_SECONDS = "5"
"""When a caller may try again after the database did not answer."""

_PAGE = "marketplace_problem_page"
_MACHINE_PATHS = ("/api/", "/oauth/", "/healthz", "/readyz", "/metrics")
_log = logger(__name__)
_HTTP_TEXTS = {
    404: ("path.not_found", msg("没有这个地址。请核对网址。")),
    405: ("method.not_allowed", msg("此地址不支持该请求方法。请查阅接口文档。")),
}


def answer_faults(app: Flask) -> None:
    """Answer everything that views raise with problem documents, or with pages (see ``show_pages_with``)."""
    app.register_error_handler(Problem, answer_problem)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(PoolTimeout, _database)
    app.register_error_handler(Exception, _unexpected)


@dataclass(frozen=True)
class FaultPages:
    """How faults are shown as pages: ``meet`` looks who is reading (given the status), ``render`` shows the document."""

    meet: Callable[[int], None]
    render: Callable[[dict[str, Any]], Response]


def show_pages_with(app: Flask, pages: FaultPages) -> None:
    """Let ``pages`` show the problem documents of everything outside the API."""
    app.extensions[_PAGE] = pages


def problem_of(error: Exception) -> Problem | None:
    """Return the refusal that ``error`` amounts to, or None when it is a fault of the program."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestEntityTooLarge):
        return too_large(request.max_content_length)
    if isinstance(error, PoolTimeout) or (
        isinstance(error, DBAPIError) and isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    ):
        return Unavailable("database.unavailable", msg("系统繁忙或正在维护，未做任何更改。请稍后重试。"))
    return None


def answer_problem(problem: Problem) -> Response:
    """Return ``problem`` as its document, with the headers that belong to its kind."""
    response = _document(STATUS[problem.kind], partial(problem_document, problem))
    if problem.kind is Kind.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="marketplace"'
    if isinstance(problem, TooMany):
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.kind is Kind.UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_SECONDS
    return response


def _http(error: HTTPException) -> Any:
    """Answer what Flask itself refuses: unknown paths, wrong methods, redirects."""
    problem = problem_of(error)
    if problem is not None:
        return answer_problem(problem)
    if error.response is not None or error.code is None or error.code < 400:
        return error
    code, message = _HTTP_TEXTS.get(error.code, ("request.bad", msg("请求无法识别。请查阅接口文档后重试。")))
    response = _document(error.code, partial(document_of, error.code, code, message))
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            response.headers[name] = value
    return response


def _database(error: Exception) -> Response:
    problem = problem_of(error)
    if problem is None:
        return _unexpected(error)
    _log.error("database unavailable", reason=type(getattr(error, "orig", error)).__name__)
    return answer_problem(problem)


def _unexpected(error: Exception) -> Response:
    """Answer a fault of the program: the log gets it whole, the caller a number to ask with."""
    _log.error("unexpected fault", exc_info=error)
    return _document(500, partial(document_of, 500, "internal", fault_message()))


def fault_message() -> Message:
    """Return what a person is told of a fault of the program."""
    return msg(
        "系统内部出错，已记录。请稍后重试；若仍失败，请联系平台并提供编号 {request_id}。", request_id=g.request_id
    )


def _document(status: int, write: Callable[[str], dict[str, Any]]) -> Response:
    """Return what ``write`` says in the reader's language; of a page it must first be known who reads it."""
    pages: FaultPages | None = current_app.extensions.get(_PAGE)
    if request.path.startswith(_MACHINE_PATHS):
        pages = None
    if pages is not None:
        pages.meet(status)
    document = write(reader_language()) | {"request_id": g.request_id}
    if pages is not None:
        response = pages.render(document)
    else:
        response = jsonify(document)
        response.mimetype = MEDIA_TYPE
    response.status_code = status
    return response
