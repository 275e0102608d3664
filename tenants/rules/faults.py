"""Checks whose faults are told together: a person who fills a form in learns of every field at once."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

P = ParamSpec("P")
T = TypeVar("T")


class Faults:
    """Collects the faults of several fields; leaving its ``with`` block raises them as one Invalid."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def take(self, field: str, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``check`` returns. When it refuses, keep that under ``field``; the value is then never used,
        because the block ends in Invalid.
        """
        try:
            return check(*args, **kwargs)
        except Invalid as problem:
            self._errors.append(FieldError(field, problem.code, problem.message))
            return cast("T", None)

    def add(self, field: str, code: str, message: Message) -> None:
        """Keep a fault of ``field``."""
        self._errors.append(FieldError(field, code, message))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.refuse()

    def refuse(self) -> None:
        """Raise Invalid when anything was found: with the fault's own code when it is the only one."""
        if len(self._errors) == 1:
            only = self._errors[0]
            raise Invalid(only.code, only.message, errors=self._errors)
        if self._errors:
            message = msg("有 {count} 项填写有误。请按各项提示改正后重新提交。", count=len(self._errors))
            raise Invalid("input.invalid", message, errors=self._errors)
