"""The contract's quote command: policies, an order, what was used and what funds have; and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator

from billing.formats.documents import FLAT, NAMED, Document, read_document
from billing.formats.exemptions import ExemptionDocument, exemption_json
from billing.formats.fields import Fen, Moment, Name, parse_fact
from billing.formats.policy import PolicyDocument, fact_json, policy_json
from billing.rules.exemptions import Exemption, check_terms
from billing.rules.policies import RESERVED, check_policy, repeated
from billing.rules.subsidies import Award, LineQuote, Quote
from billing.rules.terms import CapScope, OrderFacts, OrderLine, Policy, Used
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

_SCOPES = frozenset(scope.value for scope in CapScope)
MAX_POLICIES = 1_000
MAX_LINES = 1_000


def _kind(value: object) -> str:
    return NAMED if isinstance(value, Mapping) else FLAT


Taken = Annotated[Annotated[Fen, Tag(FLAT)] | Annotated[dict[Name, Fen], Tag(NAMED)], Discriminator(_kind)]


class WithFacts(Document):
    """Something that states facts by any name."""

    facts: dict[Name, Any] = Field(default_factory=dict, max_length=500)

    @field_validator("facts", mode="after")
    @classmethod
    def _facts(cls, value: dict[str, object]) -> dict[str, object]:
        return {name: parse_fact(fact) for name, fact in value.items()}


class LineDocument(WithFacts):
    """A priced line."""

    offering: Name
    gross_fen: Fen
    vat_bp: int = Field(ge=0, le=10_000)


class OrderDocument(WithFacts):
    """The order to price."""

    date: Moment
    lines: list[LineDocument] = Field(min_length=1, max_length=MAX_LINES)

    def to_rules(self) -> OrderFacts:
        """Return the rules' order."""
        assert isinstance(self.date, date)  # noqa: S101 - a datetime is a date; the field's validator gives no other
        lines = tuple(OrderLine(line.offering, line.gross_fen, line.vat_bp, line.facts) for line in self.lines)
        return OrderFacts(moment=self.date, lines=lines, facts=self.facts)


class QuoteDocument(Document):
    """The command's input."""

    policies: list[PolicyDocument] = Field(max_length=MAX_POLICIES)
    order: OrderDocument
    used: dict[Name, Taken] = Field(default_factory=dict)
    funds: dict[Name, Fen] = Field(default_factory=dict)
    exemptions: list[ExemptionDocument] = Field(default_factory=list, max_length=MAX_POLICIES)


@dataclass(frozen=True, slots=True)
class QuoteCommand:
    """Everything a quote is made from."""

    policies: tuple[Policy, ...]
    order: OrderFacts
    used: Used
    funds: Mapping[str, int]
    exemptions: tuple[Exemption, ...] = ()


def read_quote(document: object) -> QuoteCommand:
    """Return the command in ``document``. Raises Invalid with the path of every fault."""
    parsed = read_document(QuoteDocument, document)
    policies = tuple(policy.to_rules() for policy in parsed.policies)
    errors = [error for index, policy in enumerate(policies) for error in check_policy(policy, f"policies[{index}].")]
    errors += [
        FieldError(f"policies[{index}]", "policy.twice", msg("同一项目的同一版本出现两次。请删除其中一个。"))
        for index in repeated(policies)
    ]
    exemptions = tuple(each.to_rules() for each in parsed.exemptions)
    used, faults = _used(parsed.used)
    errors += [*faults, *_check_exemptions(exemptions)]
    if errors:
        raise Invalid(
            "document.invalid", msg("输入有 {count} 处错误。请按所列字段逐一改正。", count=len(errors)), errors=errors
        )
    return QuoteCommand(policies, parsed.order.to_rules(), used, parsed.funds, exemptions)


def _check_exemptions(exemptions: Sequence[Exemption]) -> Iterable[FieldError]:
    for index, each in enumerate(exemptions):
        yield from check_terms(each.terms, f"exemptions[{index}].terms.")
        if each.id in {other.id for other in exemptions[:index]}:
            yield FieldError(f"exemptions[{index}].id", "exemption.twice", msg("同一批复出现两次。请删除其中一个。"))


def _used(document: Mapping[str, int | dict[str, int]]) -> tuple[Used, list[FieldError]]:
    """Return what was used: a number belongs to a scope, an object to a programme, or (``rolling``) to its registers."""
    flat: dict[CapScope, int] = {}
    by_programme: dict[str, dict[CapScope, int]] = {}
    rolling: dict[str, int] = {}
    faults = []
    for name, value in document.items():
        if isinstance(value, int):
            scopes, path, into = {name: value}, "used", flat
        elif name == RESERVED:
            rolling = value
            continue
        else:
            scopes, path, into = value, f"used.{name}", by_programme.setdefault(name, {})
        into |= {CapScope(scope): fen for scope, fen in scopes.items() if scope in _SCOPES}
        faults += [_no_scope(f"{path}.{scope}") for scope in scopes if scope not in _SCOPES]
    return Used(flat, by_programme, rolling), faults


def _no_scope(path: str) -> FieldError:
    return FieldError(path, "quote.unknown_scope", msg("没有这个上限范围。可用：{scopes}。", scopes=sorted(_SCOPES)))


def quote_command_json(
    policies: Sequence[Policy],
    order: OrderFacts,
    used: Used,
    funds: Mapping[str, int],
    exemptions: Sequence[Exemption] = (),
) -> dict[str, Any]:
    """Return everything a quote was made from as the command's input: stored, it replays the quote to the same fen.

    Funds that no policy names are left out.
    """
    named = {funder.fund for policy in policies for funder in policy.funders}
    return {
        "policies": [policy_json(policy) for policy in policies],
        "order": {
            "date": _moment_json(order.moment),
            "facts": {name: fact_json(fact) for name, fact in order.facts.items()},
            "lines": [
                {
                    "offering": line.offering,
                    "gross_fen": line.gross_fen,
                    "vat_bp": line.vat_bp,
                    "facts": {name: fact_json(fact) for name, fact in line.facts.items()},
                }
                for line in order.lines
            ],
        },
        "used": {
            **{scope.value: fen for scope, fen in used.flat.items()},
            **{
                programme: {scope.value: fen for scope, fen in scopes.items()}
                for programme, scopes in used.by_programme.items()
            },
            **({RESERVED: dict(used.rolling)} if used.rolling else {}),
        },
        "funds": {fund: available for fund, available in funds.items() if fund in named},
        "exemptions": [exemption_json(each) for each in exemptions],
    }


def _moment_json(moment: date | datetime) -> str:
    return moment.isoformat()


def quote_json(quote: Quote) -> dict[str, Any]:
    """Return a quote as the contract writes it, with what the park pays at checkout (``due_fen``) beside it."""
    return {
        "lines": [_line_json(line) for line in quote.lines],
        "gross_fen": quote.gross_fen,
        "subsidy_fen": quote.subsidy_fen,
        "payable_fen": quote.payable_fen,
        "due_fen": quote.due_fen,
    }


def _line_json(line: LineQuote) -> dict[str, Any]:
    return {
        "offering": line.offering,
        "gross_fen": line.gross_fen,
        "subsidy_fen": line.subsidy_fen,
        "payable_fen": line.payable_fen,
        "due_fen": line.due_fen,
        "awards": [award_json(award) for award in line.awards],
    }


def award_json(award: Award) -> dict[str, Any]:
    """Return an award as the contract writes it, with what it was worked out from."""
    return {
        "programme": award.programme,
        "version": award.version,
        "mode": award.mode.value,
        "payee": award.payee.value,
        "rate_bp": award.rate_bp,
        "base_fen": award.base_fen,
        "claim_fen": award.claim_fen,
        "amount_fen": award.amount_fen,
        "by_funder": dict(award.by_funder),
        "reasons": list(award.reasons),
        "unknown_facts": list(award.unknown_facts),
        "exemption": None
        if award.exemption is None
        else {"id": award.exemption.id, "document_no": award.exemption.document_no},
    }
