"""Two-phase holds: reserved, then captured once and at most in full, or released, or expired. No other step exists.

Expiry is a step that a job takes, not a comparison with the clock: money that is still held is still reserved, so a
delivery that ends late captures it unless the job came first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.messages import msg


class HoldStatus(StrEnum):
    """Where a hold is; every status but the first is final."""

    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


ALLOWED_FROM = {
    HoldStatus.CAPTURED: frozenset((HoldStatus.HELD,)),
    HoldStatus.RELEASED: frozenset((HoldStatus.HELD,)),
    HoldStatus.EXPIRED: frozenset((HoldStatus.HELD,)),
}


@dataclass(frozen=True, slots=True)
class Hold:
    """Money reserved in fen; ``released_fen`` is what went back where it came from."""

    amount_fen: int
    status: HoldStatus
    expires_at: datetime
    captured_fen: int = 0
    settled_at: datetime | None = None

    @property
    def released_fen(self) -> int:
        """What a settled hold gave back."""
        return 0 if self.status is HoldStatus.HELD else self.amount_fen - self.captured_fen


def capture(hold: Hold, amount_fen: int, now: datetime) -> Hold:
    """Return the hold with ``amount_fen`` captured and the rest given back.

    Raises Invalid for an amount that is not positive (release the hold instead) or above the hold, Conflict for a
    hold that is settled already.
    """
    _check(hold, HoldStatus.CAPTURED)
    if amount_fen <= 0:
        raise Invalid("hold.nothing_to_capture", msg("核销金额须大于零。没有可核销的金额时请改为解冻。"))
    if amount_fen > hold.amount_fen:
        raise Invalid(
            "hold.above_held",
            msg("核销金额 {amount} 分超过预占的 {held} 分。请减少金额。", amount=amount_fen, held=hold.amount_fen),
        )
    return replace(hold, status=HoldStatus.CAPTURED, captured_fen=amount_fen, settled_at=now)


def release(hold: Hold, now: datetime) -> Hold:
    """Return the hold given back in full. Raises Conflict for a hold that is settled already."""
    _check(hold, HoldStatus.RELEASED)
    return replace(hold, status=HoldStatus.RELEASED, settled_at=now)


def expire(hold: Hold, now: datetime) -> Hold:
    """Return the hold given back because its time is over. Raises Conflict when settled, or not yet due."""
    _check(hold, HoldStatus.EXPIRED)
    if now < hold.expires_at:
        raise Conflict("hold.not_due", msg("预占尚未到期，不能按到期处理。请等待到期，或改为解冻。"))
    return replace(hold, status=HoldStatus.EXPIRED, settled_at=now)


def _check(hold: Hold, target: HoldStatus) -> None:
    if hold.status not in ALLOWED_FROM[target]:
        raise Conflict(
            "hold.settled",
            msg("预占已结束（{status}），不能再次处理。请刷新后查看结果。", status=hold.status.value),
        )
