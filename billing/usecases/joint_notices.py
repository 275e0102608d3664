"""Telling the parties of an agreement what waits for them: a version to sign, and one that is registered."""

from __future__ import annotations

from uuid import UUID

from billing.usecases import alerts
from billing.usecases.joint_agreements import read_agreement
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

TO_SIGN, REGISTERED = "joint.to_sign", "joint.registered"


def tell_party(work: Work, *, agreement_id: UUID) -> None:
    """Tell the acting park, once each, that a version waits for its signature or is registered; what is over meanwhile
    (signed, withdrawn) is not told.
    """
    work.actor.require(Permission.PLACE_ORDER)
    park_id = work.actor.require_tenant()
    found = read_agreement(work, agreement_id=agreement_id)
    detail = {"title": found.title, "version": found.version, "from": found.valid_from.isoformat()}
    if found.registered_at is not None:
        alerts.tell_park(work, kind=REGISTERED, key=str(agreement_id), detail=detail)
    elif found.status == "signing" and not any(
        each.park_id == park_id and each.signed_at is not None for each in found.parties
    ):
        alerts.tell_park(work, kind=TO_SIGN, key=str(agreement_id), detail=detail)
