"""The yearly true-up of a joint facility: what each party pays or gets back for a year, what it takes over, and its journals.

The capital was paid when the facility was funded: a year's part of it is a party's cost and is not asked for again. What is
settled is ``due − received``: above zero it is charged, below zero it is credited. Both go through the centre's own account,
where what is left is the variable cost less what outsiders paid to the centre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from billing.rules.cost_sharing import Settlement
from billing.rules.joint_agreements import Share, Terms
from billing.rules.joint_years import HOUR, Account, Opening, Part, carry_over, open_accounts
from billing.rules.ledger import BANK, AccountKind, JournalDraft, Posting, Side, park_receivable, wallet
from billing.rules.ledger import Account as BooksAccount
from billing.rules.money import WHOLE_BP


@dataclass(frozen=True, slots=True)
class TrueUpShare:
    """A party's year in whole minutes and fen. Those of a reversal are what they reverse, below zero."""

    park_id: UUID
    share_bp: int
    entitled_minutes: int
    carried_minutes: int
    used_minutes: int
    lent_minutes: int
    borrowed_minutes: int
    carried_over_minutes: int
    capital_fen: int
    due_fen: int
    received_fen: int

    @property
    def amount_fen(self) -> int:
        """Return what is charged; below zero what is credited."""
        return self.due_fen - self.received_fen

    @property
    def net_fen(self) -> int:
        """Return what the year costs the party in all."""
        return self.capital_fen + self.amount_fen


def true_up(
    terms: Terms, parties: Sequence[Share], settled: Settlement, accounts: Sequence[Account], *, at_year_end: bool
) -> tuple[TrueUpShare, ...]:
    """Return the funding parties' shares, by park. Hours are carried over only by a part that reaches the year's end."""
    shares = {each.park_id: each.share_bp for each in parties}
    found = []
    for account in sorted(accounts, key=lambda each: each.opening.park_id):
        money = settled.parks[str(account.opening.park_id)]
        lent = money.lent_hours * HOUR
        found.append(
            TrueUpShare(
                park_id=account.opening.park_id,
                share_bp=shares[account.opening.park_id],
                entitled_minutes=account.opening.entitled_minutes,
                carried_minutes=account.opening.carried_minutes,
                used_minutes=account.used_minutes,
                lent_minutes=int(lent + Fraction(1, 2)),
                borrowed_minutes=account.borrowed_minutes,
                carried_over_minutes=carry_over(terms, account, lent) if at_year_end else 0,
                capital_fen=money.capital_fen,
                due_fen=money.due_fen,
                received_fen=money.received_fen,
            )
        )
    return tuple(found)


def reversed_share(share: TrueUpShare) -> TrueUpShare:
    """Return what undoes a share: its amounts below zero, nothing carried over."""
    return replace(
        share,
        carried_over_minutes=0,
        capital_fen=-share.capital_fen,
        due_fen=-share.due_fen,
        received_fen=-share.received_fen,
    )


def carried_openings(
    terms: Terms, parties: Sequence[Share], part: Part, accounts: Sequence[Account], carried: Mapping[UUID, int]
) -> tuple[Opening, ...] | None:
    """Return a year's accounts with what was carried over; None where they would not hold what was used already.

    What others carried over makes the rest smaller: the largest ten-thousandth of it counts that leaves every party what
    it has used and released.
    """
    taken = {each.opening.park_id: each.used_minutes + each.released_minutes for each in accounts}

    def opened(bp: int) -> tuple[Opening, ...] | None:
        over = {park_id: minutes * bp // WHOLE_BP for park_id, minutes in carried.items()}
        found = open_accounts(terms, parties, part, over)
        fits = all(taken.get(each.park_id, 0) <= each.entitled_minutes + each.overdraw_minutes for each in found)
        return found if fits else None

    least, most = 0, WHOLE_BP
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if opened(middle) else (least, middle - 1)
    return opened(least)


def centre_account(series_id: UUID) -> BooksAccount:
    """Return the account of what is owed to a joint facility's centre: what the parties paid in, less what lenders got."""
    return BooksAccount(f"joint:centre:{series_id}", AccountKind.LIABILITY)


def charge(*, park_id: UUID, series_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of what a party owes for a year. It is passed on to the centre: no revenue, and no VAT."""
    postings = (
        Posting(park_receivable(park_id), Side.DEBIT, amount_fen),
        Posting(centre_account(series_id), Side.CREDIT, amount_fen),
    )
    return JournalDraft("delivery", source_id, "共建年度结算", occurred_at, postings, tenant_id=park_id)


def credit(*, park_id: UUID, series_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of what a party gets for a year: into its wallet."""
    postings = (
        Posting(centre_account(series_id), Side.DEBIT, amount_fen),
        Posting(wallet(park_id), Side.CREDIT, amount_fen),
    )
    return JournalDraft("joint_credit", source_id, "共建年度结算退入钱包", occurred_at, postings, tenant_id=park_id)


def centre_paid(*, series_id: UUID, source_id: str, occurred_at: datetime, amount_fen: int) -> JournalDraft:
    """Return the journal of a transfer to the centre: it is owed less; below zero, of one that is taken back."""
    owed, bank = (Side.DEBIT, Side.CREDIT) if amount_fen > 0 else (Side.CREDIT, Side.DEBIT)
    postings = (
        Posting(centre_account(series_id), owed, abs(amount_fen)),
        Posting(BANK, bank, abs(amount_fen)),
    )
    what = "付给共建中心" if amount_fen > 0 else "冲回付给共建中心的款项"
    return JournalDraft("joint_payment", source_id, what, occurred_at, postings)
