"""Kinds of field that several documents share."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from billing.rules.conditions import Fact, Scalar
from billing.rules.money import MAX_FEN, WHOLE_BP

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,18}(\.\d{1,12})?", re.ASCII)
_YEARS = range(1900, 9000)
"""Years in which a zone, a month or a cap year never leaves the calendar."""
_PATH = re.compile(r"\$(\.[^.\[\]\s$]{1,64}){1,8}")


def parse_day(value: object) -> date:
    """Return the day written ``YYYY-MM-DD``."""
    day = _day(value)
    if day is None:
        raise PydanticCustomError("field.date", "not a date")
    return day


def parse_instant(value: object) -> datetime:
    """Return a moment in RFC 3339 with an offset, as UTC; finer than a microsecond is cut off."""
    if isinstance(value, str) and _MOMENT.fullmatch(value) and int(value[:4]) in _YEARS:
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except ValueError:
            pass
    raise PydanticCustomError("field.moment", "not a moment")


def parse_moment(value: object) -> date | datetime:
    """Return a plain day, or a moment with an offset as UTC."""
    return _day(value) or parse_instant(value)


def _day(value: object) -> date | None:
    if isinstance(value, str) and _DAY.fullmatch(value) and int(value[:4]) in _YEARS:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    return None


def parse_timezone(value: object) -> str:
    """Return the name of a time zone that exists."""
    if isinstance(value, str) and value.isprintable() and not value.startswith(("/", ".")):
        try:
            return ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise PydanticCustomError("field.timezone", "no such zone")


def parse_decimal(value: object) -> Decimal:
    """Return the number in a decimal string; whole numbers may come without quotes."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    raise PydanticCustomError("field.decimal", "not a decimal")


def parse_number(value: object) -> Decimal | None:
    """Return a finite number of an event as an exact decimal, or None: a JSON number or a decimal string.

    At most 18 digits before the point and 12 after it; what is finer or larger is no quantity of ours.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        return None
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 18:
        return None
    return number if _DECIMAL.fullmatch(f"{number:f}") else None


def parse_scalar(value: object) -> Scalar:
    """Return a fact's single value; fractions become exact."""
    if isinstance(value, str | int | Decimal):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    raise PydanticCustomError("field.fact", "not a scalar")


def parse_fact(value: object) -> Fact:
    """Return a fact: a single value, a list of them, or null for a fact nobody knows."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return tuple(parse_scalar(member) for member in value)
    return parse_scalar(value)


def parse_path(value: object) -> str:
    """Return a path into an event's data, such as ``$.device.hours``."""
    if isinstance(value, str) and _PATH.fullmatch(value):
        return value
    raise PydanticCustomError("field.path", "not a path")


Fen = Annotated[int, Field(ge=0, le=MAX_FEN)]
BasisPoints = Annotated[int, Field(ge=0, le=WHOLE_BP)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Day = Annotated[date, BeforeValidator(parse_day)]
Moment = Annotated[object, BeforeValidator(parse_moment)]
Timezone = Annotated[str, BeforeValidator(parse_timezone)]
Number = Annotated[Decimal, BeforeValidator(parse_decimal)]
Amount = Annotated[Decimal, BeforeValidator(parse_decimal), Field(ge=0)]
Path = Annotated[str, BeforeValidator(parse_path)]
