"""A fund's register to be saved as a file."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from billing.store import fund_queries
from billing.store.fund_queries import EntryFilter
from billing.usecases.fund_views import FundEntryView, entry_view, find_fund
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST_ROWS = 100_000


@dataclass(frozen=True)
class Register:
    """A fund's code, and its movements, newest first."""

    slug: str
    entries: tuple[FundEntryView, ...]


def export_register(work: Work, *, fund_id: UUID, wanted: EntryFilter) -> Register:
    """Return the movements of a fund that are wanted, all of them. Invalid for more than one file takes."""
    work.actor.require(Permission.READ_FUND)
    fund = find_fund(work, fund_id)
    rows = fund_queries.entry_page(work.session, fund_id, wanted, None, MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        message = msg("流水超过 {most} 行，一个文件放不下。请缩小起止日期。", most=MOST_ROWS)
        raise Invalid("fund.register_too_long", message, errors=[FieldError("from", "fund.register_too_long", message)])
    audit.record(work, "fund.export_register", "fund", fund_id, rows=len(rows))
    return Register(fund.slug, tuple(entry_view(row) for row in rows))
