"""The books of clawbacks: what bearers owe, to which fund it comes back, and what is given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.ledger import (
    BANK,
    Account,
    AccountKind,
    JournalDraft,
    Posting,
    Side,
    fund_receivable,
    provider_account,
    wallet,
)

WRITE_OFFS = Account("expense:write_offs", AccountKind.EXPENSE)
"""What was owed and will not come."""


def clawback_receivable(bearer: str, bearer_id: UUID) -> Account:
    """Return the account of what a park or a provider has to pay back. ``bearer`` says which of the two it is."""
    tenant_id = bearer_id if bearer == "park" else None
    return Account(f"receivable:clawback:{bearer}:{bearer_id}", AccountKind.ASSET, tenant_id=tenant_id)


def clawback_payable(fund_id: UUID) -> Account:
    """Return the account of what is to come back to a fund: asked of its bearers, and not there yet."""
    return Account(f"clawback:fund:{fund_id}", AccountKind.LIABILITY, fund_id=fund_id)


@dataclass(frozen=True, slots=True)
class Debt:
    """Who owes a clawback, and whose journal it is: a park's for its own debts, nobody's for a provider's."""

    bearer: str
    bearer_id: UUID

    @property
    def account(self) -> Account:
        """The account of what is owed."""
        return clawback_receivable(self.bearer, self.bearer_id)

    @property
    def tenant_id(self) -> UUID | None:
        """The park that may read the journal."""
        return self.bearer_id if self.bearer == "park" else None


def demand(
    debt: Debt,
    *,
    source_id: str,
    occurred_at: datetime,
    to_fund: Mapping[UUID, int],
    to_seller: Mapping[UUID, int],
) -> JournalDraft | None:
    """Return the journal of a decided clawback. None where nothing has to be paid back.

    What had been paid out is owed to its funds; of what had not (``to_seller``), the funds owe nothing any more and the
    bearer owes it for the service.
    """
    owed = sum(to_fund.values()) + sum(to_seller.values())
    if not owed:
        return None
    postings = (
        *_post(debt.account, owed),
        *_by_fund(clawback_payable, -1, to_fund),
        *_by_fund(fund_receivable, -1, to_seller),
    )
    return JournalDraft("clawback_demand", source_id, "追回补贴资金", occurred_at, postings, tenant_id=debt.tenant_id)


def repaid(
    debt: Debt, *, source_id: str, occurred_at: datetime, by_fund: Mapping[UUID, int]
) -> JournalDraft:  # fmt: skip
    """Return the journal of money paid back to the treasury's own account: it is owed to the funds no more."""
    postings = (
        *_by_fund(clawback_payable, 1, by_fund),
        *_post(debt.account, -sum(by_fund.values())),
    )
    return JournalDraft("clawback_repaid", source_id, "追回资金退库", occurred_at, postings, tenant_id=debt.tenant_id)


def set_off(debt: Debt, *, source_id: str, occurred_at: datetime, by_fund: Mapping[UUID, int]) -> JournalDraft:
    """Return the journal of what a provider pays back by not being paid: it is owed to the funds no more, less comes in
    by bank than the paying fund has spent, and what stood to the provider's credit for it is settled.
    """
    amount_fen = sum(by_fund.values())
    postings = (
        *_post(provider_account(debt.bearer_id), amount_fen),
        *_post(BANK, -amount_fen),
        *_by_fund(clawback_payable, 1, by_fund),
        *_post(debt.account, -amount_fen),
    )
    return JournalDraft("clawback_set_off", source_id, "拨付款抵扣追回资金", occurred_at, postings)


def paid_from_wallet(
    debt: Debt, *, source_id: str, occurred_at: datetime, amount_fen: int
) -> JournalDraft:  # fmt: skip
    """Return the journal of a park paying from its wallet what no fund pays for its service."""
    postings = (*_post(wallet(debt.bearer_id), amount_fen), *_post(debt.account, -amount_fen))
    return JournalDraft(
        "clawback_wallet", source_id, "钱包支付应退补贴", occurred_at, postings, tenant_id=debt.tenant_id
    )


def written_off(
    debt: Debt, *, source_id: str, occurred_at: datetime, by_fund: Mapping[UUID, int], to_seller_fen: int
) -> JournalDraft:
    """Return the journal of what is given up: it comes back to no fund, and the seller bears its own part."""
    postings = (
        *_by_fund(clawback_payable, 1, by_fund),
        *_post(WRITE_OFFS, to_seller_fen),
        *_post(debt.account, -sum(by_fund.values()) - to_seller_fen),
    )
    return JournalDraft(
        "clawback_written_off", source_id, "核销无法追回的资金", occurred_at, postings, tenant_id=debt.tenant_id
    )


def _post(account: Account, signed_fen: int) -> tuple[Posting, ...]:
    """Return a debit for a positive, a credit for a negative amount, and no posting for zero."""
    if not signed_fen:
        return ()
    return (Posting(account, Side.DEBIT if signed_fen > 0 else Side.CREDIT, abs(signed_fen)),)


def _by_fund(account_of: Callable[[UUID], Account], sign: int, amounts: Mapping[UUID, int]) -> tuple[Posting, ...]:
    """Return a posting for each fund's amount, in the order of the funds."""
    return tuple(each for fund_id in sorted(amounts) for each in _post(account_of(fund_id), sign * amounts[fund_id]))
