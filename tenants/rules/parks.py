"""A park's verification: which decisions are open, and what each needs."""

from __future__ import annotations

from enum import StrEnum

from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import ParkSize

LONGEST_NOTE = 500


class Verification(StrEnum):
    """Whether the province has accepted a park."""

    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


def check_size(text: str) -> ParkSize:
    """Return the size class; Invalid ``park.unknown_size`` otherwise."""
    try:
        return ParkSize(text)
    except ValueError:
        known = "、".join(ParkSize)
        raise Invalid("park.unknown_size", msg("园区规模须为以下之一：{known}。请重新选择。", known=known)) from None


def decide(before: Verification, *, approve: bool) -> Verification:
    """Return the verification after a decision.

    A rejected park may be accepted later, when it has brought what was missing. Conflict ``park.already_decided`` for
    the same decision again, and for taking an acceptance back: orders may already stand on it.
    """
    if before is Verification.VERIFIED or (before is Verification.REJECTED and not approve):
        raise Conflict(
            "park.already_decided", msg("该园区的审核已有结论（{state}）。请刷新页面查看。", state=before.value)
        )
    return Verification.VERIFIED if approve else Verification.REJECTED


def check_note(note: str, *, approve: bool) -> str:
    """Return the decision's reason; Invalid ``park.note_needed`` when a rejection has none or one is too long."""
    told = note.strip()
    readable = all(character.isprintable() or character in "\r\n\t" for character in told)
    if not readable or len(told) > LONGEST_NOTE or (not told and not approve):
        raise Invalid(
            "park.note_needed",
            msg("请用不超过 {most} 个字说明审核意见；不通过时必须填写理由。", most=LONGEST_NOTE),
        )
    return told
