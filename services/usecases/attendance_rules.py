"""An instrument's rules of attendance: set by its provider for later bookings, never for those that are made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from services.rules.attendance import AttendanceTerms, terms_of
from services.store.attendance import AttendanceRule
from services.usecases.instruments import lock_own, read_instrument
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class AttendanceRuleView:
    """A version of an instrument's rule and from when on bookings are made under it."""

    version: int
    valid_from: datetime
    set_at: datetime
    terms: AttendanceTerms


def set_rule(
    work: Work, *, instrument_id: UUID, terms: AttendanceTerms, valid_from: datetime | None = None
) -> AttendanceRuleView:
    """Set a rule for bookings of an own instrument that are made from ``valid_from`` (None: now) on.

    The version in ``terms`` is given here. Raises NotFound for another provider's instrument, Invalid for a number that is
    out of bounds and for a moment that has passed.
    """
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    person = work.actor.require_person()
    instrument = lock_own(work, instrument_id)
    if (wrong := terms.problem()) is not None:
        raise _refused(wrong, "attendance.number", msg("数值超出允许范围，或与其他限制矛盾。请核对。"))
    begin = work.now if valid_from is None else valid_from
    if begin < work.now:
        late = msg("规则不能追溯已有预约。请选择现在或以后的时间。")
        raise _refused("valid_from", "attendance.past", late)
    last = select(func.max(AttendanceRule.version)).where(
        AttendanceRule.provider_id == instrument.provider_id, AttendanceRule.instrument_id == instrument_id
    )
    row = {
        **terms.document(),
        "provider_id": instrument.provider_id,
        "instrument_id": instrument_id,
        "version": (work.session.execute(last).scalar_one() or 0) + 1,
        "valid_from": begin,
        "set_by": person,
        "set_at": work.now,
    }
    work.session.execute(insert(AttendanceRule).values(row))
    audit.record(work, "attendance.rule", "instrument", instrument_id, version=row["version"])
    return list_rules(work, instrument_id=instrument_id)[0]


def list_rules(work: Work, *, instrument_id: UUID) -> tuple[AttendanceRuleView, ...]:
    """Return every version of an instrument's rule, the latest first; NotFound for an instrument one may not see."""
    work.actor.require(Permission.READ_CATALOGUE)
    instrument = read_instrument(work, instrument_id=instrument_id)
    query = (
        select(AttendanceRule)
        .where(AttendanceRule.provider_id == instrument.provider_id, AttendanceRule.instrument_id == instrument_id)
        .order_by(AttendanceRule.version.desc())
    )
    return tuple(_view(row) for row in work.session.execute(query).scalars())


def terms_in_force(work: Work, *, instrument_ids: Collection[UUID]) -> dict[UUID, AttendanceTerms]:
    """Return the terms that a booking made now would be made under, of those instruments that have a rule."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = (
        select(AttendanceRule)
        .where(AttendanceRule.instrument_id.in_(instrument_ids), AttendanceRule.valid_from <= work.now)
        .order_by(AttendanceRule.instrument_id, AttendanceRule.valid_from, AttendanceRule.version)
    )
    found = {row.instrument_id: terms_of(row.document()) for row in work.session.execute(query).scalars()}
    return {instrument_id: terms for instrument_id, terms in found.items() if terms is not None}


def terms_at(session: Session, provider_id: UUID, instrument_id: UUID, at: datetime) -> dict[str, Any] | None:
    """Return the terms that a booking made at ``at`` keeps, for use cases that have asked for their own permission."""
    query = (
        select(AttendanceRule)
        .where(
            AttendanceRule.provider_id == provider_id,
            AttendanceRule.instrument_id == instrument_id,
            AttendanceRule.valid_from <= at,
        )
        .order_by(AttendanceRule.valid_from.desc(), AttendanceRule.version.desc())
        .limit(1)
    )
    found = session.execute(query).scalar_one_or_none()
    return None if found is None else found.document()


def _view(row: AttendanceRule) -> AttendanceRuleView:
    terms = terms_of(row.document())
    assert terms is not None, "a rule has terms"  # noqa: S101 - for the type checker
    return AttendanceRuleView(row.version, row.valid_from, row.set_at, terms)


def _refused(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])
