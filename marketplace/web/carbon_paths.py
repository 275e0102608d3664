"""The path of a site to a target: a form of measures, and the cheapest plan with its curve."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from marketplace.web.carbon import asked_year
from marketplace.web.carbon_charts import abatement_chart, path_chart
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.carbon.measures import MOST_MEASURES, Kind
from services.rules.catalogue import Delivery
from services.usecases import carbon_inventory, sites
from services.usecases import carbon_paths as use_cases
from tenants.kernel.errors import Conflict, Problem

pages = page_group("carbon_paths")

FIELDS = (
    "name", "kind", "capex_yuan", "yearly_yuan", "life_years", "saved_kwh", "fuel", "saved_fuel", "green_kwh",
    "offset_t", "first_year",
)  # fmt: skip
BLANK = 4
"""Empty rows that a form offers beside those that are filled in."""


@pages.get("/sites/<site_id>/carbon/plans")
def wish(site_id: str) -> Response:
    """Show the form of a path, with what the base year and the twin offer."""
    return _form(site_id, None)


@pages.post("/sites/<site_id>/carbon/plans")
def make(site_id: str) -> Response:
    """Find the cheapest path; ``more`` only adds empty rows."""
    if "more" in request.form:
        return _form(site_id, None)
    try:
        with page_work() as work:
            made = use_cases.make_plan(work, site_id=id_of(site_id), plan=_plan())
    except Problem as problem:
        return _form(site_id, refusal_of(problem, _place))
    return go(url_for("carbon_paths.path", plan_id=made.id))


@pages.get("/carbon/plans/<plan_id>")
def path(plan_id: str) -> Response:
    """Show a plan."""
    with page_work() as work:
        found = use_cases.read_plan_view(work, plan_id=id_of(plan_id))
        site = sites.read_site(work, site_id=found.site_id)
    result = found.result
    measures = {each["key"]: each for each in found.request["measures"]}
    return show(
        "carbon/path.html",
        site=site,
        plan=found,
        result=result,
        measures=measures,
        curve=abatement_chart(result["curve"]) if result["curve"] else None,
        chart=path_chart(result["baseline"], found.base_year, result["years"]),
        last=result["years"][-1],
    )


def _form(site_id: str, refusal: Refusal | None) -> Response:
    posted = request.method == "POST"
    with page_work() as work:
        site = sites.read_site(work, site_id=id_of(site_id))
        years = carbon_inventory.recorded_years(work, site_id=site.id)
        year = asked_year(request.values.get("base_year", "")) or (years[0] if years else None)
        try:
            basis = use_cases.read_basis(work, site_id=site.id, year=year) if year else None
        except Conflict:
            basis = None
        running = Delivery.CARBON in sites.running_services(work, site_id=site.id)
        plans = use_cases.list_plans(work, site_id=site.id)
    filled = _rows() if posted else [dict(each.measure) for each in (basis.suggestions if basis else ())]
    rows = [*filled, *[{} for _ in range(min(BLANK, MOST_MEASURES - len(filled)))]]
    return show(
        "carbon/plan.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=request.form if posted else {"base_year": year, "target_year": (year or 0) + 10, "discount_percent": "6"},
        site=site,
        years=years,
        year=year,
        basis=basis,
        rows=rows,
        kinds=tuple(Kind),
        running=running,
        plans=plans,
    )


def _rows() -> list[dict[str, str]]:
    """Return the rows of the form that have a name or a number, as they were typed."""
    found = []
    for place in range(MOST_MEASURES):
        row = {name: field(f"m{place}-{name}") for name in FIELDS}
        if any(text for name, text in row.items() if name != "kind"):
            found.append(row)
    return found


def _plan() -> dict[str, Any]:
    """Return the wish as the use case takes it: empty fields are left out, keys are the rows' places."""
    measures = [
        {"key": f"m{place + 1}", **{name: text.replace(",", "") if name not in {"name", "fuel"} else text
                                    for name, text in row.items() if text}}
        for place, row in enumerate(_rows())
    ]  # fmt: skip
    given = {name: field(name) for name in ("base_year", "target_year", "remaining_percent", "discount_percent")}
    plan: dict[str, Any] = {name: text for name, text in given.items() if text}
    return {**plan, "even_steps": field("even_steps") == "yes", "measures": measures}


def _place(path_: str) -> str | None:
    """Return the form's field: ``measures[2].fuel`` and ``plan.measures[2].fuel`` are ``m2-fuel``."""
    plain = path_.removeprefix("plan.")
    if plain.startswith("measures["):
        place, _bracket, name = plain.removeprefix("measures[").partition("]")
        return f"m{place}-{name.removeprefix('.') or 'name'}"
    return plain or None
