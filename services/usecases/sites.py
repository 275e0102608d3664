"""Sites of a park: entered, changed, closed, listed with what is rented for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.catalogue import Delivery
from services.rules.site_months import TAKEN, SiteMonthStatus, working_months
from services.store.sites import Site, SiteMonth
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.usecases import audit

LONGEST_NAME = 100
LARGEST_AREA = 1e8


@dataclass(frozen=True)
class SiteView:
    """A site: degrees north and east, floor area in m² where known. Months count in the zone of parks."""

    id: UUID
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    floor_area_m2: float | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class SiteWish:
    """What a park says of a site."""

    name: str
    address: str = ""
    latitude: float | None = None
    longitude: float | None = None
    floor_area_m2: float | None = None


def add_site(work: Work, *, wish: SiteWish) -> SiteView:
    """Enter a site of the acting park. Raises Invalid for wrong fields, Conflict ``site.name_taken``."""
    work.actor.require(Permission.MANAGE_SITE)
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        **_checked(wish),
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(Site).values(row).on_conflict_do_nothing()):
        raise _name_taken(wish.name)
    audit.record(work, "site.add", "site", row["id"], name=row["name"])
    return read_site(work, site_id=row["id"])


def change_site(work: Work, *, site_id: UUID, wish: SiteWish) -> SiteView:
    """Change what is said of a site; what was rented and measured stays its own."""
    work.actor.require(Permission.MANAGE_SITE)
    tenant_id = work.actor.require_tenant()
    values = _checked(wish)
    other = select(Site.id).where(Site.tenant_id == tenant_id, Site.name == values["name"], Site.id != site_id)
    if work.session.execute(other).first() is not None:
        raise _name_taken(wish.name)
    changed = update(Site).where(Site.tenant_id == tenant_id, Site.id == site_id).values(values)
    if not rows_written(work.session, changed):
        raise site_not_found()
    audit.record(work, "site.change", "site", site_id, name=values["name"])
    return read_site(work, site_id=site_id)


def close_site(work: Work, *, site_id: UUID) -> SiteView:
    """Let nothing more be rented for a site; what is rented goes on to its end. A repeat changes nothing."""
    work.actor.require(Permission.MANAGE_SITE)
    where = (Site.tenant_id == work.actor.require_tenant(), Site.id == site_id)
    if rows_written(work.session, update(Site).where(*where, Site.closed_at.is_(None)).values(closed_at=work.now)):
        audit.record(work, "site.close", "site", site_id)
    return read_site(work, site_id=site_id)


def read_site(work: Work, *, site_id: UUID) -> SiteView:
    """Return a site of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_SITE)
    row = work.session.execute(select(Site).where(Site.id == site_id, *_own(work))).scalar_one_or_none()
    if row is None:
        raise site_not_found()
    return _view(row)


def list_sites(work: Work, *, open_only: bool = False) -> tuple[SiteView, ...]:
    """Return the acting park's sites by name, for staff those of all parks."""
    work.actor.require(Permission.READ_SITE)
    query = select(Site).where(*_own(work)).order_by(Site.name, Site.id)
    if open_only:
        query = query.where(Site.closed_at.is_(None))
    return tuple(map(_view, work.session.execute(query).scalars()))


def name_sites(work: Work, *, site_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return the names of some sites that the transaction may see."""
    work.actor.require(Permission.READ_SITE)
    if not site_ids:
        return {}
    return dict(work.session.execute(select(Site.id, Site.name).where(Site.id.in_(site_ids))).all())


def rented_months(work: Work, *, site_id: UUID) -> dict[str, tuple[date, ...]]:
    """Return the months for which each service is rented, or was delivered, for a site: by delivery, in order."""
    work.actor.require(Permission.READ_SITE)
    query = (
        select(SiteMonth.delivery, SiteMonth.month)
        .where(SiteMonth.site_id == site_id, *_own_months(work), SiteMonth.status.in_(TAKEN))
        .order_by(SiteMonth.delivery, SiteMonth.month)
    )
    found: dict[str, list[date]] = {}
    for delivery, month in work.session.execute(query):
        found.setdefault(delivery, []).append(month)
    return {delivery: tuple(months) for delivery, months in found.items()}


def running_services(work: Work, *, site_id: UUID) -> frozenset[Delivery]:
    """Return the standing services that work for a site now."""
    work.actor.require(Permission.READ_SITE)
    query = select(SiteMonth.delivery).where(
        SiteMonth.site_id == site_id,
        *_own_months(work),
        SiteMonth.month.in_(working_months(work.now)),
        SiteMonth.status.in_((SiteMonthStatus.BOOKED, SiteMonthStatus.DELIVERED)),
    )
    return frozenset(map(Delivery, work.session.execute(query).scalars()))


def site_not_found() -> NotFound:
    """Return the refusal for a site that is not there, or not the caller's."""
    return NotFound("site.not_found", msg("没有找到该站点。请从站点列表中选择。"))


def _checked(wish: SiteWish) -> dict[str, Any]:
    """Return the columns of a site as it is wished; Invalid names every wrong field."""
    faults = Faults()
    name, address = wish.name.strip(), wish.address.strip()
    if not name or len(name) > LONGEST_NAME:
        faults.add("name", "site.name", msg("站点名称须为 1 至 {most} 个字。", most=LONGEST_NAME))
    if len(address) > LONGEST_NAME:
        faults.add("address", "site.address", msg("地址须在 {most} 个字以内。", most=LONGEST_NAME))
    if (wish.latitude is None) != (wish.longitude is None):
        faults.add("longitude", "site.position", msg("纬度与经度须一并填写，或都不填。"))
    if wish.latitude is not None and not -90 <= wish.latitude <= 90:
        faults.add("latitude", "site.latitude", msg("纬度须在 −90 至 90 度之间。"))
    if wish.longitude is not None and not -180 <= wish.longitude <= 180:
        faults.add("longitude", "site.longitude", msg("经度须在 −180 至 180 度之间。"))
    if wish.floor_area_m2 is not None and not 0.01 <= wish.floor_area_m2 <= LARGEST_AREA:
        faults.add("floor_area_m2", "site.floor_area", msg("建筑面积须大于 0，以平方米计。"))
    faults.refuse()
    return {
        "name": name,
        "address": address,
        "latitude": wish.latitude,
        "longitude": wish.longitude,
        "floor_area_m2": wish.floor_area_m2,
    }


def _name_taken(name: str) -> Conflict:
    return Conflict("site.name_taken", msg("本园区已有名为“{name}”的站点。请换一个名称。", name=name.strip()))


def _own(work: Work) -> tuple[Any, ...]:
    return () if work.actor.tenant_id is None else (Site.tenant_id == work.actor.tenant_id,)


def _own_months(work: Work) -> tuple[Any, ...]:
    return () if work.actor.tenant_id is None else (SiteMonth.tenant_id == work.actor.tenant_id,)


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)


def _view(row: Site) -> SiteView:
    return SiteView(
        id=row.id,
        name=row.name,
        address=row.address,
        latitude=_float(row.latitude),
        longitude=_float(row.longitude),
        floor_area_m2=_float(row.floor_area_m2),
        created_at=row.created_at,
        closed_at=row.closed_at,
    )
