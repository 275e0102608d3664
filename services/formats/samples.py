"""The request for tests of submitted samples: which samples, which tests, and the request it is a retest of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.formats.documents import Document, read_document
from services.rules.samples import MOST_SAMPLES, MOST_TESTS

Text = Annotated[str, Field(min_length=1, max_length=100)]


class SampleDocument(Document):
    """A sample as the park calls it, and what it is of."""

    name: Text
    material: Annotated[str, Field(max_length=100)] = ""


class SamplesDocument(Document):
    """Tests of samples as a park asks for them. Every test is done on every sample.

    A retest names the request it repeats; without samples or tests of its own it takes those.
    """

    samples: Annotated[tuple[SampleDocument, ...], Field(max_length=MOST_SAMPLES)] = ()
    tests: Annotated[tuple[Text, ...], Field(max_length=MOST_TESTS)] = ()
    retest_of: UUID | None = None
    reason: Annotated[str, Field(max_length=500)] = ""


def read_samples(given: Mapping[str, Any], *, where: str = "request") -> SamplesDocument:
    """Return the request; Invalid ``samples.invalid`` names every wrong field."""
    return read_document(SamplesDocument, given, where=where, code="samples.invalid")


def samples_document(asked: SamplesDocument) -> dict[str, Any]:
    """Return the request in its full form."""
    return asked.model_dump(mode="json")
