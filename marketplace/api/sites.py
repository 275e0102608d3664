"""Sites of a park, and the standing orders by which services for them are rented month by month."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Moment
from marketplace.doors.identity import working
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import standing_orders
from services.usecases import sites as use_cases
from services.usecases.sites import SiteWish
from tenants.kernel.work import Work

sites = noun("sites", "Places of a park that have meters, and the services rented for them by the month.")


class SiteBody(Body):
    """What a park says of a site. Degrees north and east, floor area in m²."""

    name: str = Field(min_length=1, max_length=100)
    address: str = Field("", max_length=100)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    floor_area_m2: float | None = Field(None, gt=0, le=1e8)

    def wish(self) -> SiteWish:
        """Return it as the use case takes it."""
        return SiteWish(**self.model_dump())


class Site(Answer):
    """A site."""

    id: UUID
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    floor_area_m2: float | None
    created_at: Moment
    closed_at: Moment | None


class SiteState(Site):
    """A site, what works for it now, and the months that are rented or were delivered."""

    running: list[str] = Field(description="Services that work now: monitoring, alarms, carbon")
    rented: dict[str, list[date]] = Field(description="First days of months, by service")


class Sites(Answer):
    """A park's sites by name."""

    items: list[Site]
    next_cursor: str | None = None


class StandingOrder(Answer):
    """A service for a site that is ordered anew at the beginning of each month."""

    id: UUID
    site_id: UUID
    site_name: str
    offering: str
    title: str
    order_id: UUID = Field(description="The order of the first month")
    payment_method: PaymentMethod
    most_payable_fen: Amount = Field(description="What the park has agreed to pay a month; more halts it")
    next_month: date
    last_month: date | None = Field(description="Null until it is stopped")
    status: str = Field(description="running, ended, stopped or halted")
    halt_code: str | None
    halt_reason: str | None
    created_at: Moment
    closed_at: Moment | None


class StandingOrders(Answer):
    """A park's standing orders, running ones first."""

    items: list[StandingOrder]
    next_cursor: str | None = None


@sites.get("/sites", **call(Sites))
def list_sites() -> Response:
    """List the acting park's sites."""
    with working() as work:
        return show(Sites(items=[Site.of(each) for each in use_cases.list_sites(work)]))


@sites.post("/sites", **call(Site, status=201))
def add_site(body: SiteBody, header: Idempotent) -> Response:
    """Enter a site."""
    return command(
        "site.add", header, body, lambda work: Site.of(use_cases.add_site(work, wish=body.wish())), status=201
    )  # fmt: skip


@sites.get("/sites/<id>", **call(SiteState))
def read_site(path: ById) -> Response:
    """Read a site, what works for it now and for which months it is rented."""

    def ask(work: Work) -> dict[str, object]:
        found = use_cases.read_site(work, site_id=path.id)
        return {
            **vars(found),
            "running": sorted(use_cases.running_services(work, site_id=path.id)),
            "rented": use_cases.rented_months(work, site_id=path.id),
        }

    return read(SiteState, ask)


@sites.put("/sites/<id>", **call(Site))
def change_site(path: ById, body: SiteBody, header: Idempotent) -> Response:
    """Change what is said of a site."""
    return command(
        "site.change",
        header,
        body,
        lambda work: Site.of(use_cases.change_site(work, site_id=path.id, wish=body.wish())),
        about={"site": str(path.id)},
    )


@sites.post("/sites/<id>/closing", **call(Site))
def close_site(path: ById, header: Idempotent) -> Response:
    """Let nothing more be rented for a site; what is rented goes on to its end."""
    return command(
        "site.close",
        header,
        None,
        lambda work: Site.of(use_cases.close_site(work, site_id=path.id)),
        about={"site": str(path.id)},
    )


@sites.get("/standing-orders", **call(StandingOrders))
def list_standing_orders() -> Response:
    """List the services that are ordered every month. They begin with an order whose request asks for more months."""
    with working() as work:
        found = standing_orders.list_standing_orders(work)
        return show(StandingOrders(items=[StandingOrder.of(each) for each in found]))


@sites.post("/standing-orders/<id>/stop", **call(StandingOrder))
def stop_standing_order(path: ById, header: Idempotent) -> Response:
    """Order no further month; months that are ordered run to their end."""
    return command(
        "standing_order.stop",
        header,
        None,
        lambda work: StandingOrder.of(standing_orders.stop_standing_order(work, standing_order_id=path.id)),
        about={"standing_order": str(path.id)},
    )
