"""What would I get? A visitor describes a park and sees prices, subsidies and reasons, without signing up."""

from __future__ import annotations

from functools import cache

from flask import Response, request

from marketplace.doors.identity import platform_working
from marketplace.doors.service_names import know_services
from marketplace.usecases import prechecks as use_cases
from marketplace.web.explaining import tell
from marketplace.web.pages import page_group
from marketplace.web.refusals import refusal_of
from marketplace.web.rendering import show
from services.usecases import catalogue
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.rules.regions import Level, Region, regions
from tenants.usecases.province import home_province

pages = page_group("prechecks")


@pages.get("/pre-check")
def pre_check() -> Response:
    """Show the form, and what the described park would get once it is filled in.

    The address holds all that was chosen, so an answer can be kept and passed on. Without scripts the province is
    chosen first and its counties come with the next page.
    """
    asked = request.args
    chosen = [slug for slug in asked.getlist("offering") if slug]
    result, refusal = None, None
    with platform_working("pre-check") as work:
        know_services(work)
        listed = catalogue.list_offerings(work)
        province = _province(asked.get("province", ""), asked.get("region_code", "")) or home_province(work)
        county = asked.get("region_code", "")
        if asked.get("province") and not county.startswith(province or ""):
            county = ""  # of the province that was chosen before
        if county and "size" in asked:
            try:
                result = use_cases.pre_check(
                    work,
                    region_code=county,
                    size=asked["size"],
                    tier=asked.get("tier", ""),
                    offerings=chosen,
                )
            except Problem as problem:
                refusal = refusal_of(problem, lambda path: "offering" if path.startswith("offerings") else path)
    return show(
        "prechecks.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        missing=bool(asked.get("size")) and not county,
        county=county,
        result=result,
        told=[[tell(award.explanation) for award in line.estimate.awards] for line in result.lines] if result else [],
        provinces=_provinces(),
        province=province,
        cities=_counties(province) if province else (),
        offerings=listed,
        chosen=chosen,
        typed=asked,
        sizes=tuple(ParkSize),
        tiers=tuple(Tier),
    )


def _province(chosen: str, region_code: str) -> str | None:
    """Return the province's two digits: the chosen one, else the county's."""
    known = {code for code, _ in _provinces()}
    return next((code for code in (chosen, region_code[:2]) if code in known), None)


@cache
def _provinces() -> tuple[tuple[str, str], ...]:
    """Return two digits and name of every province."""
    return tuple((each.code[:2], each.province) for each in regions().values() if each.level is Level.PROVINCE)


@cache
def _counties(province: str) -> tuple[tuple[str, tuple[Region, ...]], ...]:
    """Return a province's counties by the name of their city, in the order of their codes."""
    cities: dict[str, list[Region]] = {}
    for code, each in sorted(regions().items()):
        if each.level is Level.COUNTY and code.startswith(province):
            cities.setdefault(each.city or each.province, []).append(each)
    return tuple((city, tuple(found)) for city, found in cities.items())
