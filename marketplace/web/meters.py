"""The operator's meters: making them, laying them down, what each counted by day, and what none of them counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from flask import Response, request, url_for

from billing.rules.meters import Aggregation, plain
from billing.usecases import event_lists, event_views, meter_definitions, metered_charges
from billing.usecases import usage as use_cases
from marketplace.web.charts import meter_chart
from marketplace.web.pages import field, given, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import day, show
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.rules.regions import region_name
from tenants.usecases import onboarding

pages = page_group("meters")

DAYS = 30
"""Days that a meter's page shows, today among them."""
_FIELD_OF_CODE = {"meter.slug_taken": "slug", "meter.type_charged": "event_type"}
"""Where a refusal stands that names no field itself."""


@dataclass(frozen=True)
class DayRow:
    """What a meter counted on a day in China; None when nothing came in."""

    day: str
    quantity: Decimal | None

    @property
    def text(self) -> str:
        """Return the quantity as people write it."""
        return "—" if self.quantity is None else plain(self.quantity)


@pages.get("/meters")
def meters() -> Response:
    """Show the meters, what they miss and what was refused; ``?event_type=`` begins a meter for that type."""
    return _page(None)


@pages.post("/meters")
def create() -> Response:
    """Make a meter."""
    try:
        with page_work() as work:
            work.actor.require(Permission.RUN_PLATFORM)
            made = meter_definitions.create_meter(
                work,
                definition=_definition(),
                name=field("name"),
                allow_negative=field("allow_negative") != "no",
                unit=field("unit"),
            )
    except Problem as problem:
        return _page(_placed(refusal_of(problem, _field_of)))
    return go(url_for("meters.meter", slug=made.slug))


@pages.get("/meters/<slug>")
def meter(slug: str) -> Response:
    """Show a meter, what it counted on each of the last days, and what that costs."""
    return meter_page(slug, None)


def meter_page(slug: str, refusal: Refusal | None) -> Response:
    """Return a meter's page, with what is wrong in the form of its charge."""
    with page_work() as work:
        work.actor.require(Permission.RUN_PLATFORM)
        charges = metered_charges.read_charges(work, meter=slug)
        found = charges.meter
        today = work.now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
        answer = use_cases.query_meter(work, slug=slug, from_=days[0], to=today + timedelta(days=1), window_size="DAY")
        counted = {day(row.window_start): row.value for row in answer.rows}
    rows = [DayRow(day(each), counted.get(day(each))) for each in days]
    return show(
        "meters/meter.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"vat": "6"},
        prices=charges.prices,
        region_name=region_name,
        meter=found,
        counted=bool(counted),
        rows=tuple(reversed(rows)),
        chart=meter_chart([row.day[5:] for row in rows], [float(row.quantity or 0) for row in rows]),
    )


@pages.post("/meters/<slug>/archive")
def archive(slug: str) -> Response:
    """Lay a meter down."""
    with page_work() as work:
        meter_definitions.archive_meter(work, slug=slug)
    return go(url_for("meters.meter", slug=slug))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = event_lists.overview(work)
        rejected = event_views.list_rejected(work)
        parks = onboarding.park_names(work, park_ids={each.park_id for each in rejected})
    return show(
        "meters/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"event_type": request.args.get("event_type", "")[:100]},
        meters=found.meters,
        unmetered=found.unmetered,
        rejected=rejected,
        parks=parks,
        aggregations=tuple(Aggregation),
    )


def _definition() -> dict[str, object]:
    return {
        "slug": field("slug"),
        "event_type": field("event_type"),
        "aggregation": field("aggregation"),
        "value_property": field("value_property") or None,
        "group_by": _pairs("group_by"),
        "filters": {path: [each.strip() for each in values.split(",")] for path, values in _pairs("filters").items()},
    }


def _pairs(name: str) -> dict[str, str]:
    """Return what a field of lines like ``left=right`` says; Invalid at that field for another line."""
    pairs: dict[str, str] = {}
    for line in field(name).splitlines():
        left, sign, right = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not (left and sign and right) or left in pairs:
            wrong = msg("“{line}”须写成“左=右”，且左边不重复。请改正。", line=line.strip()[:60])
            raise Invalid("form.pairs", wrong, errors=[FieldError(name, "form.pairs", wrong)])
        pairs[left] = right
    return pairs


def _field_of(path: str) -> str | None:
    """Return the field of a path such as ``group_by.site``; what the whole definition lacks is its value."""
    return path.partition(".")[0].partition("[")[0] or "value_property"


def _placed(refusal: Refusal) -> Refusal:
    name = _FIELD_OF_CODE.get(refusal.code)
    return refusal if name is None else replace(refusal, fields={**refusal.fields, name: refusal.detail})
