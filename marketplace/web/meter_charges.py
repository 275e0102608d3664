"""What a meter's use costs: set and ended on the meter's own page."""

from __future__ import annotations

from flask import Response, url_for

from billing.usecases import metered_charges
from marketplace.web.meters import meter_page
from marketplace.web.pages import go, id_of, page_group, page_work
from marketplace.web.price_fields import field_of, typed_charge, typed_moment, typed_scope, typed_vat_bp
from marketplace.web.refusals import refusal_of
from tenants.kernel.errors import Problem

pages = page_group("meter_charges")


@pages.post("/meters/<slug>/charges")
def set_charge(slug: str) -> Response:
    """Let a meter's use cost something from a day on."""
    try:
        with page_work() as work:
            metered_charges.set_charge(
                work,
                meter=slug,
                charge=typed_charge(),
                vat_bp=typed_vat_bp(),
                valid_from=typed_moment("valid_from"),
                scope=typed_scope(),
            )
    except Problem as problem:
        return meter_page(slug, refusal_of(problem, field_of))
    return go(url_for("meters.meter", slug=slug, _anchor="charges"))


@pages.post("/meters/<slug>/charges/<price_id>/end")
def end(slug: str, price_id: str) -> Response:
    """End a charge from a day on, or now."""
    try:
        with page_work() as work:
            metered_charges.end_charge(work, meter=slug, price_id=id_of(price_id), at=typed_moment("at"))
    except Problem as problem:
        return meter_page(slug, refusal_of(problem, lambda _: None))
    return go(url_for("meters.meter", slug=slug, _anchor="charges"))
