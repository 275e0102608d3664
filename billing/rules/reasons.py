"""Why an award is what it is: stable codes, told to the park in words by the doors."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The platform's own reason codes. A programme's rates add codes of their own, such as WESTERN_COUNTY."""

    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    OUT_OF_WINDOW = "OUT_OF_WINDOW"
    PRICE_ABOVE_LIMIT = "PRICE_ABOVE_LIMIT"
    CAP_ORDER = "CAP_ORDER"
    CAP_ENTITY_YEAR = "CAP_ENTITY_YEAR"
    CAP_CONTROLLER_YEAR = "CAP_CONTROLLER_YEAR"
    CAP_SCHEME = "CAP_SCHEME"
    CAP_ROLLING = "CAP_ROLLING"
    """The controller's aid in the years that count has met its ceiling."""
    CAP_COMBINED = "CAP_COMBINED"
    """Programmes that add up met their combined ceiling, or the price itself."""
    POOL_PARTIAL = "POOL_PARTIAL"
    FUND_PARTIAL = "FUND_PARTIAL"
    FUND_EXHAUSTED = "FUND_EXHAUSTED"
    ALL_OR_NOTHING = "ALL_OR_NOTHING"
    NOT_BEST = "NOT_BEST"
    EXCLUDED_BY = "EXCLUDED_BY"
    RELATED_PARTY = "RELATED_PARTY"
    CREDIT_BLOCKED = "CREDIT_BLOCKED"
    """The park or the provider is on the dishonesty list."""
    ALREADY_SUBSIDISED = "ALREADY_SUBSIDISED"
    EXEMPTION = "EXEMPTION"
    """A case-by-case decision changed the programme's terms; the award names it."""
    CAP_EXEMPTION = "CAP_EXEMPTION"
    """The decision's own limit left less than its terms would give."""
    UNKNOWN_FACT = "UNKNOWN_FACT"
    """A condition asked for a fact that nobody stated; it counted as not met."""
