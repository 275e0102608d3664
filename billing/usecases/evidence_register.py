"""The register of proofs: one file proves one thing, in the whole province, until what it proved is withdrawn.

For billing's own use cases, which have asked for their own permission. The database decides: of two who use one file at
the same moment the second waits for the first, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from billing.rules.evidence import EvidenceKind
from billing.store.evidence import EvidenceUse
from billing.usecases.evidence import EvidenceView
from billing.usecases.once import place_of
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


@dataclass(frozen=True)
class EvidenceUseView:
    """A document and what it proves; ``released_at`` once that was withdrawn."""

    id: UUID
    sha256: str
    kind: EvidenceKind
    tenant_id: UUID
    evidence_id: UUID | None
    used_for: str
    used_for_id: UUID
    label: str
    used_by: UUID | None
    used_at: datetime
    released_at: datetime | None
    release_reason: str | None


def use(
    work: Work, *, evidence: EvidenceView, kind: EvidenceKind | str, used_for: str, used_for_id: UUID, label: str = ""
) -> EvidenceUseView:
    """Let a file prove one thing: ``used_for`` names its sort (``claim``), ``label`` what people call it.

    A repeat for the same thing changes nothing. Raises Conflict ``evidence.already_used`` where the same content proves
    something else: a park reads where only of its own, staff always.
    """
    return use_hash(
        work,
        tenant_id=evidence.tenant_id,
        sha256=evidence.sha256,
        evidence_id=evidence.id,
        kind=kind,
        used_for=used_for,
        used_for_id=used_for_id,
        label=label,
    )


def use_hash(
    work: Work,
    *,
    tenant_id: UUID,
    sha256: str,
    kind: EvidenceKind | str,
    used_for: str,
    used_for_id: UUID,
    label: str = "",
    evidence_id: UUID | None = None,
) -> EvidenceUseView:
    """Let a document prove one thing by its hash, where the platform made it and keeps it elsewhere; else as ``use``."""
    what = EvidenceKind(kind)
    row = {
        "id": new_id(),
        "sha256": sha256,
        "kind": what,
        "tenant_id": tenant_id,
        "evidence_id": evidence_id,
        "used_for": used_for,
        "used_for_id": used_for_id,
        "label": label,
        "used_by": work.actor.user_id,
        "used_at": work.now,
        "released_at": None,
        "release_reason": None,
    }
    if rows_written(work.session, insert(EvidenceUse).values(row).on_conflict_do_nothing()):
        audit.record(
            work, "evidence.use", used_for, used_for_id, tenant_id=tenant_id, sha256=sha256, kind=what, label=label
        )
        return _view(row)
    before = _in_use(work, sha256, what)
    if before is not None and (before["used_for"], before["used_for_id"]) == (used_for, used_for_id):
        return _view(before)
    raise Conflict(
        "evidence.already_used",
        msg(
            "同一份文件（{sha256}…）已作为佐证用于{where}，不能重复使用。请换用本次业务的文件；如有误，请联系省级主管部门核实。",
            sha256=sha256[:12],
            where=place_of(work, before),
        ),
    )


def release(work: Work, *, used_for: str, used_for_id: UUID, reason: str) -> int:
    """Give back every document that proves a thing which is withdrawn, and return how many; done once."""
    given_back = (
        update(EvidenceUse)
        .where(
            EvidenceUse.used_for == used_for, EvidenceUse.used_for_id == used_for_id, EvidenceUse.released_at.is_(None)
        )
        .values(released_at=work.now, release_reason=reason[:200])
        .execution_options(synchronize_session=False)
    )
    count = rows_written(work.session, given_back)
    if count:
        audit.record(work, "evidence.release", used_for, used_for_id, count=count, reason=reason[:200])
    return count


def uses_of(work: Work, *, used_for: str, used_for_id: UUID) -> tuple[EvidenceUseView, ...]:
    """Return the documents that prove a thing, also those given back, in the order in which they were put in."""
    mine = select(EvidenceUse).where(EvidenceUse.used_for == used_for, EvidenceUse.used_for_id == used_for_id)
    rows = work.session.execute(mine.order_by(EvidenceUse.id).execution_options(populate_existing=True)).scalars()
    return tuple(_view({name: getattr(row, name) for name in _NAMES}) for row in rows)


_NAMES = tuple(EvidenceUseView.__dataclass_fields__)


def _in_use(work: Work, sha256: str, kind: EvidenceKind) -> Mapping[str, Any] | None:
    """Return the use that stands in the way as far as the acting person's rows show it."""
    found = select(EvidenceUse.__table__).where(
        EvidenceUse.sha256 == sha256, EvidenceUse.kind == kind, EvidenceUse.released_at.is_(None)
    )
    row = work.session.execute(found).mappings().one_or_none()
    return None if row is None else dict(row)


def _view(row: Mapping[str, Any]) -> EvidenceUseView:
    return EvidenceUseView(**{**{name: row[name] for name in _NAMES}, "kind": EvidenceKind(row["kind"])})
