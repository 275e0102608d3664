"""A provider's quotas of its own instruments for each park: what counts now, what comes, and what counted before."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from marketplace.web.rule_fields import begin, whole
from services.rules.quotas import Quota
from services.usecases import instruments, quota_rules
from tenants.kernel.errors import NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("quotas")

LIMITS = ("week_hours", "week_bookings", "month_hours", "month_bookings")


@pages.get("/instruments/<instrument_id>/quotas")
def rules(instrument_id: str) -> Response:
    """Show an own instrument's quotas."""
    return _page(instrument_id, None)


@pages.post("/instruments/<instrument_id>/quotas")
def set_quota(instrument_id: str) -> Response:
    """Set a quota for later bookings."""
    try:
        quota = Quota(0, **{name: whole(name) if field(name) else None for name in LIMITS})
        valid_from = begin()
        with page_work() as work:
            quota_rules.set_quota(work, instrument_id=id_of(instrument_id), quota=quota, valid_from=valid_from)
    except Problem as problem:
        return _page(instrument_id, refusal_of(problem))
    return go(url_for("quotas.rules", instrument_id=instrument_id))


def _page(instrument_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        own = {each.id: each for each in instruments.list_instruments(work, own=True)}
        found = own.get(id_of(instrument_id))
        if found is None:
            raise NotFound("instrument.not_found", msg("没有找到该仪器。请重新查询可预约时段。"))
        kept = quota_rules.list_quotas(work, instrument_id=found.id)
        begun = [each for each in kept if each.valid_from <= work.now]
    return show(
        "provider/quotas.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        instrument=found,
        rules=kept,
        limits=LIMITS,
        holds=max(begun, key=lambda each: (each.valid_from, each.version), default=None),
        typed=(_typed(kept[0].quota) if kept else {}) | (given() if refusal else {}),
    )


def _typed(quota: Quota) -> dict[str, str]:
    numbers = {name: getattr(quota, name) for name in LIMITS}
    return {name: "" if number is None else str(number) for name, number in numbers.items()}
