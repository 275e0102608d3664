"""The request for an inspection: which instrument, from when, for how many slots, what for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.formats.documents import Document, read_document
from services.rules.slots import MOST_SLOTS
from tenants.kernel.clock import CHINA


class InspectionDocument(Document):
    """An inspection as a park asks for it; ``starts_at`` is RFC 3339 with an offset."""

    instrument_id: UUID
    starts_at: AwareDatetime
    slots: Annotated[int, Field(ge=1, le=MOST_SLOTS, strict=True)] = 1
    purpose: Annotated[str, Field(min_length=1, max_length=500)]
    series_id: UUID | None = None
    """The series that it is an occurrence of."""
    responsible_id: UUID | None = None
    """Who of the park will use the instrument; the person who orders where nobody is named."""


def read_inspection(given: Mapping[str, Any], *, where: str = "request") -> InspectionDocument:
    """Return the request; Invalid ``inspection.invalid`` names every wrong field."""
    return read_document(InspectionDocument, given, where=where, code="inspection.invalid")


def inspection_document(asked: InspectionDocument, starts_at: datetime) -> dict[str, Any]:
    """Return the request in its full form, with the time as it is read in China."""
    full = {
        "instrument_id": str(asked.instrument_id),
        "starts_at": starts_at.astimezone(CHINA).isoformat(),
        "slots": asked.slots,
        "purpose": asked.purpose,
    }
    named = {"series_id": asked.series_id, "responsible_id": asked.responsible_id}
    return full | {name: str(value) for name, value in named.items() if value is not None}
