"""What a booking was charged too much where its times were noted wrong: of its line, and of the overrun's fee.

The line's usage stays as it was charged, as everything that was charged does; what is too much comes back as a return, so
each payer gets its own share.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from billing.rules.part_use import PartUse, sold_for
from billing.rules.returns import ReturnCause
from billing.store import return_queries, unused_parts
from billing.store.attendance_fees import AttendanceFee, overrun_of_booking
from billing.store.usage import RatedUsage
from billing.usecases.attendance_dispute_views import ClaimedTimes, DisputeView
from billing.usecases.returns import ReturnedLine, ReturnWish, charged_usage, left_to_return, return_lines
from tenants.kernel.work import Work


@dataclass(frozen=True)
class TooMuch:
    """What was charged too much, in fen: of the line, and of the fee for time over the booking's end."""

    use_fen: int
    overrun_fen: int
    fee: AttendanceFee | None

    @property
    def fen(self) -> int:
        """Return both together."""
        return self.use_fen + self.overrun_fen


def too_much(
    work: Work, usage: RatedUsage, *, booking_id: UUID, used_units: int | None, overrun_units: int
) -> TooMuch:  # fmt: skip
    """Return what would come back if a booking had been used as said, for use cases that asked for their own permission.

    ``used_units`` is None where its line is charged as it was booked.
    """
    fee = overrun_of_booking(work.session, usage.tenant_id, booking_id)
    return TooMuch(
        use_fen=0 if used_units is None else _of_line(work, usage, used_units),
        overrun_fen=0 if fee is None else _of_fee(work, fee, overrun_units),
        fee=fee,
    )


def give_back(
    work: Work, found: DisputeView, times: ClaimedTimes, reason: str
) -> tuple[UUID | None, UUID | None]:  # fmt: skip
    """Take back what an accepted dispute of times finds too much; return the returns of the fee and of the line.

    Two people have agreed: the park's who asked, and the one who decides.
    """
    usage = charged_usage(work, times.order_line_id)
    wrong = too_much(
        work, usage, booking_id=found.booking_id, used_units=times.used_units, overrun_units=times.overrun_units
    )
    lines = []
    if wrong.use_fen:
        lines.append(ReturnedLine(usage.order_line_id, found.provider_id, _wish(found, reason, wrong.use_fen)))
    if wrong.fee is not None and wrong.overrun_fen:
        lines.append(ReturnedLine(wrong.fee.id, None, _wish(found, reason, wrong.overrun_fen)))
    made = {each.order_line_id: each.id for each in return_lines(work, lines, agreed_by_two=True)} if lines else {}
    return None if wrong.fee is None else made.get(wrong.fee.id), made.get(usage.order_line_id)


def _wish(found: DisputeView, reason: str, amount_fen: int) -> ReturnWish:
    return ReturnWish(
        cause=ReturnCause.WRONG, reason=reason, agreement=f"异议 {found.id}", subject=found.title, amount_fen=amount_fen
    )


def _of_line(work: Work, usage: RatedUsage, used_units: int) -> int:
    """Return what a line's buyers paid above the part of its price that the used units cost."""
    part = next(iter(unused_parts.parts_of_lines(work.session, [usage.order_line_id])), None)
    booked = int(usage.quantity) if part is None else part.booked_units
    included = usage.included + (0 if part is None else part.included)
    ordered_fen = usage.gross_fen + (0 if part is None else part.gross_fen)
    line = return_queries.invoice_line_of_usage(work.session, usage.tenant_id, usage.id)
    sold_fen = usage.gross_fen - (0 if line is None else line.discount_fen)
    due_fen = sold_for(PartUse(booked, included, used_units).price(ordered_fen), usage.gross_fen, sold_fen)
    return _still(work, usage, sold_fen - due_fen)


def _of_fee(work: Work, fee: AttendanceFee, units: int) -> int:
    usage = charged_usage(work, fee.id)
    return _still(work, usage, fee.amount_fen - units * fee.unit_fen)


def _still(work: Work, usage: RatedUsage, fen: int) -> int:
    """Return what of an amount that was charged too much has not come back yet, whatever it came back for."""
    before = return_queries.returned_before(work.session, usage.tenant_id, usage.order_line_id)
    return max(0, min(fen - before.amount_fen, left_to_return(work, usage)))
