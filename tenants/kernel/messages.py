"""Texts for people, kept as a template and its values until a door knows the reader's language.

The template is the Chinese sentence itself and the key of the translation catalogues; rules and use cases can
therefore explain themselves without knowing a web framework or a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """A sentence for a person: a Chinese template with ``{named}`` places, and the values for them."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the Chinese sentence."""
        return self.render(self.template)

    def render(self, template: str) -> str:
        """Fill the values into ``template``, the sentence in the reader's language."""
        return template.format(**self.values) if self.values else template


def msg(template: str, /, **values: object) -> Message:
    """Return a Message. ``msg("...")`` is what the catalogue extractor looks for, so the template must be a literal."""
    return Message(template, values)


def stored_values(message: Message) -> dict[str, object]:
    """Return the values of a message as JSON: numbers and texts, and messages among them with values of their own."""
    return {
        name: {"template": value.template, "values": stored_values(value)}
        if isinstance(value, Message)
        else value
        if isinstance(value, int)
        else str(value)
        for name, value in message.values.items()
    }


def from_stored(template: str, values: Mapping[str, Any]) -> Message:
    """Return the message whose values ``stored_values`` gave."""
    return Message(
        template,
        {
            name: from_stored(value["template"], value["values"]) if isinstance(value, dict) else value
            for name, value in values.items()
        },
    )
