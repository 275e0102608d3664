"""Who belongs together: an organisation joins or leaves a control group, and the aid it was granted goes with it."""

from __future__ import annotations

from uuid import UUID

from billing.usecases import aid_register
from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.usecases import control_groups


def put_in_group(work: Work, *, uscc: str, group_id: UUID | None, note: str) -> control_groups.Assignment:
    """Put the organisation with a credit code into a control group, or out of any (None), on stated grounds.

    A park's grants count for its new controller from now on; what it took under ceilings of a cap year stays where it
    was taken. Raises as ``control_groups.assign``.
    """
    work.actor.require(Permission.MANAGE_STANDING)
    found = control_groups.assign(work, uscc=uscc, group_id=group_id, note=note)
    if found.changed and found.organisation.kind is OrganisationKind.PARK:
        park_id = found.organisation.id
        aid_register.follow_controller(work, tenant_id=park_id, controller_id=group_id or park_id)
    return found
