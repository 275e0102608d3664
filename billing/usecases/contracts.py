"""The register of subsidised contracts: public money is given on a contract once, in the whole province.

For billing's and the marketplace's own use cases, which have asked for their own permission. The database decides: of two
who come with one contract at the same moment the second waits for the first, and is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from billing.rules.contracts import contract_key
from billing.store.evidence import SubsidisedContract
from billing.usecases.once import place_of
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


def claim_once(
    work: Work,
    *,
    tenant_id: UUID,
    contract_no: str,
    counterparty_uscc: str,
    used_for: str,
    used_for_id: UUID,
    label: str = "",
) -> None:
    """Note that public money is given on a contract, for one thing; a repeat for the same thing changes nothing.

    Raises Invalid ``contract.bad_number``, and Conflict ``contract.already_subsidised`` where it is given for something
    else: a park reads where only of its own, staff always.
    """
    key = contract_key(contract_no)
    row = {
        "id": new_id(),
        "contract_key": key,
        "counterparty_uscc": counterparty_uscc,
        "contract_no": contract_no,
        "tenant_id": tenant_id,
        "used_for": used_for,
        "used_for_id": used_for_id,
        "label": label,
        "used_by": work.actor.user_id,
        "used_at": work.now,
    }
    if rows_written(work.session, insert(SubsidisedContract).values(row).on_conflict_do_nothing()):
        audit.record(
            work, "contract.claim", used_for, used_for_id, tenant_id=tenant_id, contract_no=contract_no,
            counterparty_uscc=counterparty_uscc,
        )  # fmt: skip
        return
    found = select(SubsidisedContract.__table__).where(
        SubsidisedContract.contract_key == key,
        SubsidisedContract.counterparty_uscc == counterparty_uscc,
        SubsidisedContract.released_at.is_(None),
    )
    before = work.session.execute(found).mappings().one_or_none()
    if before is not None and (before["used_for"], before["used_for_id"]) == (used_for, used_for_id):
        return
    raise Conflict(
        "contract.already_subsidised",
        msg(
            "合同 {number} 已在{where}中获得补贴，一份合同只补贴一次。请核对合同编号；如确为另一份合同，请联系省级主管部门核实。",
            number=contract_no,
            where=place_of(work, None if before is None else dict(before)),
        ),
    )


def already_subsidised(
    work: Work, *, contract_no: str, counterparty_usccs: Collection[str], apart_from: UUID | None = None
) -> frozenset[str]:
    """Return with which of some parties a contract of this number is subsidised already, in any park.

    ``apart_from`` is the thing it may be subsidised for. Raises Invalid ``contract.bad_number``.
    """
    key = contract_key(contract_no)
    asked = sorted(counterparty_usccs)
    if not asked:
        return frozenset()
    row = work.session.execute(select(*(func.contract_in_use(key, uscc, apart_from) for uscc in asked))).one()
    return frozenset(uscc for uscc, taken in zip(asked, row, strict=True) if taken)


def release(work: Work, *, used_for: str, used_for_id: UUID, reason: str) -> int:
    """Let the contracts of a thing that is withdrawn be subsidised for another, and return how many; done once."""
    given_back = (
        update(SubsidisedContract)
        .where(
            SubsidisedContract.used_for == used_for,
            SubsidisedContract.used_for_id == used_for_id,
            SubsidisedContract.released_at.is_(None),
        )
        .values(released_at=work.now, release_reason=reason[:200])
        .execution_options(synchronize_session=False)
    )
    count = rows_written(work.session, given_back)
    if count:
        audit.record(work, "contract.release", used_for, used_for_id, count=count, reason=reason[:200])
    return count
