"""Every text of every package has an English translation, and it fills in the same values."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from marketplace.settings import home

ENGLISH = home() / "marketplace/translations/en/LC_MESSAGES/messages.po"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PLACE = re.compile(r"\{(\w*)")


def read(path: Path, locale: str | None = None) -> Catalog:
    """Read a catalogue."""
    with path.open("rb") as file:
        return read_po(file, locale=locale)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """All texts in the code and the templates, gathered as `make translations` does."""
    found = tmp_path_factory.mktemp("texts") / "messages.pot"
    settings = str(home() / "pyproject.toml")
    CommandLineInterface().run(
        ["pybabel", "-q", "extract", "-F", settings, "-k", "msg", "--omit-header", "-o", str(found), str(home())]
    )
    return read(found)


@pytest.fixture(scope="module")
def english() -> dict[str, Message]:
    """The English catalogue by Chinese text."""
    return {str(message.id): message for message in read(ENGLISH, "en") if message.id}


def test_every_text_is_translated_and_no_translation_is_a_guess(texts: Catalog, english: dict[str, Message]) -> None:
    missing = [m.id for m in texts if m.id and not (m.id in english and english[str(m.id)].string)]
    assert not missing, "run `make translations` and translate these"
    assert not [message.id for message in english.values() if message.fuzzy]


def test_the_catalogue_holds_no_text_that_is_gone(texts: Catalog, english: dict[str, Message]) -> None:
    assert not set(english) - {message.id for message in texts}, "run `make translations`"


def test_each_translation_fills_in_the_same_values(english: dict[str, Message]) -> None:
    differing = [
        message.id
        for message in english.values()
        if set(PLACE.findall(str(message.id))) != set(PLACE.findall(str(message.string)))
    ]
    assert not differing


def test_english_texts_are_english(english: dict[str, Message]) -> None:
    allowed = {text for text in english if "交易日期" in text}  # it names the columns as the bank writes them
    assert not [m.string for m in english.values() if CHINESE.search(str(m.string)) and m.id not in allowed]
