"""A refused form is shown again: what is wrong stands at its field, and what was typed is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marketplace.doors.language import reader_language
from marketplace.doors.problems import STATUS
from marketplace.doors.texts import translate
from tenants.kernel.errors import Kind, Problem

SHOWN_IN_FORM = {Kind.INVALID, Kind.CONFLICT, Kind.TOO_LARGE, Kind.TOO_MANY, Kind.UNAUTHENTICATED}
"""Refusals that a person mends in the form itself; the others get a page of their own."""


@dataclass(frozen=True)
class Refusal:
    """Why a form was refused, in the reader's language: as a whole, at fields of the form, and elsewhere."""

    code: str
    detail: str
    status: int
    fields: dict[str, str]
    others: tuple[tuple[str, str], ...]

    def at(self, name: str) -> str | None:
        """Return what is wrong with one field."""
        return self.fields.get(name)


def _same(path: str) -> str | None:
    return path


def refusal_of(problem: Problem, place: Callable[[str], str | None] = _same) -> Refusal:
    """Return ``problem`` for showing in its form; one that no form can mend is raised again.

    ``place`` says which field of the form a path of the input belongs to, None for none.
    """
    if problem.kind not in SHOWN_IN_FORM:
        raise problem
    language = reader_language()
    fields: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for error in problem.errors:
        name = place(error.field)
        text = translate(error.message, language)
        if name is None:
            others.append((error.field, text))
        else:
            fields[name] = f"{fields[name]} {text}" if name in fields else text
    return Refusal(problem.code, translate(problem.message, language), STATUS[problem.kind], fields, tuple(others))
