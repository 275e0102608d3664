"""How long late use is waited for, and how large a credit note one person may issue.

Set by who runs the platform, not by who issues: nobody who is held by a limit moves it.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.money import WHOLE_BP
from billing.store import legal_entities
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST_GRACE_DAYS = 27


@dataclass(frozen=True)
class InvoiceSettings:
    """The settings of the legal entity that issues."""

    legal_entity: str
    name: str
    grace_days: int
    alone_up_to_fen: int
    discount_alone_bp: int


def read_invoice_settings(work: Work) -> InvoiceSettings:
    """Return the settings."""
    work.actor.require(Permission.CONFIGURE_INVOICES)
    return _settings(work)


def change_invoice_settings(
    work: Work, *, grace_days: int, alone_up_to_fen: int, discount_alone_bp: int | None = None
) -> InvoiceSettings:
    """Change the settings; they count from now on. Raises Invalid for days that no month has.

    ``discount_alone_bp`` is the largest share that one person may grant as a discount, None to leave it.
    """
    work.actor.require(Permission.CONFIGURE_INVOICES)
    person = work.actor.require_person()
    errors = []
    if not 0 <= grace_days <= MOST_GRACE_DAYS:
        wrong = msg("宽限天数须为 0 至 {most}。请改正。", most=MOST_GRACE_DAYS)
        errors.append(FieldError("grace_days", "invoice.grace_days", wrong))
    if alone_up_to_fen < 0:
        wrong = msg("限额不能为负数。请改正。")
        errors.append(FieldError("alone_up_to_fen", "invoice.alone_up_to", wrong))
    share_bp = discount_alone_bp
    if share_bp is None:
        share_bp = legal_entities.entity_of(work.session, LEGAL_ENTITY).discount_alone_bp
    if not 0 <= share_bp <= WHOLE_BP:
        wrong = msg("比例须为 0 至 100%。请改正。")
        errors.append(FieldError("discount_alone_bp", "invoice.discount_alone", wrong))
    if errors:
        raise Invalid(errors[0].code, errors[0].message, errors=errors)
    legal_entities.change_entity(
        work.session,
        LEGAL_ENTITY,
        grace_days=grace_days,
        alone_up_to_fen=alone_up_to_fen,
        discount_alone_bp=share_bp,
        by=person,
        at=work.now,
    )
    audit.record(
        work, "invoice.configure", "legal_entity", LEGAL_ENTITY, grace_days=grace_days,
        alone_up_to_fen=alone_up_to_fen, discount_alone_bp=share_bp,
    )  # fmt: skip
    return _settings(work)


def _settings(work: Work) -> InvoiceSettings:
    entity = legal_entities.entity_of(work.session, LEGAL_ENTITY)
    return InvoiceSettings(
        entity.slug, entity.name, entity.grace_days, entity.alone_up_to_fen, entity.discount_alone_bp
    )
