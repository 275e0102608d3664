"""Expected refusals, by kind. Each has a stable code, a sentence that names the remedy, and the fields it is about.

A kind says what sort of refusal it is, not how a door shows it: only the API knows HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from tenants.kernel.messages import Message


class Kind(StrEnum):
    """What sort of refusal a Problem is."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field. ``field`` is its path in the input, such as ``lines[0].quantity``."""

    field: str
    code: str
    message: Message


class Problem(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """A refusal a person can act on."""

    kind: ClassVar[Kind]

    def __init__(self, code: str, message: Message, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(code, str(message))
        self.code = code
        self.message = message
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Keep a Problem whole when it crosses from an engine's child process."""
        return _restore, (type(self), self.code, self.message, self.errors)


def _restore(kind: type[Problem], code: str, message: Message, errors: tuple[FieldError, ...]) -> Problem:
    return kind(code, message, errors=errors)


class Invalid(Problem):
    """The input is wrong; the fields say where."""

    kind = Kind.INVALID


class Unauthenticated(Problem):
    """Nobody, or nobody valid, has signed in."""

    kind = Kind.UNAUTHENTICATED


class NotAllowed(Problem):
    """The acting person may not do this."""

    kind = Kind.NOT_ALLOWED


class NotFound(Problem):
    """No such thing, or none that the acting person may know of."""

    kind = Kind.NOT_FOUND


class Conflict(Problem):
    """The thing is not, or no longer, in a state that allows this."""

    kind = Kind.CONFLICT


class TooLarge(Problem):
    """More than the platform takes at once."""

    kind = Kind.TOO_LARGE


class TooMany(Problem):
    """Too many tries in a short time; ``retry_after`` is the number of seconds until there may be another."""

    kind = Kind.TOO_MANY

    def __init__(self, code: str, message: Message, *, errors: Sequence[FieldError] = (), retry_after: int = 0) -> None:
        super().__init__(code, message, errors=errors)
        self.retry_after = retry_after


class Unavailable(Problem):
    """Something the platform needs does not answer; nothing was done, and trying again later may work."""

    kind = Kind.UNAVAILABLE
