"""Types of the API's fields: whole fen, texts, ids, instants. They say to a caller what the program would refuse."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from tenants.kernel.errors import NotFound
from tenants.kernel.idempotency import KEPT
from tenants.kernel.messages import msg

LARGEST_FEN = 10**15
"""Ten trillion yuan: above every budget, below what a bigint holds."""
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})")


def _as_written(value: Any) -> Any:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("not an RFC 3339 time with an offset, such as 2026-03-02T09:00:00+08:00")
    return value


def _in_reach(value: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of reach") from error
    if not 1900 <= moment.year <= 2200:
        raise ValueError("a year between 1900 and 2200 is wanted")
    return moment


Fen = Annotated[int, Field(strict=True, ge=0, le=LARGEST_FEN, description="Whole fen")]
"""An amount that comes in."""
Amount = Annotated[int, Field(description="Whole fen")]
"""An amount that goes out."""
Code = Annotated[str, Field(min_length=1, max_length=64)]
Slug = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(max_length=500)]
Period = Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", description="A month, such as 2026-03")]
Document = dict[str, Any]
"""A JSON object whose inside another door checks (a service's request, a policy, a charge)."""
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_as_written),
    AfterValidator(_in_reach),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant that comes in: RFC 3339 with an offset."""
Moment = Annotated[datetime, PlainSerializer(lambda value: value.isoformat().replace("+00:00", "Z"), return_type=str)]
"""An instant that goes out, in UTC."""

Quantity = Annotated[Decimal, PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str)]
"""An exact number that goes out, as a decimal string."""


class Body(BaseModel):
    """A JSON body: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


class SentFile(Body):
    """A file within a JSON body."""

    name: Name
    media_type: Annotated[str, Field(max_length=100)] = "application/octet-stream"
    content: Annotated[Base64Bytes, Field(description="The file's bytes in base64")]


class Answer(BaseModel):
    """What a call answers with, read from the attributes of what the use case returned."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, view: object) -> Self:
        """Return the answer that shows ``view``."""
        return cls.model_validate(view, from_attributes=True)


class Parameters(BaseModel):
    """Parameters of a query or a header. Their description is worked out once, not at every request."""

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return the JSON schema; the one without options, which every request asks for, is kept."""
        if arguments or options:
            return super().model_json_schema(*arguments, **options)
        return _schema_of(cls)


@cache
def _schema_of(model: type[Parameters]) -> dict[str, Any]:
    return super(Parameters, model).model_json_schema()


class PathParameters(BaseModel):
    """The parts of a path. An id that is none names nothing: the answer is "not found"."""

    @model_validator(mode="wrap")
    @classmethod
    def _or_not_found(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise NotFound("path.not_found", msg("没有这个地址。请核对网址。")) from error


class ById(PathParameters):
    """A path with one id."""

    id: UUID


class Paged(Parameters):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500, description="next_cursor of the part before")


class Idempotent(Parameters):
    """The key under which a command is carried out once."""

    key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description=(
            "The same key and body gives the first answer again; the same key with another body is refused. A key is kept"
            f" for {KEPT.days} days."
        ),
    )
