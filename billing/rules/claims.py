"""Claims: the life of a batch, what a line has to prove, how long it is shown in public, and who is paid how much.

Days are calendar days of the province's zone. The day on which something happens is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from billing.rules.periods import DEFAULT_ZONE, local_day, start_of_day

ACCEPTANCE_DAYS = 7
"""A delivery that the park neither accepts nor disputes in so many days counts as accepted."""
NOTICE_DAYS = 7
"""How long a batch is shown in public unless its second reviewer says longer."""
SHORTEST_NOTICE = 5
LONGEST_NOTICE = 60


class BatchStatus(StrEnum):
    """The life of a batch. ``disbursed`` begins with the first payout, ``done`` ends it."""

    OPEN = "open"
    FIRST_REVIEW = "first_review"
    SECOND_REVIEW = "second_review"
    NOTICE = "notice"
    DISBURSED = "disbursed"
    DONE = "done"


class LineStatus(StrEnum):
    """Where a claim line is: on its way with its batch, sent back, given up, or paid."""

    CLAIMED = "claimed"
    RETURNED = "returned"
    GIVEN_UP = "given_up"
    PAID = "paid"


class PayeeKind(StrEnum):
    """Who is paid: the provider of the service, or the park itself."""

    PROVIDER = "provider"
    TENANT = "tenant"


class Proof(StrEnum):
    """What a line has to prove before its batch is submitted."""

    PAYEE = "payee"
    ORDER = "order"
    METERING = "metering"
    ACCEPTANCE = "acceptance"
    REPORT = "report"
    INVOICE = "invoice"
    PAYMENT = "payment"


@dataclass(frozen=True)
class LineProof:
    """What there is for one line. ``payable_fen`` is the park's own part; nothing to pay needs no proof of payment."""

    payee_id: UUID | None
    order_line: str | None
    event_id: str | None
    acceptance: str | None
    report_sha256: str | None
    invoice_number: str | None
    invoice_paid: bool
    payable_fen: int


def missing_proofs(proof: LineProof) -> tuple[Proof, ...]:
    """Return what a line lacks, in the order of ``Proof``; nothing when it can be submitted."""
    held = {
        Proof.PAYEE: proof.payee_id is not None,
        Proof.ORDER: bool(proof.order_line),
        Proof.METERING: bool(proof.event_id),
        Proof.ACCEPTANCE: proof.acceptance in {"accepted", "automatic"},
        Proof.REPORT: bool(proof.report_sha256),
        Proof.INVOICE: bool(proof.invoice_number),
        Proof.PAYMENT: proof.invoice_paid or not proof.payable_fen,
    }
    return tuple(each for each in Proof if not held[each])


def accepted_by_silence(delivered_at: datetime, now: datetime, timezone: str = DEFAULT_ZONE) -> bool:
    """Tell whether ``ACCEPTANCE_DAYS`` whole days have passed since the day of delivery."""
    return now >= end_after_days(delivered_at, ACCEPTANCE_DAYS, timezone)


def end_after_days(moment: datetime, days: int, timezone: str = DEFAULT_ZONE) -> datetime:
    """Return the midnight that ends ``days`` whole calendar days after the day of ``moment``."""
    return start_of_day(local_day(moment, timezone) + timedelta(days=days + 1), timezone)


def exemption_of(awards: Iterable[Mapping[str, Any]], programme: str, version: int) -> str | None:
    """Return the document number of the case-by-case decision behind a programme's award, if there was one."""
    for award in awards:
        if award.get("programme") == programme and award.get("version") == version:
            exemption = award.get("exemption")
            if isinstance(exemption, Mapping) and exemption.get("document_no"):
                return str(exemption["document_no"])
    return None


def payee_kind_of(awards: Iterable[Mapping[str, Any]], programme: str, version: int) -> PayeeKind:
    """Return whom a programme's award is paid to; the provider where the award does not say."""
    for award in awards:
        if award.get("programme") == programme and award.get("version") == version:
            return PayeeKind(award.get("payee") or PayeeKind.PROVIDER)
    return PayeeKind.PROVIDER


@dataclass(frozen=True)
class DueLine:
    """A line ready to be paid."""

    tenant_id: UUID
    line_id: UUID
    payee_kind: str
    payee_id: UUID
    amount_fen: int
    is_price: bool = True
    """It pays a part of a service's price; otherwise it is a grant that the payee passes on to the park."""


@dataclass(frozen=True)
class DuePayout:
    """What one payee gets, for which lines."""

    payee_kind: str
    payee_id: UUID
    lines: tuple[DueLine, ...]

    @property
    def amount_fen(self) -> int:
        """Return the sum of its lines."""
        return sum(line.amount_fen for line in self.lines)

    @property
    def price_fen(self) -> int:
        """Return what of it pays the price of services: what debts of the payee may be set off against."""
        return sum(line.amount_fen for line in self.lines if line.is_price)


def payouts_of(lines: Sequence[DueLine]) -> tuple[DuePayout, ...]:
    """Return one payout per payee, providers first, in a stable order."""
    groups: dict[tuple[str, UUID], list[DueLine]] = {}
    for line in lines:
        groups.setdefault((line.payee_kind, line.payee_id), []).append(line)
    return tuple(DuePayout(kind, payee, tuple(groups[kind, payee])) for kind, payee in sorted(groups))


def set_off(most_fen: int, owed_fen: Sequence[int]) -> tuple[int, ...]:
    """Return what of each debt, in their order, is paid out of ``most_fen``: the first wholly before the next."""
    left, parts = most_fen, []
    for owed in owed_fen:
        part = min(left, max(owed, 0))
        left -= part
        parts.append(part)
    return tuple(parts)
