"""A case-by-case decision as JSON: the terms it changes, and the whole as the ``quote`` command takes and keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from billing.formats.documents import Document
from billing.formats.fields import BasisPoints, Day, Fen, Name, parse_instant
from billing.rules.exemptions import Exemption, ExemptTerms
from billing.rules.terms import CapScope

Scope = Literal["order", "entity_year", "controller_year", "provider_pool", "fund_year", "scheme"]
Instant = Annotated[datetime, BeforeValidator(parse_instant)]


class ExemptTermsDocument(Document):
    """What a decision changes; what it does not name stays as the programme says."""

    rate_bp: BasisPoints | None = None
    waive_price_limit: bool = False
    waived_facts: list[Name] = Field(default_factory=list, max_length=50)
    ceilings: dict[Scope, Fen | None] = Field(default_factory=dict)
    window_to: Day | None = None

    def to_rules(self) -> ExemptTerms:
        """Return the rules' terms."""
        return ExemptTerms(
            rate_bp=self.rate_bp,
            waive_price_limit=self.waive_price_limit,
            waived_facts=frozenset(self.waived_facts),
            ceilings={CapScope(scope): amount for scope, amount in self.ceilings.items()},
            window_to=self.window_to,
        )


class ExemptionDocument(Document):
    """A decision in force, and what was given under it before."""

    id: Name
    document_no: str = Field(min_length=1, max_length=200)
    programme: Name
    offering: Name | None = None
    terms: ExemptTermsDocument
    limit_fen: Fen
    used_fen: Fen = 0
    expires_at: Instant | None = None

    def to_rules(self) -> Exemption:
        """Return the rules' decision."""
        return Exemption(
            id=self.id,
            document_no=self.document_no,
            programme=self.programme,
            terms=self.terms.to_rules(),
            limit_fen=self.limit_fen,
            used_fen=self.used_fen,
            offering=self.offering,
            expires_at=self.expires_at,
        )


def terms_json(terms: ExemptTerms) -> dict[str, Any]:
    """Return changed terms as they are stored; reading them back gives the same."""
    return {
        "rate_bp": terms.rate_bp,
        "waive_price_limit": terms.waive_price_limit,
        "waived_facts": sorted(terms.waived_facts),
        "ceilings": {scope.value: terms.ceilings[scope] for scope in CapScope if scope in terms.ceilings},
        "window_to": terms.window_to.isoformat() if terms.window_to else None,
    }


def exemption_json(exemption: Exemption) -> dict[str, Any]:
    """Return a decision as the ``quote`` command takes it; reading it back gives the same."""
    return {
        "id": exemption.id,
        "document_no": exemption.document_no,
        "programme": exemption.programme,
        "offering": exemption.offering,
        "terms": terms_json(exemption.terms),
        "limit_fen": exemption.limit_fen,
        "used_fen": exemption.used_fen,
        "expires_at": exemption.expires_at.isoformat() if exemption.expires_at else None,
    }
