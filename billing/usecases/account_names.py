"""What an account of the books is called by people: the park's or fund's name instead of its id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from billing.store import books
from billing.store.ceiling_queries import NOBODY
from billing.store.fund_queries import names_of_funds
from tenants.kernel.identifiers import parse_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


@dataclass(frozen=True)
class AccountView:
    """An account. ``role`` is its code without its owner's id, such as ``receivable:park``; ``owner`` the name behind the id.

    ``owner_en`` is empty where the owner has one name only.
    """

    code: str
    kind: str
    role: str
    owner: str
    owner_en: str = ""


def name_accounts(work: Work, *, codes: Collection[str]) -> dict[str, AccountView]:
    """Return accounts by code."""
    work.actor.require(Permission.READ_LEDGER)
    return account_views(work, codes)


def account_views(work: Work, codes: Collection[str]) -> dict[str, AccountView]:
    """Return accounts by code, for use cases that have asked for their own permission."""
    found = books.accounts_of(work.session, codes)
    owners = {row.code: _owner_id(row.code) for row in found}
    wanted = {owner for owner in owners.values() if owner is not None}
    names = {park: (name, "") for park, name in onboarding.park_names(work, park_ids=wanted).items()}
    names |= names_of_funds(work.session, wanted)
    return {
        row.code: AccountView(row.code, row.kind, _role(row.code), *names.get(owners[row.code] or NOBODY, ("", "")))
        for row in found
    }


def _owner_id(code: str) -> UUID | None:
    return parse_id(code.rpartition(":")[2])


def _role(code: str) -> str:
    head, _, last = code.rpartition(":")
    return code if parse_id(last) is None else head
