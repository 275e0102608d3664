"""The request for a standing service: for which site, from which month, for how many months."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.formats.documents import Document, read_document
from services.rules.site_months import MOST_MONTHS


class SiteMonthDocument(Document):
    """A standing service as a park asks for it. ``month`` is ``YYYY-MM``, None for the running one.

    ``months`` is for how many months in a row, None for until it is stopped; each is ordered by itself when it begins.
    """

    site_id: UUID
    month: Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")] | None = None
    months: Annotated[int, Field(ge=1, le=MOST_MONTHS, strict=True)] | None = 1

    def first_month(self, running: date) -> date:
        """Return the first day of the month that is asked for, ``running`` when none is named."""
        return running if self.month is None else date.fromisoformat(f"{self.month}-01")


def read_site_month(given: Mapping[str, Any], *, where: str = "request") -> SiteMonthDocument:
    """Return the request; Invalid ``site_month.invalid`` names every wrong field."""
    return read_document(SiteMonthDocument, given, where=where, code="site_month.invalid")


def site_month_document(asked: SiteMonthDocument, month: date) -> dict[str, Any]:
    """Return the request in its full form, with the month it begins in."""
    return {"site_id": str(asked.site_id), "month": f"{month:%Y-%m}", "months": asked.months}
