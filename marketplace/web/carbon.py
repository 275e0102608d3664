"""A park's carbon: its sites, a site's year with charts, and reports."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.web.carbon_charts import month_chart
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.catalogue import Delivery
from services.usecases import carbon_inventory, carbon_paths, carbon_reports, catalogue, sites
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import local_day

pages = page_group("carbon")


@pages.get("/carbon")
def carbon() -> Response:
    """Show the acting park's sites, each with its latest recorded year."""
    with page_work() as work:
        work.actor.require_tenant()
        work.actor.require(Permission.READ_CARBON)
        rows = []
        for site in sites.list_sites(work):
            years = carbon_inventory.recorded_years(work, site_id=site.id)
            latest = carbon_inventory.read_inventory(work, site_id=site.id, year=years[0]) if years else None
            running = Delivery.CARBON in sites.running_services(work, site_id=site.id)
            rows.append((site, running, latest))
        offering = _offering(work)
    return show("carbon/sites.html", rows=rows, offering=offering)


@pages.get("/sites/<site_id>/carbon")
def site(site_id: str) -> Response:
    """Show a site's year."""
    return _page(site_id, None)


@pages.post("/sites/<site_id>/carbon/reports")
def report(site_id: str) -> Response:
    """Make a year's report."""
    year = asked_year(field("year"))
    try:
        with page_work() as work:
            carbon_reports.make_report(work, site_id=id_of(site_id), year=year or 0)
    except Problem as problem:
        return _page(site_id, refusal_of(problem))
    return go(url_for("carbon.site", site_id=site_id, year=year, _anchor="reports"))


def asked_year(text: str) -> int | None:
    """Return the year that a form or an address names, None for none."""
    return int(text) if len(text) == 4 and text.isascii() and text.isdigit() else None


def _page(site_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = sites.read_site(work, site_id=id_of(site_id))
        years = carbon_inventory.recorded_years(work, site_id=found.id)
        today = local_day(work.now)
        asked = asked_year(request.values.get("year", ""))
        year = asked if asked and 2000 <= asked <= today.year else (years or (today.year,))[0]
        view = carbon_inventory.read_inventory(work, site_id=found.id, year=year)
        running = Delivery.CARBON in sites.running_services(work, site_id=found.id)
        context = {
            "reports": [each for each in carbon_reports.list_reports(work, site_id=found.id) if each.year == year],
            "plans": carbon_paths.list_plans(work, site_id=found.id),
            "offering": _offering(work),
        }
    return show(
        "carbon/site.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        site=found,
        year=year,
        years=sorted({*years, year}, reverse=True),
        view=view,
        taken=view.inventory,
        running=running,
        chart=month_chart(view.inventory) if view.standing else None,
        **context,
    )


def _offering(work: Work) -> catalogue.OfferingView | None:
    """Return the offering by which carbon monitoring is rented."""
    return next((each for each in catalogue.list_offerings(work) if each.delivery is Delivery.CARBON), None)
