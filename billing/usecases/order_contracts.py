"""The contract an order stands on: whether it is subsidised already, that it is from now on, and that it is no more."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from billing.usecases import contracts
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

ORDER = "order"
"""What a contract is subsidised for, in the register of contracts."""


def subsidised_parties(work: Work, *, contract_no: str, counterparty_usccs: Collection[str]) -> frozenset[str]:
    """Return with which of some parties a contract of this number is subsidised already, in any park.

    Raises Invalid ``contract.bad_number``.
    """
    work.actor.require(Permission.ASK_QUOTE)
    return contracts.already_subsidised(work, contract_no=contract_no, counterparty_usccs=counterparty_usccs)


def claim_for_order(
    work: Work, *, order_id: UUID, order_number: str, contract_no: str, counterparty_usccs: Collection[str]
) -> None:
    """Note that public money is given on an order's contract with each of some parties.

    Raises Conflict ``contract.already_subsidised``; of two orders at once the second one.
    """
    work.actor.require(Permission.PLACE_ORDER)
    for uscc in sorted(counterparty_usccs):
        contracts.claim_once(
            work,
            tenant_id=work.actor.require_tenant(),
            contract_no=contract_no,
            counterparty_uscc=uscc,
            used_for=ORDER,
            used_for_id=order_id,
            label=order_number,
        )


def release_for_order(work: Work, *, order_id: UUID, reason: str) -> None:
    """Let the contract of an order that delivered nothing be subsidised for another. Done once, however often asked."""
    work.actor.require(Permission.CANCEL_ORDER)
    contracts.release(work, used_for=ORDER, used_for_id=order_id, reason=reason)
