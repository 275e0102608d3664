"""An order line that was delivered, and what of it is charged when it was not used as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from billing.rules.money import allocate
from billing.rules.part_use import PartUse, award_parts
from billing.rules.terms import Mode
from billing.usecases.holds import HoldView


@dataclass(frozen=True)
class DeliveredLine:
    """An order line that was delivered, as it was ordered. ``evidence`` goes on its claims, which pay the provider."""

    order_line_id: UUID
    offering: str
    price_id: UUID
    quantity: int
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    vat_bp: int
    awards: Sequence[Mapping[str, Any]]
    payment_method: str
    evidence: Mapping[str, Any]
    title: str = ""
    provider_id: UUID | None = None
    reference: str = ""
    """What people call its order."""
    quote_id: UUID | None = None
    """The kept quote that it was ordered by, and its place in it: the facts that later awards are granted by."""
    position: int = 0
    included: int = 0
    """Units that the park's plan includes, and what they would have cost."""
    discount_fen: int = 0
    agreed_discount_fen: int = 0
    """What a discount took off the price, which ``gross_fen`` is without."""
    agreed_discount_id: UUID | None = None
    repeats: UUID | None = None
    """The delivery that this one repeats for nothing."""
    used: int | None = None
    """Units that were really used, where only these are charged; None charges what was ordered."""


def charged_of(line: DeliveredLine) -> DeliveredLine:
    """Return a line with what is charged of it; the line itself where all of it is.

    Raises ValueError for more units than were ordered, or awards that are not the line's subsidy.
    """
    if line.used is None or line.used == line.quantity:
        return line
    use = PartUse(line.quantity, line.included, line.used)
    gross_fen = use.price(line.gross_fen)
    if _instant_fen(line.awards) != line.subsidy_fen:
        raise ValueError(f"the awards of line {line.order_line_id} are not its subsidy")
    awards = award_parts(line.awards, line.gross_fen, gross_fen)
    subsidy_fen = _instant_fen(awards)
    return replace(
        line,
        quantity=line.used,
        gross_fen=gross_fen,
        subsidy_fen=subsidy_fen,
        payable_fen=gross_fen - subsidy_fen,
        awards=awards,
        included=use.included_used,
        discount_fen=use.discount(line.discount_fen),
        agreed_discount_fen=use.price(line.agreed_discount_fen),
    )


def parts_of_holds(line: DeliveredLine, charged: DeliveredLine, holds: Sequence[HoldView]) -> dict[UUID, int]:
    """Return what is captured of each hold of a line: all of it, or of each award what its funds give for a part."""
    if charged is line:
        return {hold.id: hold.amount_fen for hold in holds}
    due = {
        (award["programme"], award["version"], fund): amount_fen
        for award in charged.awards
        if award["mode"] == Mode.INSTANT
        for fund, amount_fen in award["by_fund"].items()
    }
    grouped: dict[tuple[str, int, str], list[HoldView]] = {}
    for hold in holds:
        grouped.setdefault((hold.programme, hold.version, hold.fund), []).append(hold)
    return {
        hold.id: part
        for source, members in grouped.items()
        for hold, part in zip(members, allocate(due.get(source, 0), [each.amount_fen for each in members]), strict=True)
    }


def _instant_fen(awards: Sequence[Mapping[str, Any]]) -> int:
    """Return what awards give at once."""
    return sum(award["amount_fen"] for award in awards if award["mode"] == Mode.INSTANT)
