"""An appropriation split between regions: shares in basis points, to the fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.rules.money import WHOLE_BP, allocate
from billing.rules.naming import check_envelope
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg

MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Share:
    """A share of an appropriation that is reserved for an envelope."""

    envelope: str
    share_bp: int


def split_amount(amount_fen: int, envelope: str, shares: Sequence[Share]) -> dict[str, int]:
    """Return what each share comes to, by largest remainder together with the rest, which ``envelope`` keeps.

    Raises Invalid naming every share that no park draws on, that is named twice, that is no share, or that is too small
    to be a fen, and the sum when it is more than the whole.
    """
    errors = _faults(envelope, shares)
    rest = WHOLE_BP - sum(share.share_bp for share in shares)
    if not errors and rest < 0:
        errors = [_error("split", msg("定向比例合计 {sum}%，超过 100%。请改正。", sum=f"{(WHOLE_BP - rest) / 100:g}"))]
    if errors:
        raise Invalid("appropriation.split", msg("定向拨款的比例有误。请按各项提示改正。"), errors=errors)
    parts = allocate(amount_fen, [*(share.share_bp for share in shares), rest])
    found = {share.envelope: part for share, part in zip(shares, parts, strict=False)}
    if small := [
        _error(f"split[{i}].share_bp", msg("比例太小，折合不足一分。请改正。"))
        for i, share in enumerate(shares)
        if not found[share.envelope]
    ]:
        raise Invalid("appropriation.split", msg("定向拨款的比例有误。请按各项提示改正。"), errors=small)
    return found


def _faults(envelope: str, shares: Sequence[Share]) -> list[FieldError]:
    if len(shares) > MOST_PARTS:
        return [_error("split", msg("一次拨款最多定向 {most} 项。请分次申请。", most=MOST_PARTS))]
    errors = []
    seen = {envelope}
    for index, share in enumerate(shares):
        if not 1 <= share.share_bp <= WHOLE_BP:
            errors.append(_error(f"split[{index}].share_bp", msg("比例须大于 0、不超过 100%。请改正。")))
        if share.envelope in seen:
            errors.append(
                _error(f"split[{index}].envelope", msg("同一范围只能出现一次，也不能与其余资金的范围相同。请改正。"))
            )
        seen.add(share.envelope)
        try:
            check_envelope(share.envelope)
        except Problem as problem:
            errors.append(_error(f"split[{index}].envelope", problem.message))
    return errors


def _error(field: str, message: Message) -> FieldError:
    return FieldError(field, "appropriation.split", message)
