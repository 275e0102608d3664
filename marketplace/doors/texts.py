"""Texts in the reader's language: how a Message becomes a sentence. It knows no web framework, the console uses it too.

The Chinese sentence is the key of the catalogues, so a missing translation shows Chinese and nothing breaks. The
catalogues are read from their sources (``.po``) at start: there is no compiled file that could be out of date.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from tenants.kernel.messages import Message

CHINESE = "zh"
ENGLISH = "en"
LANGUAGES = (CHINESE, ENGLISH)
"""The languages of the interface; the first is the language of the texts in the code."""

_FOLDER = Path(__file__).parent.parent / "translations"


@cache
def catalogue(language: str) -> NullTranslations:
    """Return the sentences of ``language``; without a catalogue every sentence stays Chinese."""
    source = _FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not source.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(fp=compiled)


def translate(message: Message, language: str) -> str:
    """Return ``message`` as a sentence in ``language``, values that are messages included.

    A translation whose places do not fit the values is worth less than the Chinese sentence, which is shown then.
    """
    values = {
        name: translate(value, language) if isinstance(value, Message) else value
        for name, value in message.values.items()
    }
    whole = Message(message.template, values)
    translated = catalogue(language).gettext(message.template)
    try:
        return whole.render(translated)
    except (KeyError, IndexError, ValueError):
        return str(whole)
