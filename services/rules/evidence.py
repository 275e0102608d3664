"""What a report's sentences stand on: facts with an id, and sentences that name the facts they were made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

TEMPLATE, LANGUAGE_MODEL = "template", "language_model"
"""Who worded a pitch."""


@dataclass(frozen=True)
class Fact:
    """A value of a row: ``about`` is a company's credit code, or what else the value is of."""

    id: str
    about: str
    field: str
    value: str
    as_of: date


@dataclass(frozen=True)
class Statement:
    """A sentence that ends with a full stop, and the facts that hold all that it says."""

    text: str
    facts: tuple[Fact, ...]

    @property
    def marked(self) -> str:
        """The sentence with the ids of its facts before its full stop."""
        return marked(self.text, (fact.id for fact in self.facts))


@dataclass
class Ledger:
    """Numbers facts E1, E2, … in the order in which they are first needed; the same fact keeps its id."""

    _facts: dict[tuple[str, str, str, date], Fact] = field(default_factory=dict)

    def fact(self, about: str, name: str, value: str, as_of: date) -> Fact:
        """Return the fact, with the id that it has or the next one."""
        key = (about, name, value, as_of)
        return self._facts.setdefault(key, Fact(f"E{len(self._facts) + 1}", *key))

    def facts(self) -> tuple[Fact, ...]:
        """Return all facts in the order of their ids."""
        return tuple(self._facts.values())


def marked(text: str, ids: Iterable[str]) -> str:
    """Return a sentence with the ids of what it stands on."""
    told = "、".join(dict.fromkeys(ids))
    return f"{text.removesuffix('。')}〔{told}〕{'。' if text.endswith('。') else ''}" if told else text
