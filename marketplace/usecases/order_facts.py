"""What programmes may know of an order: of the park, of each rented service, and how the two stand to each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from billing.usecases import order_contracts
from services.usecases.catalogue import OfferingView
from tenants.kernel.work import Work
from tenants.usecases.views import ParkView

CONTRACT = "contract_no"
"""The fact that names the contract an order stands on."""


def stated_facts(
    work: Work, park: ParkView, offerings: Sequence[OfferingView], contract_no: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the facts of an order now, and those of each of its lines; ``contract_no`` is empty for no contract.

    A line whose contract with its provider is subsidised already, in whatever park, says so.
    """
    taken: Collection[str] = frozenset()
    if contract_no:
        parties = {offering.provider_uscc for offering in offerings}
        taken = order_contracts.subsidised_parties(work, contract_no=contract_no, counterparty_usccs=parties)
    facts = {**park_facts(park), **({CONTRACT: contract_no} if contract_no else {})}
    return facts, [offering_facts(offering, park, taken) for offering in offerings]


def offering_facts(
    offering: OfferingView, park: ParkView | None = None, subsidised: Collection[str] = frozenset()
) -> dict[str, Any]:
    """Return what programmes may know of a rented service.

    ``park`` is who rents it, None for a park that is related to nobody; ``subsidised`` are the providers, by credit code,
    whose contract is subsidised already.
    """
    group = offering.provider_control_group
    return {
        "offering_tier": offering.tier.value,
        "delivery": offering.delivery,
        "provider": str(offering.provider_id),
        "provider_control_group": _text(group),
        "provider_credit_blocked": offering.provider_credit_blocked,
        "related_party": park is not None and group is not None and group == park.control_group,
        "already_subsidised": offering.provider_uscc in subsidised,
    }


def park_facts(park: ParkView) -> dict[str, Any]:
    """Return what programmes may know of the park that rents."""
    return {
        "park_size": park.size.value,
        "region": park.region_code,
        "region_class": park.region_class,
        "tier": park.tier.value if park.tier else None,
        "verification": park.verification,
        "control_group": _text(park.control_group),
        "credit_blocked": park.credit_blocked,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
