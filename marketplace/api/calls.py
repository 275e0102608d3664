"""What every call has in common: its documented answers, and commands that are carried out once per key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Response, jsonify
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from marketplace.api.document import PREFIX, ProblemDocument
from marketplace.api.fields import Answer, Body, Idempotent
from marketplace.doors.identity import working
from marketplace.doors.problems import MEDIA_TYPE
from tenants.kernel.idempotency import once
from tenants.kernel.work import Work

A = TypeVar("A", bound=Answer)

_PROBLEMS = {
    401: "Nobody valid has signed in.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    409: "The thing is not in a state that allows this.",
    413: "The body is larger than the platform takes.",
    422: "The input is wrong; errors says where.",
    500: "The program is at fault; request_id names the log's line.",
    503: "The database does not answer; nothing was done.",
}
_OPEN = (413, 422, 500, 503)
_KNOWN = (401, 403, 404, 409, *_OPEN)


def noun(name: str, sentence: str) -> APIBlueprint:
    """Return the blueprint of one noun of the API."""
    return APIBlueprint(
        f"api_{name}",
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=sentence)],
        operation_id_callback=_operation_id,
    )


def call(
    answer: type[BaseModel] | None = None,
    *,
    status: int = 200,
    files: Iterable[str] = (),
    open_to_all: bool = False,
    conflicts: bool = False,
    missing: bool = False,
) -> dict[str, Any]:
    """Return the documented answers of a call, and who may make it.

    ``files`` are the media types of a call that answers with a file; no answer and no files means an empty answer.
    ``conflicts`` says that a call which is open to all may meet a conflict, ``missing`` that it may find nothing.
    """
    refusals = (_OPEN + ((409,) if conflicts else ()) + ((404,) if missing else ())) if open_to_all else _KNOWN
    responses: dict[int, Any] = {each: _problem(each) for each in refusals}
    kinds = list(files)
    if kinds:
        binary = {"type": "string", "format": "binary"}
        content = {kind: {"schema": {"type": "object"} if kind.endswith("json") else binary} for kind in kinds}
        responses[status] = {"description": "The file", "content": content}
    else:
        responses[status] = answer
    security: list[dict[str, list[str]]] = [] if open_to_all else [{"api_key": []}, {"oauth": []}]
    return {"responses": dict(sorted(responses.items())), "security": security}


def file_body(*kinds: str) -> dict[str, Any]:
    """Return the documented body of a call that takes a file: in a form, or as the body, of one of ``kinds``."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    content = {"multipart/form-data": {"schema": form}} | {kind: {"schema": binary} for kind in kinds}
    return {"openapi_extensions": {"requestBody": {"required": True, "content": content}}}


def read(answer: type[A], use_case: Callable[[Work], object]) -> Response:
    """Answer with what ``use_case`` returns to the caller."""
    with working() as work:
        return show(answer.of(use_case(work)))


def command(
    name: str,
    header: Idempotent,
    body: Body | None,
    carry_out: Callable[[Work], Answer],
    *,
    status: int = 200,
    about: dict[str, Any] | None = None,
) -> Response:
    """Carry out a command in one transaction, once for each Idempotency-Key, and answer with what it gave.

    ``about`` is what the path says of the command's input, beside ``body``.
    """
    given = {"path": about or {}, "body": None if body is None else body.model_dump(mode="json")}
    with working() as work:
        document = once(work, header.key, name, given, lambda: carry_out(work).model_dump(mode="json"))
    response = jsonify(document)
    response.status_code = status
    return response


def show(answer: BaseModel, status: int = 200) -> Response:
    """Return ``answer`` as JSON."""
    return Response(answer.model_dump_json(by_alias=True), status=status, mimetype="application/json")


def _problem(status: int) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": reference}}}


def _operation_id(*, name: str, path: str, method: str) -> str:  # noqa: ARG001 - flask-openapi3 names them
    return name
