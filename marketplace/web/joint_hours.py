"""A joint facility's hours: each party's account as a bar, the uses, and the forms to record, correct and lend."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from flask import Response, request, url_for

from billing.rules.joint_years import HOUR
from billing.usecases import joint_uses as use_cases
from billing.usecases import joint_years
from billing.usecases.joint_uses import NewUse
from billing.usecases.joint_years import HoursView, YearView
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_fields import parse_day
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("joint_hours")

WIDE = 1_000
"""The width of the picture's longest bar in its own units."""
MOST_HOURS = 9_000
_FIELDS = {"minutes": "hours"}


@pages.get("/joint/agreements/<agreement_id>/hours")
def hours(agreement_id: str) -> Response:
    """Show a year's hours of all parties with the uses."""
    return _page(agreement_id, None)


@pages.post("/joint/agreements/<agreement_id>/hours")
def enter(agreement_id: str) -> Response:
    """Record a use, correct one, or release hours for lending."""
    try:
        with page_work() as work:
            year = _STEPS.get(field("step"), _record)(work, agreement_id)
    except Problem as problem:
        return _page(agreement_id, refusal_of(problem, lambda path: _FIELDS.get(path, path)))
    return go(url_for("joint_hours.hours", agreement_id=agreement_id, year=year))


def _record(work: Work, agreement_id: str) -> int:
    work.actor.require(Permission.RECORD_JOINT)
    use = NewUse(
        day=parse_day("day"),
        minutes=_minutes("hours"),
        evidence=field("evidence"),
        park_id=parse_id(field("park_id")),
        user_name=field("user_name"),
    )
    return use_cases.record_use(work, agreement_id=id_of(agreement_id), use=use).day.year


def _correct(work: Work, _agreement_id: str) -> int:
    work.actor.require(Permission.RECORD_JOINT)
    minutes = _minutes("right_hours")
    return use_cases.correct_use(work, use_id=id_of(field("use")), minutes=minutes, reason=field("reason")).day.year


def _release(work: Work, agreement_id: str) -> int:
    work.actor.require(Permission.LEND_JOINT)
    minutes = _minutes("lend_hours") * (-1 if field("back") else 1)
    year = int(field("year")) if field("year").isdecimal() and len(field("year")) == 4 else 0
    return use_cases.release_hours(work, agreement_id=id_of(agreement_id), year=year, minutes=minutes).year


_STEPS = {"correct": _correct, "lend": _release}


def _page(agreement_id: str, refusal: Refusal | None) -> Response:
    asked = request.args.get("year", "") or field("year")
    year = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) == 4 else None
    with page_work() as work:
        found = joint_years.read_year(work, agreement_id=id_of(agreement_id), year=year)
        uses = use_cases.list_uses(
            work, agreement_id=found.agreement_id, year=found.year, limit=30, cursor=request.args.get("cursor")
        )
        own = next((each for each in found.parks if each.park_id == work.actor.tenant_id), None)
        may = {
            "record": not found.is_closed
            and work.actor.may(Permission.RECORD_JOINT)
            and found.lead_id == work.actor.tenant_id,
            "lend": not found.is_closed and work.actor.may(Permission.LEND_JOINT) and own is not None,
        }
    return show(
        "joint/hours.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=dict(given()) if refusal else {},
        found=found,
        bars=[(each, _parts(found, each)) for each in found.parks],
        uses=uses,
        own=own,
        may=may,
    )


def _parts(found: YearView, park: HoursView) -> list[tuple[str, int, int]]:
    """Return a park's bar as (kind, start, width): used inside, lent, left of the entitlement, and what was borrowed."""
    longest = max(max(each.entitled_minutes, each.used_minutes) for each in found.parks) or 1
    inside = park.used_minutes - park.borrowed_minutes
    lent = min(park.lent_minutes, park.entitled_minutes - inside)
    parts, start = [], 0
    for kind, minutes in (
        ("used", inside),
        ("lent", lent),
        ("left", park.entitled_minutes - inside - lent),
        ("borrowed", park.borrowed_minutes),
    ):
        end = start + minutes
        left, right = (point * WIDE // longest for point in (start, end))
        parts.append((kind, left, right - left))
        start = end
    return parts


def _minutes(name: str) -> int:
    """Return the hours typed into a field as minutes; Invalid where they are no whole minutes."""
    try:
        minutes = Decimal(field(name).replace(",", "") or "0") * HOUR
    except InvalidOperation:
        minutes = Decimal("NaN")
    if not minutes.is_finite() or minutes != minutes.to_integral_value() or not 0 <= minutes <= MOST_HOURS * HOUR:
        wrong = msg("须为小时数，如 7.5，不超过 {most}，且折合整分钟。请改正。", most=MOST_HOURS)
        raise Invalid("joint.hours", wrong, errors=[FieldError(name, "joint.hours", wrong)])
    return int(minutes)
