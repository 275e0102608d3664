"""Clawback (追回): public money that was spent wrongly is asked back from the one whose fault it was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.rules.money import format_yuan
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg


class ClawbackCause(StrEnum):
    """What was wrong."""

    INELIGIBLE = "ineligible"
    """The park had no right to the subsidy."""
    RETURNED = "returned"
    UNDELIVERED = "undelivered"
    FRAUD = "fraud"
    """Whose it was is named."""


class Bearer(StrEnum):
    """Who pays back."""

    PARK = "park"
    PROVIDER = "provider"


class ClawbackStatus(StrEnum):
    """The life of a case. Whoever opened it does not decide it."""

    OPENED = "opened"
    DISMISSED = "dismissed"
    UPHELD = "upheld"
    """Money is asked back, and not all of it has come."""
    CLOSED = "closed"
    """All has come back, or nothing had been paid out."""
    WRITTEN_OFF = "written_off"


class RepaymentMethod(StrEnum):
    """How a bearer pays back: to the treasury by bank, what it owes for a service out of the park's wallet, or by a
    payout of its claims.
    """

    TREASURY = "treasury"
    WALLET = "wallet"
    SET_OFF = "set_off"
    """Kept back from what the bearer was to be paid."""


def bearer_of(cause: ClawbackCause, named: Bearer | None) -> Bearer:
    """Return who bears a case: it follows from the cause, and only fraud has to be laid at somebody's door.

    Raises Invalid at ``bearer`` when fraud names nobody, and when another one is named than the cause says.
    """
    if cause is ClawbackCause.FRAUD:
        if named is None:
            raise _wrong_bearer(msg("欺诈骗取须写明由园区还是服务机构承担。请选择承担方。"))
        return named
    follows = Bearer.PARK if cause is ClawbackCause.INELIGIBLE else Bearer.PROVIDER
    if named not in {None, follows}:
        raise _wrong_bearer(msg("不符合条件由园区退还，退货或未交付由服务机构退还。请改正承担方或原因。"))
    return follows


def _wrong_bearer(message: Message) -> Invalid:
    return Invalid("clawback.bearer", message, errors=[FieldError("bearer", "clawback.bearer", message)])


@dataclass(frozen=True, slots=True)
class SpentPart:
    """What of one hold a case asks back, and where that money is when the case is decided, in fen."""

    amount_fen: int
    recalled_fen: int
    """Asked back before: by the return that the case came from."""
    unpaid_fen: int
    disbursed_fen: int
    """Paid out, and asked back by nobody."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What becomes of a part: ``withdrawn_fen`` was not paid out yet and is kept, ``recalled_fen`` has to be repaid."""

    withdrawn_fen: int
    recalled_fen: int


def take_part(part: SpentPart) -> Taken | None:
    """Divide a part: money that was not paid out is kept back before any is asked for. None when it is not there."""
    rest = part.amount_fen - part.recalled_fen
    withdrawn = min(rest, part.unpaid_fen)
    recalled = rest - withdrawn
    return None if recalled > part.disbursed_fen else Taken(withdrawn, recalled)


def check_amount(amount_fen: int, most_fen: int) -> int:
    """Return an amount from one fen to ``most_fen``; Invalid ``clawback.amount`` otherwise."""
    if not 0 < amount_fen <= most_fen:
        raise Invalid(
            "clawback.amount",
            msg("金额须大于零且不超过 {most} 元。请改正金额。", most=format_yuan(max(most_fen, 0))),
        )
    return amount_fen
