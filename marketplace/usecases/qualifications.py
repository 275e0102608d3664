"""Telling a person what became of a qualification, where services' decision meets billing's notices."""

from __future__ import annotations

from uuid import UUID

from billing.usecases import alerts
from services.usecases import qualifications
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

DECIDED = "qualification"
"""What a person is told, with the step."""


def tell_decided(work: Work, *, request_id: UUID) -> None:
    """Tell the person who asked, once for each step that the provider has taken."""
    work.actor.require(Permission.PLACE_ORDER)
    found = qualifications.read_request(work, request_id=request_id)
    for step in found.steps:
        detail = {
            "provider": found.provider_name,
            "qualification": found.qualification,
            "until": "" if step.valid_until is None else step.valid_until.isoformat(),
            "reason": step.reason,
        }
        alerts.tell_person(
            work,
            person_id=found.person_id,
            kind=f"{DECIDED}.{step.step}",
            key=f"{request_id}:{step.number}",
            detail=detail,
        )
