"""An instrument's quotas for each park: set by its provider for later bookings and moves, never for what is booked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from services.rules.quotas import Quota
from services.store.quotas import LIMITS, QuotaRule
from services.usecases.instruments import lock_own, read_instrument
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class QuotaRuleView:
    """A version of an instrument's quota and from when on it counts."""

    version: int
    valid_from: datetime
    set_at: datetime
    quota: Quota


def set_quota(work: Work, *, instrument_id: UUID, quota: Quota, valid_from: datetime | None = None) -> QuotaRuleView:
    """Set how much each park may hold of an own instrument, for what is booked or moved from ``valid_from`` (None: now).

    What is booked stays booked and counts. The version in ``quota`` is given here. Raises NotFound for another provider's
    instrument, Invalid for a number that is out of bounds and for a moment that has passed.
    """
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    person = work.actor.require_person()
    instrument = lock_own(work, instrument_id)
    if (wrong := quota.problem()) is not None:
        raise _refused(wrong, "quota.number", msg("数值超出允许范围。不限请留空。"))
    begin = work.now if valid_from is None else valid_from
    if begin < work.now:
        raise _refused("valid_from", "quota.past", msg("规则不能追溯已有预约。请选择现在或以后的时间。"))
    last = select(func.max(QuotaRule.version)).where(
        QuotaRule.provider_id == instrument.provider_id, QuotaRule.instrument_id == instrument_id
    )
    row = {
        **quota.document(),
        "provider_id": instrument.provider_id,
        "instrument_id": instrument_id,
        "version": (work.session.execute(last).scalar_one() or 0) + 1,
        "valid_from": begin,
        "set_by": person,
        "set_at": work.now,
    }
    work.session.execute(insert(QuotaRule).values(row))
    audit.record(work, "quota.set", "instrument", instrument_id, version=row["version"])
    return list_quotas(work, instrument_id=instrument_id)[0]


def list_quotas(work: Work, *, instrument_id: UUID) -> tuple[QuotaRuleView, ...]:
    """Return every version of an instrument's quota, the latest first; NotFound for an instrument one may not see."""
    work.actor.require(Permission.READ_CATALOGUE)
    instrument = read_instrument(work, instrument_id=instrument_id)
    query = (
        select(QuotaRule)
        .where(QuotaRule.provider_id == instrument.provider_id, QuotaRule.instrument_id == instrument_id)
        .order_by(QuotaRule.version.desc())
    )
    return tuple(
        QuotaRuleView(row.version, row.valid_from, row.set_at, _quota(row))
        for row in work.session.execute(query).scalars()
    )


def quotas_at(session: Session, instrument_ids: Collection[UUID], at: datetime) -> dict[UUID, Quota]:
    """Return what counts at a moment of those instruments that have a quota, for use cases that have asked for their own
    permission; a version that sets no limit is none.
    """
    query = (
        select(QuotaRule)
        .where(QuotaRule.instrument_id.in_(instrument_ids), QuotaRule.valid_from <= at)
        .order_by(QuotaRule.instrument_id, QuotaRule.valid_from, QuotaRule.version)
    )
    found = {row.instrument_id: _quota(row) for row in session.execute(query).scalars()}
    return {instrument_id: quota for instrument_id, quota in found.items() if any(quota.limits())}


def _quota(row: QuotaRule) -> Quota:
    return Quota(row.version, **{name: getattr(row, name) for name in LIMITS})


def _refused(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])
