"""Accounts of the books by the names of their parks, providers and funds, where a person looks for those."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from billing.usecases import funds
from marketplace.web.rendering import name_in_language, say
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

TITLES: Mapping[str, Message] = {
    "bank": msg("银行存款"),
    "revenue:services": msg("服务收入"),
    "vat:output": msg("销项税额"),
    "suspense:receipts": msg("待认领收款"),
    "budget:treasury": msg("财政拨款"),
    "receivable:park": msg("应收园区"),
    "receivable:fund": msg("应收专项资金"),
    "wallet:park": msg("园区钱包"),
    "grants:park": msg("应付园区补助"),
    "budget:fund": msg("专项资金预算"),
    "provider": msg("应付服务机构"),
}


@dataclass(frozen=True)
class AccountName:
    """What an account is, and whose; ``code`` names it for good."""

    code: str
    title: str
    owner: str


def account_names(work: Work, codes: Collection[str]) -> dict[str, AccountName]:
    """Return the names of accounts by code. An account of an unknown sort is called by its code."""
    split = {code: _parts(code) for code in codes}
    owners = {owner for _, owner in split.values() if owner is not None}
    called = dict(onboarding.park_names(work, park_ids=owners))
    if work.actor.may(Permission.READ_FUND):
        called |= {fund.id: name_in_language(fund.name, fund.name_en) for fund in funds.list_funds(work)}
    return {
        code: AccountName(
            code,
            say(TITLES[sort]) if sort in TITLES else sort,
            "" if owner is None else called.get(owner, str(owner)),
        )
        for code, (sort, owner) in split.items()
    }


def _parts(code: str) -> tuple[str, UUID | None]:
    """Return the sort of an account and the id of whose it is."""
    sort, _, last = code.rpartition(":")
    owner = parse_id(last) if sort else None
    return (code, None) if owner is None else (sort, owner)
