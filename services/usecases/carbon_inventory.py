"""A site's year as the ledger has it now: by heading and month, by both methods, with what is missing named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.rules.carbon.inventory import Inventory, months_of, take_inventory
from services.rules.carbon.records import Category
from services.usecases import sites
from services.usecases.carbon_certificates import CertificateView, site_certificates
from services.usecases.carbon_records import RecordView, all_records, standing_views
from services.usecases.sites import SiteView
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import local_day

EARLIEST_YEAR = 2000


@dataclass(frozen=True)
class InventoryView:
    """A year's inventory and what it stands on. ``missing`` are the past months without any bought electricity."""

    site: SiteView
    inventory: Inventory
    records: tuple[RecordView, ...]
    """All that touch the year, replaced ones too, in the order in which they were written."""
    certificates: tuple[CertificateView, ...]
    missing: tuple[date, ...]

    @property
    def standing(self) -> tuple[RecordView, ...]:
        """Return the records that count."""
        return standing_views(self.records)

    @property
    def without_evidence(self) -> int:
        """Return how many of the records that count have no file behind them."""
        return sum(record.evidence_sha256 is None for record in self.standing)


def read_inventory(work: Work, *, site_id: UUID, year: int) -> InventoryView:
    """Take the inventory of a year. Raises NotFound for another park's site, Invalid at ``year``."""
    work.actor.require(Permission.READ_CARBON)
    today = local_day(work.now)
    if not EARLIEST_YEAR <= year <= today.year:
        text = msg("年份须在 {first} 至 {last} 之间。", first=EARLIEST_YEAR, last=today.year)
        raise Invalid("carbon.year", text, errors=[FieldError("year", "carbon.year", text)])
    site = sites.read_site(work, site_id=site_id)
    touching = tuple(
        record
        for record in all_records(work, site_id)
        if record.starts_on < date(year + 1, 1, 1) and record.ends_on > date(year, 1, 1)
    )
    certificates = site_certificates(work, site_id)
    standing = [view.record for view in standing_views(touching)]
    covered = {month for each in standing if each.category is Category.ELECTRICITY for month, _days in months_of(each)}
    past = [date(year, month, 1) for month in range(1, 13) if date(year, month, 1) < today.replace(day=1)]
    return InventoryView(
        site=site,
        inventory=take_inventory(year, standing, [view.certificate for view in certificates]),
        records=touching,
        certificates=certificates,
        missing=tuple(month for month in past if month not in covered),
    )


def recorded_years(work: Work, *, site_id: UUID) -> tuple[int, ...]:
    """Return the years that a site's records touch, the latest first."""
    work.actor.require(Permission.READ_CARBON)
    years = {
        month.year for view in standing_views(all_records(work, site_id)) for month, _days in months_of(view.record)
    }
    return tuple(sorted(years, reverse=True))
