"""A quote as it is shown, stored and held: the same figures and reasons in all three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.usecases.aid_register import RollingCeiling
from billing.usecases.ceilings import Ceiling
from billing.usecases.exemptions_in_force import ExemptionNote


@dataclass(frozen=True)
class AwardView:
    """What one version of a programme gives on one line, from which funds, and why not more.

    ``mode`` tells when: ``instant`` is deducted now, ``reimburse`` and ``auto`` come later.
    """

    programme: str
    programme_name: str
    programme_name_en: str
    version: int
    mode: str
    payee: str
    rate_bp: int
    base_fen: int
    claim_fen: int
    amount_fen: int
    by_fund: Mapping[str, int]
    reasons: tuple[str, ...]
    unknown_facts: tuple[str, ...]
    ceilings: tuple[Ceiling, ...]
    rolling: RollingCeiling | None = None
    exemption: ExemptionNote | None = None
    """The case-by-case decision by whose terms it was worked out."""

    @property
    def instant(self) -> bool:
        """Tell whether the award is deducted from what the park pays now."""
        return self.mode == "instant"

    def document(self) -> dict[str, Any]:
        """Return the award as JSON."""
        note = self.exemption
        return {**asdict(self), "by_fund": dict(self.by_fund), "exemption": None if note is None else note.document()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AwardView:
        """Return the award that ``document`` wrote."""
        return cls(
            **{
                **document,
                "reasons": tuple(document["reasons"]),
                "unknown_facts": tuple(document["unknown_facts"]),
                "ceilings": tuple(Ceiling(**ceiling) for ceiling in document["ceilings"]),
                "rolling": RollingCeiling(**rolling) if (rolling := document.get("rolling")) else None,
                "exemption": ExemptionNote.read(document.get("exemption")),
            }
        )


_IDS = ("price_id", "agreed_discount_id", "repeats")


@dataclass(frozen=True)
class QuoteLineView:
    """One line. ``subsidy_fen`` is deducted now, so ``payable_fen`` is what the park pays for the order.

    ``later_fen`` is what programmes give back afterwards; it is no part of ``subsidy_fen``.
    """

    offering: str
    title: str
    quantity: int
    request: Mapping[str, Any]
    facts: Mapping[str, Any]
    price_id: UUID
    vat_bp: int
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    later_fen: int
    awards: tuple[AwardView, ...]
    included: int = 0
    """Units that cost nothing: the park's plan includes them, or they repeat a delivery."""
    discount_fen: int = 0
    """What they would have cost."""
    agreed_discount_fen: int = 0
    """What a discount takes off before any subsidy: the list price is ``gross_fen`` and both."""
    agreed_discount_id: UUID | None = None
    repeats: UUID | None = None
    """The delivery that this one repeats, which is why it costs nothing."""

    @property
    def list_fen(self) -> int:
        """Return the list price: without included units and discounts."""
        return self.gross_fen + self.discount_fen + self.agreed_discount_fen

    def document(self) -> dict[str, Any]:
        """Return the line as JSON."""
        awards = [award.document() for award in self.awards]
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "awards"}
        ids = {name: None if plain[name] is None else str(plain[name]) for name in _IDS}
        return {**plain, **ids, "awards": awards}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> QuoteLineView:
        """Return the line that ``document`` wrote."""
        awards = tuple(AwardView.from_document(award) for award in document["awards"])
        ids = {name: UUID(given) if (given := document.get(name)) else None for name in _IDS}
        return cls(**{**document, **ids, "awards": awards})


@dataclass(frozen=True)
class Preview:
    """What an order would cost now, and who would pay which part."""

    lines: tuple[QuoteLineView, ...]
    facts: Mapping[str, Any]
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    later_fen: int


@dataclass(frozen=True)
class QuoteView(Preview):
    """A price that is kept until ``expires_at``; for one contract where the park named one."""

    id: UUID
    created_at: datetime
    expires_at: datetime

    @property
    def contract_no(self) -> str | None:
        """Return the number of the contract that the order stands on, as the park wrote it."""
        return self.facts.get("contract_no")
