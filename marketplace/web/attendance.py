"""A provider's rules of attendance of its own instruments: what holds now, what comes, and what held before."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from marketplace.web.rule_fields import begin, whole
from services.rules.attendance import WHOLE_BP, AttendanceTerms, Metering
from services.usecases import attendance_rules, instruments
from tenants.kernel.errors import NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("attendance")

USUAL = {
    "check_in_before_minutes": "30", "grace_minutes": "15", "free_cancel_minutes": "1440", "late_cancel": "50",
    "no_show": "100", "overrun_unit_minutes": "30", "overrun_fee": "0", "metering": "booked", "valid_from": "",
    "suspend_after": "3", "suspend_window_days": "90", "suspend_days": "30",
    "dispute_days": "15",
}  # fmt: skip
"""What the form proposes where there is no rule yet; nothing holds until it is saved."""
_NUMBERS = tuple(name for name in USUAL if name.endswith("_minutes") or name.startswith(("suspend_", "dispute_")))
_PLACES = {"late_cancel_bp": "late_cancel", "no_show_bp": "no_show", "overrun_fee_fen": "overrun_fee"}


@pages.get("/instruments/<instrument_id>/attendance")
def rules(instrument_id: str) -> Response:
    """Show an own instrument's rules."""
    return _page(instrument_id, None)


@pages.post("/instruments/<instrument_id>/attendance")
def set_rule(instrument_id: str) -> Response:
    """Set a rule for later bookings."""
    try:
        terms, valid_from = _terms(), begin()
        with page_work() as work:
            attendance_rules.set_rule(work, instrument_id=id_of(instrument_id), terms=terms, valid_from=valid_from)
    except Problem as problem:
        return _page(instrument_id, refusal_of(problem, lambda path: _PLACES.get(path, path)))
    return go(url_for("attendance.rules", instrument_id=instrument_id))


def _page(instrument_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        own = {each.id: each for each in instruments.list_instruments(work, own=True)}
        found = own.get(id_of(instrument_id))
        if found is None:
            raise NotFound("instrument.not_found", msg("没有找到该仪器。请重新查询可预约时段。"))
        kept = attendance_rules.list_rules(work, instrument_id=found.id)
        now = work.now
    return show(
        "provider/attendance.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        instrument=found,
        rules=kept,
        holds=next((each for each in sorted(kept, key=lambda e: (e.valid_from, e.version), reverse=True)
                    if each.valid_from <= now), None),
        typed=(_typed(kept[0].terms) if kept else USUAL) | (given() if refusal else {}),
    )  # fmt: skip


def _typed(terms: AttendanceTerms) -> dict[str, str]:
    numbers = {name: str(getattr(terms, name)) for name in _NUMBERS}
    return numbers | {
        "late_cancel": f"{terms.late_cancel_bp / 100:g}",
        "no_show": f"{terms.no_show_bp / 100:g}",
        "overrun_fee": f"{terms.overrun_fee_fen / 100:.2f}",
        "metering": terms.metering.value,
        "valid_from": "",
    }


def _metering(chosen: str) -> Metering:
    return Metering(chosen) if chosen in tuple(Metering) else Metering.BOOKED


def _terms() -> AttendanceTerms:
    numbers = {name: whole(name) for name in _NUMBERS}
    return AttendanceTerms(
        version=0,
        late_cancel_bp=whole("late_cancel") * (WHOLE_BP // 100),
        no_show_bp=whole("no_show") * (WHOLE_BP // 100),
        overrun_fee_fen=fen_of("overrun_fee"),
        metering=_metering(field("metering")),
        **numbers,
    )
