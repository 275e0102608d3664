"""Case-by-case decisions for tests: written by the officer, approved by two others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from billing.usecases import exemptions
from billing.usecases.evidence import Upload
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.subsidies import APPROVER, OFFICER, YUAN

SECOND = system_actor("second approver", on_behalf_of=new_id())
DECISION = Upload("批复.pdf", "application/pdf", b"%PDF-1.7 decision")


def wish(shop: WorkShop, park_id: UUID, **changes: Any) -> exemptions.ExemptionWish:
    """80 % instead of the programme's rate, 20,000 yuan in all, for a quarter."""
    told: dict[str, Any] = {
        "park_id": park_id,
        "programme": "tech",
        "terms": {"rate_bp": 8000},
        "limit_fen": 20_000 * YUAN,
        "evidence_id": new_id(),
        "document_no": "豫科〔2026〕9号",
        "reason": "省级重大项目，经专题会议研究同意。",
        "expires_at": shop.clock.now() + timedelta(days=90),
    }
    return exemptions.ExemptionWish(**(told | changes))


def submit(shop: WorkShop, park_id: UUID, file: Upload = DECISION, **changes: Any) -> exemptions.ExemptionView:
    """Put a decision before the approvers."""
    with shop.work(OFFICER) as work:
        kept = exemptions.keep_decision(work, park_id=park_id, file=file)
        told = wish(shop, park_id, **({"evidence_id": kept.id} | changes))
        return exemptions.submit_exemption(work, wish=told)


def approve(shop: WorkShop, exemption_id: UUID, actor: Actor) -> exemptions.ExemptionView:
    """Approve a decision as ``actor``."""
    with shop.work(actor) as work:
        return exemptions.approve_exemption(work, exemption_id=exemption_id)


def grant(shop: WorkShop, park_id: UUID, **changes: Any) -> exemptions.ExemptionView:
    """Return a decision in force."""
    made = submit(shop, park_id, **changes)
    approve(shop, made.id, APPROVER)
    return approve(shop, made.id, SECOND)


def revoke(shop: WorkShop, exemption_id: UUID, reason: str = "项目已终止") -> exemptions.ExemptionView:
    """Revoke a decision as the officer."""
    with shop.work(OFFICER) as work:
        return exemptions.revoke_exemption(work, exemption_id=exemption_id, reason=reason)


def read(shop: WorkShop, actor: Actor, exemption_id: UUID) -> exemptions.ExemptionView:
    """Return a decision as ``actor`` sees it."""
    with shop.work(actor) as work:
        return exemptions.read_exemption(work, exemption_id=exemption_id)


def facts(**changes: Any) -> Mapping[str, Any]:
    """Return the facts of a large park, which the usual programme leaves out."""
    return {"park_size": "large", "region": "510118", "region_class": "western", "tier": "leading", **changes}
