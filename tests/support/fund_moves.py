"""Money of funds moved by two people, for tests."""

from __future__ import annotations

from uuid import UUID

from billing.usecases import fund_transfers, funds
from billing.usecases.fund_transfers import TransferView
from tenants.kernel.work import WorkShop
from tests.support.subsidies import APPROVER, OFFICER


def open_fund(shop: WorkShop, slug: str, year: int) -> UUID:
    """Open a fund without money."""
    with shop.work(OFFICER) as work:
        return funds.open_fund(work, slug=slug, name=slug, name_en=slug, year=year).id


def approve(shop: WorkShop, transfer_id: UUID) -> TransferView:
    """Let the second person approve."""
    with shop.work(APPROVER) as work:
        return fund_transfers.approve_transfer(work, transfer_id=transfer_id)


def ask_transfer(shop: WorkShop, fund: UUID, giver: str, taker: str, amount_fen: int) -> UUID:
    """Let the first person ask for a transfer between envelopes."""
    with shop.work(OFFICER) as work:
        return fund_transfers.request_transfer(
            work, fund_id=fund, envelope=giver, to_envelope=taker, amount_fen=amount_fen, reason="调剂"
        ).id


def ask_return(shop: WorkShop, fund: UUID, envelope: str, amount_fen: int) -> UUID:
    """Let the first person ask for a return to the treasury."""
    with shop.work(OFFICER) as work:
        return fund_transfers.request_return(
            work, fund_id=fund, envelope=envelope, amount_fen=amount_fen, reason="收回", document_no="财收〔2026〕1号"
        ).id


def ask_carry_over(shop: WorkShop, fund: UUID, target: UUID) -> UUID:
    """Let the first person ask for a carry-over."""
    with shop.work(OFFICER) as work:
        return fund_transfers.request_carry_over(work, fund_id=fund, to_fund_id=target, reason="年终结转").id
