"""The contract's ``Policy``: a version of a subsidy programme as JSON, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from billing.formats.documents import CONDITION, TREE, Document
from billing.formats.fields import BasisPoints, Day, Fen, Name, Timezone, parse_fact
from billing.rules import terms
from billing.rules.conditions import AllOf, AnyOf, Comparison, Condition, Fact, Tree
from billing.rules.periods import DEFAULT_ZONE, Days

_MANY = 200


class ConditionDocument(Document):
    """One comparison of a fact with a value."""

    fact: Name
    comparison: Literal["eq", "ne", "in", "lte", "gte", "lt", "gt"] = Field(alias="is")
    value: Any

    @field_validator("value", mode="before")
    @classmethod
    def _value(cls, value: object) -> object:
        return parse_fact(value)

    @model_validator(mode="after")
    def _list_exactly_for_in(self) -> ConditionDocument:
        if self.value is None or isinstance(self.value, tuple) is not (self.comparison == "in"):
            raise PydanticCustomError("field.value_for_in", "value does not fit the comparison")
        return self

    def to_rules(self) -> Condition:
        """Return the rules' condition."""
        return Condition(self.fact, Comparison(self.comparison), self.value)


class TreeDocument(Document):
    """``{"all": [...]}`` or ``{"any": [...]}`` of conditions and further trees."""

    all: list[Member] | None = Field(default=None, max_length=_MANY)
    any: list[Member] | None = Field(default=None, max_length=_MANY)

    @model_validator(mode="after")
    def _exactly_one(self) -> TreeDocument:
        if (self.all is None) is (self.any is None):
            raise PydanticCustomError("field.tree", "all or any")
        return self

    def to_rules(self) -> Tree:
        """Return the rules' tree."""
        if self.all is not None:
            return AllOf(tuple(member.to_rules() for member in self.all))
        return AnyOf(tuple(member.to_rules() for member in self.any or ()))


def _kind(value: object) -> str:
    tree = isinstance(value, TreeDocument) or (isinstance(value, Mapping) and ("all" in value or "any" in value))
    return TREE if tree else CONDITION


Member = Annotated[
    Annotated[TreeDocument, Tag(TREE)] | Annotated[ConditionDocument, Tag(CONDITION)], Discriminator(_kind)
]
TreeDocument.model_rebuild()


class RateDocument(Document):
    """A rate, when it applies and the reason code it gives."""

    rate_bp: BasisPoints
    when: list[ConditionDocument] = Field(default_factory=list, max_length=_MANY)
    reason: Name | None = None

    def to_rules(self) -> terms.Rate:
        """Return the rules' rate."""
        return terms.Rate(self.rate_bp, tuple(condition.to_rules() for condition in self.when), self.reason)


class CapDocument(Document):
    """A ceiling within a scope."""

    scope: Literal["order", "entity_year", "controller_year", "provider_pool", "fund_year", "scheme"]
    amount_fen: Fen
    when: list[ConditionDocument] = Field(default_factory=list, max_length=_MANY)

    def to_rules(self) -> terms.Cap:
        """Return the rules' cap."""
        when = tuple(condition.to_rules() for condition in self.when)
        return terms.Cap(terms.CapScope(self.scope), self.amount_fen, when)


class RollingDocument(Document):
    """A ceiling for a controller in any ``years`` together; programmes that name one register share what is used of it."""

    register_name: Name = Field(alias="register")
    years: int = Field(ge=1, le=30)
    amount_fen: Fen

    def to_rules(self) -> terms.Rolling:
        """Return the rules' rolling ceiling."""
        return terms.Rolling(self.register_name, self.years, self.amount_fen)


class FunderDocument(Document):
    """A fund and its share."""

    fund: Name
    share_bp: BasisPoints


class StackingDocument(Document):
    """How the programme meets others of its group."""

    group: Name
    mode: Literal["SUM", "MAX", "EXCLUSIVE"]
    combined_cap_bp: BasisPoints | None = None
    combined_cap_fen: Fen | None = None


class WindowDocument(Document):
    """From a day until the day before another; without an end for good."""

    start: Day = Field(alias="from")
    end: Day | None = Field(default=None, alias="to")


class PolicyDocument(Document):
    """A version of a programme. What moves money has to be said; only what has one sensible reading has a default."""

    programme: Name
    version: int = Field(ge=1, le=1_000_000)
    mode: Literal["instant", "reimburse", "auto"]
    currency: Literal["CNY"] = "CNY"
    base: Literal["gross", "net_of_vat"]
    window: WindowDocument
    timezone: Timezone = DEFAULT_ZONE
    year_starts: str = Field(default="01-01", max_length=5)
    eligible: TreeDocument | None = None
    rates: list[RateDocument] = Field(min_length=1, max_length=_MANY)
    price_limit_fen: Fen | None = None
    caps: list[CapDocument] = Field(default_factory=list, max_length=_MANY)
    rolling: RollingDocument | None = None
    funders: list[FunderDocument] = Field(min_length=1, max_length=_MANY)
    stacking: StackingDocument | None = None
    shortfall: Literal["partial", "all_or_nothing"]
    payee: Literal["provider", "tenant"] = "provider"
    claim_days: int = Field(
        default=terms.CLAIM_DAYS,
        ge=1,
        le=3650,
        description="reimburse and auto: the last day to claim is this many days after the delivery",
    )

    @field_validator("caps", mode="before")
    @classmethod
    def _no_caps(cls, value: object) -> object:
        return [] if value is None else value

    def to_rules(self) -> terms.Policy:
        """Return the rules' policy."""
        return terms.Policy(
            programme=self.programme,
            version=self.version,
            mode=terms.Mode(self.mode),
            currency=self.currency,
            base=terms.Base(self.base),
            window=Days(self.window.start, self.window.end),
            timezone=self.timezone,
            year_starts=self.year_starts,
            eligible=self.eligible.to_rules() if self.eligible else AllOf(),
            rates=tuple(rate.to_rules() for rate in self.rates),
            price_limit_fen=self.price_limit_fen,
            caps=tuple(cap.to_rules() for cap in self.caps),
            rolling=self.rolling.to_rules() if self.rolling else None,
            funders=tuple(terms.Funder(funder.fund, funder.share_bp) for funder in self.funders),
            stacking=self._stacking(),
            shortfall=terms.Shortfall(self.shortfall),
            payee=terms.Payee(self.payee),
            claim_days=self.claim_days,
        )

    def _stacking(self) -> terms.Stacking | None:
        if self.stacking is None:
            return None
        return terms.Stacking(
            group=self.stacking.group,
            mode=terms.StackingMode(self.stacking.mode),
            combined_cap_bp=self.stacking.combined_cap_bp,
            combined_cap_fen=self.stacking.combined_cap_fen,
        )


def policy_json(policy: terms.Policy) -> dict[str, Any]:
    """Return a policy as the contract writes it; reading it back gives the same policy."""
    stacking = policy.stacking
    return {
        "programme": policy.programme,
        "version": policy.version,
        "mode": policy.mode.value,
        "currency": policy.currency,
        "base": policy.base.value,
        "window": {
            "from": policy.window.start.isoformat(),
            "to": policy.window.end.isoformat() if policy.window.end else None,
        },
        "timezone": policy.timezone,
        "year_starts": policy.year_starts,
        "eligible": _tree_json(
            policy.eligible if not isinstance(policy.eligible, Condition) else AllOf((policy.eligible,))
        ),
        "rates": [
            {"rate_bp": rate.rate_bp, "when": [_tree_json(condition) for condition in rate.when], "reason": rate.reason}
            for rate in policy.rates
        ],
        "price_limit_fen": policy.price_limit_fen,
        "caps": [
            {
                "scope": cap.scope.value,
                "amount_fen": cap.amount_fen,
                "when": [_tree_json(condition) for condition in cap.when],
            }
            for cap in policy.caps
        ],
        "rolling": None
        if policy.rolling is None
        else {
            "register": policy.rolling.register,
            "years": policy.rolling.years,
            "amount_fen": policy.rolling.amount_fen,
        },
        "funders": [{"fund": funder.fund, "share_bp": funder.share_bp} for funder in policy.funders],
        "stacking": None
        if stacking is None
        else {
            "group": stacking.group,
            "mode": stacking.mode.value,
            "combined_cap_bp": stacking.combined_cap_bp,
            "combined_cap_fen": stacking.combined_cap_fen,
        },
        "shortfall": policy.shortfall.value,
        "payee": policy.payee.value,
        "claim_days": policy.claim_days,
    }


def fact_json(fact: Fact) -> Any:
    """Return a fact as JSON; reading a number's shortest form back gives the same decimal."""
    if isinstance(fact, tuple):
        return [fact_json(member) for member in fact]
    return float(fact) if isinstance(fact, Decimal) else fact


def _tree_json(tree: Tree) -> dict[str, Any]:
    if isinstance(tree, Condition):
        return {"fact": tree.fact, "is": tree.comparison.value, "value": fact_json(tree.value)}
    return {"all" if isinstance(tree, AllOf) else "any": [_tree_json(member) for member in tree.members]}
