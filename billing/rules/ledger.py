"""Double entry: what each business event posts. A draft that does not balance cannot be made.

Amounts are positive whole fen; a wrong journal is undone by its reversal, never changed. The park owes its part and
each fund its own part from the moment of delivery; revenue is what both owe, less the VAT contained in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.rules.money import vat_of_gross
from billing.rules.periods import DEFAULT_ZONE, month_name


class AccountKind(StrEnum):
    """What an account is in the balance sheet."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    EXPENSE = "expense"


class Side(StrEnum):
    """The side of a posting."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


@dataclass(frozen=True, slots=True)
class Account:
    """An account by its code, which names it for good; its park or its fund where it belongs to one."""

    code: str
    kind: AccountKind
    tenant_id: UUID | None = None
    fund_id: UUID | None = None


BANK = Account("bank", AccountKind.ASSET)
REVENUE = Account("revenue:services", AccountKind.REVENUE)
OUTPUT_VAT = Account("vat:output", AccountKind.LIABILITY)
GRANTED_CREDIT = Account("expense:credits", AccountKind.EXPENSE)
"""Credit that parks were given: a cost of the platform until it expires."""
UNIDENTIFIED = Account("suspense:receipts", AccountKind.LIABILITY)
"""Money that came in and whose payer is not known yet."""


def park_receivable(park_id: UUID) -> Account:
    """Return the account of what a park owes."""
    return Account(f"receivable:park:{park_id}", AccountKind.ASSET, tenant_id=park_id)


def fund_receivable(fund_id: UUID) -> Account:
    """Return the account of what a fund owes for delivered services."""
    return Account(f"receivable:fund:{fund_id}", AccountKind.ASSET, fund_id=fund_id)


def provider_account(provider_id: UUID) -> Account:
    """Return the running account with a provider: what the platform owes it."""
    return Account(f"provider:{provider_id}", AccountKind.LIABILITY)


def grants_payable(park_id: UUID) -> Account:
    """Return the account of what funds owe a park for what it paid itself: passed on, never the platform's revenue."""
    return Account(f"grants:park:{park_id}", AccountKind.LIABILITY, tenant_id=park_id)


TREASURY_BUDGET = Account("budget:treasury", AccountKind.LIABILITY)
"""What the treasury has set aside for all funds: the other side of their budgets."""


def fund_budget(fund_id: UUID) -> Account:
    """Return the account of a fund's budget: what it was given, whatever of it was spent."""
    return Account(f"budget:fund:{fund_id}", AccountKind.ASSET, fund_id=fund_id)


def wallet(park_id: UUID) -> Account:
    """Return the account of a park's prepaid money, held parts included: it is the park's until it is used."""
    return Account(f"wallet:park:{park_id}", AccountKind.LIABILITY, tenant_id=park_id)


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a journal on one account."""

    account: Account
    side: Side
    amount_fen: int

    def __post_init__(self) -> None:
        if self.amount_fen <= 0:
            raise ValueError(f"a posting on {self.account.code} needs a positive amount")


class Unbalanced(ValueError):  # noqa: N818 - a bug in a builder, named for what it is
    """Debits and credits of a draft differ, or there are none."""


@dataclass(frozen=True, slots=True)
class JournalDraft:
    """A business event ready to be posted: ``(source_kind, source_id)`` is posted once."""

    source_kind: str
    source_id: str
    description: str
    occurred_at: datetime
    postings: tuple[Posting, ...]
    tenant_id: UUID | None = None
    reverses_id: UUID | None = None

    def __post_init__(self) -> None:
        if not self.postings or sum(signed(posting) for posting in self.postings) != 0:
            raise Unbalanced(f"{self.source_kind} {self.source_id} does not balance")

    @property
    def period(self) -> str:
        """The month the journal belongs to, ``YYYY-MM``."""
        return month_name(self.occurred_at, DEFAULT_ZONE)

    @property
    def total_fen(self) -> int:
        """The sum of its debits, which is that of its credits."""
        return sum(posting.amount_fen for posting in self.postings if posting.side is Side.DEBIT)


def signed(posting: Posting) -> int:
    """Return a debit as a positive, a credit as a negative amount."""
    return posting.amount_fen if posting.side is Side.DEBIT else -posting.amount_fen


def delivery(
    *,
    park_id: UUID,
    source_id: str,
    occurred_at: datetime,
    payable_fen: int,
    by_fund: Mapping[UUID, int],
    vat_bp: int,
) -> JournalDraft | None:
    """Return the journal of a delivered service: the park and each fund owe their parts. None for a free one."""
    gross = payable_fen + sum(by_fund.values())
    if not gross:
        return None
    vat = vat_of_gross(gross, vat_bp)
    postings = [
        *_post(park_receivable(park_id), payable_fen),
        *(posting for fund_id in sorted(by_fund) for posting in _post(fund_receivable(fund_id), by_fund[fund_id])),
        *_post(REVENUE, vat - gross),
        *_post(OUTPUT_VAT, -vat),
    ]
    return JournalDraft("delivery", source_id, "服务交付", occurred_at, tuple(postings), tenant_id=park_id)


def bank_receipt(
    *, park_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int, to_invoices_fen: int
) -> JournalDraft:
    """Return the journal of a transfer received: what no invoice takes goes to the park's wallet."""
    postings = (
        *_post(BANK, amount_fen),
        *_post(park_receivable(park_id), -to_invoices_fen),
        *_post(wallet(park_id), to_invoices_fen - amount_fen),
    )
    return JournalDraft("bank_receipt", source_id, "收到银行转账", occurred_at, postings, tenant_id=park_id)


def unidentified_receipt(*, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of a transfer received from nobody knows whom."""
    postings = (*_post(BANK, amount_fen), *_post(UNIDENTIFIED, -amount_fen))
    return JournalDraft("bank_receipt", source_id, "收到待认领转账", occurred_at, postings)


def identified_receipt(
    *, park_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int, to_invoices_fen: int
) -> JournalDraft:
    """Return the journal that gives an unidentified transfer to the park that sent it."""
    postings = (
        *_post(UNIDENTIFIED, amount_fen),
        *_post(park_receivable(park_id), -to_invoices_fen),
        *_post(wallet(park_id), to_invoices_fen - amount_fen),
    )
    return JournalDraft("identified_receipt", source_id, "认领银行转账", occurred_at, postings, tenant_id=park_id)


def wallet_top_up(*, park_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of money paid into a wallet."""
    postings = (*_post(BANK, amount_fen), *_post(wallet(park_id), -amount_fen))
    return JournalDraft("wallet_top_up", source_id, "钱包充值", occurred_at, postings, tenant_id=park_id)


def credit_granted(*, park_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of credit given to a park."""
    postings = (*_post(GRANTED_CREDIT, amount_fen), *_post(wallet(park_id), -amount_fen))
    return JournalDraft("credit_granted", source_id, "赠送额度", occurred_at, postings, tenant_id=park_id)


def credit_expired(*, park_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of given credit that was not used in time."""
    postings = (*_post(wallet(park_id), amount_fen), *_post(GRANTED_CREDIT, -amount_fen))
    return JournalDraft("credit_expired", source_id, "赠送额度到期", occurred_at, postings, tenant_id=park_id)


def wallet_capture(*, park_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of a debt paid from the wallet."""
    postings = (*_post(wallet(park_id), amount_fen), *_post(park_receivable(park_id), -amount_fen))
    return JournalDraft("wallet_capture", source_id, "钱包扣款", occurred_at, postings, tenant_id=park_id)


def disbursement(*, fund_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of a fund paying what it owes."""
    postings = (*_post(BANK, amount_fen), *_post(fund_receivable(fund_id), -amount_fen))
    return JournalDraft("disbursement", source_id, "补贴资金拨付", occurred_at, postings)


def later_grant(
    *, park_id: UUID, source_id: str, occurred_at: datetime, by_fund: Mapping[UUID, int]
) -> JournalDraft:  # fmt: skip
    """Return the journal of an award granted after the park has paid: funds owe it, and it is owed to the park."""
    return _grant_journal("later_grant", "后补助核定", park_id, source_id, occurred_at, by_fund, 1)


def later_grant_paid(
    *, park_id: UUID, source_id: str, occurred_at: datetime, by_fund: Mapping[UUID, int]
) -> JournalDraft:  # fmt: skip
    """Return the journal of a grant that funds have paid to the park itself: nobody owes it any more."""
    return _grant_journal("later_grant_paid", "后补助拨付至园区", park_id, source_id, occurred_at, by_fund, -1)


def later_grant_undone(
    *, park_id: UUID, source_id: str, occurred_at: datetime, by_fund: Mapping[UUID, int]
) -> JournalDraft:  # fmt: skip
    """Return the journal of a grant given back before it was paid."""
    return _grant_journal("later_grant_undone", "后补助撤回", park_id, source_id, occurred_at, by_fund, -1)


def _grant_journal(
    kind: str,
    description: str,
    park_id: UUID,
    source_id: str,
    occurred_at: datetime,
    by_fund: Mapping[UUID, int],
    sign: int,
) -> JournalDraft:
    postings = [
        each for fund_id in sorted(by_fund) for each in _post(fund_receivable(fund_id), sign * by_fund[fund_id])
    ]
    owed = _post(grants_payable(park_id), -sign * sum(by_fund.values()))
    return JournalDraft(kind, source_id, description, occurred_at, (*postings, *owed), tenant_id=park_id)


def appropriation(*, fund_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of a budget given to a fund."""
    postings = (*_post(fund_budget(fund_id), amount_fen), *_post(TREASURY_BUDGET, -amount_fen))
    return JournalDraft("appropriation", source_id, "预算拨入专项资金", occurred_at, postings)


def budget_return(*, fund_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of an unspent budget going back to the treasury."""
    postings = (*_post(TREASURY_BUDGET, amount_fen), *_post(fund_budget(fund_id), -amount_fen))
    return JournalDraft("budget_return", source_id, "结余预算退回财政", occurred_at, postings)


def carry_over(
    *, fund_id: UUID, to_fund_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int
) -> JournalDraft:
    """Return the journal of an unspent budget going into another year's fund."""
    postings = (*_post(fund_budget(to_fund_id), amount_fen), *_post(fund_budget(fund_id), -amount_fen))
    return JournalDraft("carry_over", source_id, "结余预算结转", occurred_at, postings)


def claim_given_up(
    *, fund_id: UUID, provider_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int
) -> JournalDraft:
    """Return the journal of a claim that its fund does not pay: the provider bears what it delivered."""
    postings = (*_post(provider_account(provider_id), amount_fen), *_post(fund_receivable(fund_id), -amount_fen))
    return JournalDraft("claim_given_up", source_id, "放弃补贴申报，由服务机构承担", occurred_at, postings)


def vat_adjustment(*, park_id: UUID, source_id: str, occurred_at: datetime, more_vat_fen: int) -> JournalDraft | None:
    """Return the journal that brings posted VAT to an invoice's: VAT rounded once on the whole, not per delivery."""
    if not more_vat_fen:
        return None
    postings = (*_post(REVENUE, more_vat_fen), *_post(OUTPUT_VAT, -more_vat_fen))
    return JournalDraft("vat_adjustment", source_id, "发票税额尾差", occurred_at, postings, tenant_id=park_id)


def invoice_discount(
    *, park_id: UUID, source_id: str, occurred_at: datetime, less_fen: int
) -> JournalDraft | None:  # fmt: skip
    """Return the journal of what an invoice's discount takes off the park's debt; negative where it is taken back.

    The VAT in it is part of the invoice's ``vat_adjustment``.
    """
    if not less_fen:
        return None
    postings = (*_post(REVENUE, less_fen), *_post(park_receivable(park_id), -less_fen))
    return JournalDraft("invoice_discount", source_id, "账单折扣", occurred_at, postings, tenant_id=park_id)


def sale_back(
    *,
    park_id: UUID,
    source_kind: str,
    source_id: str,
    occurred_at: datetime,
    vat_fen: int,
    park_fen: int = 0,
    wallet_fen: int = 0,
    by_fund: Mapping[UUID, int] | None = None,
    by_provider: Mapping[UUID, int] | None = None,
) -> JournalDraft | None:
    """Return the journal that takes a sale back, wholly or in part, by the shares of who paid. None for nothing.

    The park owes ``park_fen`` less and gets ``wallet_fen`` back into its wallet, the funds owe less; what a provider
    pays back to a fund itself, in ``by_provider``, stands to its credit. ``vat_fen`` is the VAT contained in all.
    """
    owed = [(park_receivable(park_id), park_fen), (wallet(park_id), wallet_fen)]
    owed += [(fund_receivable(fund_id), fen) for fund_id, fen in sorted((by_fund or {}).items())]
    owed += [(provider_account(provider_id), fen) for provider_id, fen in sorted((by_provider or {}).items())]
    gross = sum(fen for _, fen in owed)
    if not gross:
        return None
    postings = [
        *_post(REVENUE, gross - vat_fen),
        *_post(OUTPUT_VAT, vat_fen),
        *(posting for account, fen in owed for posting in _post(account, -fen)),
    ]
    return JournalDraft(source_kind, source_id, "服务退回", occurred_at, tuple(postings), tenant_id=park_id)


def reversal(draft: JournalDraft, *, journal_id: UUID, occurred_at: datetime) -> JournalDraft:
    """Return the journal that undoes a posted one: the same postings, sides swapped. It can be posted once."""
    return JournalDraft(
        source_kind="reversal",
        source_id=str(journal_id),
        description="冲销",
        occurred_at=occurred_at,
        postings=tuple(Posting(one.account, one.side.other, one.amount_fen) for one in draft.postings),
        tenant_id=draft.tenant_id,
        reverses_id=journal_id,
    )


def balances(postings: Iterable[Posting]) -> dict[str, int]:
    """Return each account's balance, debits less owed; over whole journals they sum to zero."""
    found: dict[str, int] = {}
    for posting in postings:
        found[posting.account.code] = found.get(posting.account.code, 0) + signed(posting)
    return dict(sorted(found.items()))


def _post(account: Account, signed_fen: int) -> tuple[Posting, ...]:
    """Return a debit for a positive, a credit for a negative amount, and no posting for zero."""
    if not signed_fen:
        return ()
    return (Posting(account, Side.DEBIT if signed_fen > 0 else Side.CREDIT, abs(signed_fen)),)
