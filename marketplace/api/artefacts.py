"""Artefacts: files that parks bring and that are delivered to them, each with its SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from flask import Response, request
from pydantic import Field

from marketplace.api.calls import call, file_body, noun, show
from marketplace.api.fields import Answer, ById, Moment, Parameters
from marketplace.doors.current import current_market
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import MIB, NUL, takes_files
from services.usecases import artefacts as use_cases
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

artefacts = noun("artefacts", "Files that come in and go out.")


class Artefact(Answer):
    """A file without its bytes; ``url`` is where they are."""

    id: UUID
    kind: str
    source_id: UUID | None
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: Moment
    url: str

    @classmethod
    def of(cls, view: object) -> Artefact:
        """Return the answer that shows ``view``, an ArtefactView."""
        assert isinstance(view, use_cases.ArtefactView)  # noqa: S101 - for the type checker
        return cls(**vars(view), url=f"/api/v1/artefacts/{view.id}")


class Artefacts(Answer):
    """Files."""

    items: list[Artefact]
    next_cursor: str | None = None


@dataclass(frozen=True)
class SentFile:
    """A file as it came, in a form or as the body itself."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The hash that tells one file from another."""
        return hashlib.sha256(self.content).hexdigest()


def sent_file(field: str = "file") -> SentFile:
    """Return the file of the request: the form's ``field``, else the raw body.

    Raises Invalid when a form carries no such file, or its name cannot be kept.
    """
    if request.mimetype == "multipart/form-data":
        given = request.files.get(field)
        if given is None:
            missing = msg("请在表单中以 {field} 附上文件。", field=field)
            raise Invalid("artefact.missing", missing, errors=[FieldError(field, "artefact.missing", missing)])
        name, kind, content = given.filename or "", given.mimetype, given.stream.read()
    else:
        name, kind, content = request.args.get("name", ""), request.mimetype, request.get_data(cache=False)
    if NUL in name or NUL in kind:
        raise Invalid("request.nul", msg("输入含有不可用的空字符。请删除后重试。"))
    return SentFile(name or "upload.bin", kind or "application/octet-stream", content)


def download(name: str, media_type: str, content: bytes, *, sha256: str | None = None) -> Response:
    """Return a file to be saved, never shown as a page of ours."""
    response = Response(content, mimetype=media_type)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    if sha256 is not None:
        response.headers["ETag"] = f'"{sha256}"'
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
    return response


RAW_UPLOAD: dict[str, Any] = file_body("application/octet-stream", "application/pdf", "text/csv")
"""A body that is a file: in a form, or by itself with ``?name=``."""


class UploadParameters(Parameters):
    """The file's name, when the body is the file itself."""

    name: str | None = Field(None, max_length=200)


@artefacts.post("/artefacts", **call(Artefact, status=201), **RAW_UPLOAD)
@takes_files
def upload(query: UploadParameters) -> Response:  # noqa: ARG001 - documented here, read with the file
    """Bring a file: in a form, or as the body with its name in ?name=."""
    bearer_actor()
    sent = sent_file()  # before the transaction: a slow line must not keep a connection of the database
    most = current_market().settings.max_upload_mib * MIB
    with working() as work:
        kept = use_cases.upload(work, name=sent.name, media_type=sent.media_type, content=sent.content, most_bytes=most)
        return show(Artefact.of(kept), 201)


@artefacts.get("/artefacts/<id>", **call(files=["*/*"]))
def open_artefact(path: ById) -> Response:
    """Download a file."""
    with working() as work:
        found = use_cases.open_artefact(work, artefact_id=path.id)
    return download(found.view.name, found.view.media_type, found.content, sha256=found.view.sha256)
