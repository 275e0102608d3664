"""Texts for people, kept as a template and its values until a door knows the reader's language.

The template is the Chinese sentence itself and the key of the translation catalogues; rules and use cases can
therefore explain themselves without knowing a web framework or a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
