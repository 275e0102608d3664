"""In whose name invoices are issued, and the virtual accounts that the bank keeps for parks.

Particulars are proposed by one person and count once finance has confirmed them: whoever could change a bank account
alone could turn the payments of a whole province to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.issuers import check_account, check_line, check_phone
from billing.store import issuer_queries as store
from billing.store.issuers import InvoiceIssuer
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.uscc import check_uscc
from tenants.usecases import audit, onboarding


@dataclass(frozen=True)
class IssuerView:
    """A legal entity as invoices print it; ``is_current`` marks the one that new invoices name."""

    id: UUID
    name: str
    uscc: str
    address: str
    phone: str
    bank: str
    account: str
    proposed_by: UUID
    proposed_at: datetime
    confirmed_by: UUID | None
    confirmed_at: datetime | None
    is_current: bool


def propose_issuer(
    work: Work, *, name: str, uscc: str, address: str, phone: str, bank: str, account: str
) -> IssuerView:  # fmt: skip
    """Propose particulars; invoices name them once finance has confirmed them. Raises Invalid with every wrong field."""
    work.actor.require(Permission.MANAGE_ISSUER)
    person = work.actor.require_person()
    with Faults() as faults:
        values = {
            "name": faults.take("name", check_line, name),
            "uscc": faults.take("uscc", lambda: check_uscc(uscc).code),
            "address": faults.take("address", check_line, address),
            "phone": faults.take("phone", check_phone, phone),
            "bank": faults.take("bank", check_line, bank),
            "account": faults.take("account", check_account, account),
        }
    issuer_id = new_id()
    unconfirmed = {"confirmed_by": None, "confirmed_at": None}
    mine = {"id": issuer_id, "legal_entity": LEGAL_ENTITY, "proposed_by": person, "proposed_at": work.now}
    store.insert_issuer(work.session, {**values, **mine, **unconfirmed})
    audit.record(work, "issuer.propose", "issuer", issuer_id, particulars=values)
    return _read(work, issuer_id)


def confirm_issuer(work: Work, *, issuer_id: UUID) -> IssuerView:
    """Let particulars stand on the invoices issued from now on.

    Raises NotFound, Conflict when somebody else has confirmed them or the same person proposed them.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    row = store.issuer_of(work.session, issuer_id)
    if row is None:
        raise _not_found()
    if row.proposed_by == person:
        raise Conflict("issuer.own", msg("开票信息须由提出人以外的财务人员确认。请由另一人确认。"))
    if not store.confirm(work.session, issuer_id, by=person, at=work.now):
        raise Conflict("issuer.confirmed", msg("该开票信息已确认，无需重复确认。"))
    audit.record(work, "issuer.confirm", "issuer", issuer_id, account=row.account)
    return _read(work, issuer_id)


def list_issuers(work: Work) -> tuple[IssuerView, ...]:
    """Return all particulars that were proposed, newest first."""
    work.actor.require(Permission.MANAGE_ISSUER)
    return _views(work)


def assign_account(work: Work, *, park_id: UUID, account: str) -> None:
    """Note the virtual account that the bank keeps for a park; it ends the one before. An empty ``account`` only ends.

    Raises Invalid for what is no account, NotFound for a park that is none, Conflict for an account that was ever
    another park's or this park's before: money that arrives late must never change its payer.
    """
    work.actor.require(Permission.IMPORT_STATEMENT)
    person = work.actor.require_person()
    onboarding.read_park(work, park_id=park_id)
    wanted = account.strip()
    if wanted:
        wanted = _checked(wanted)
        if store.running_accounts(work.session, [park_id]).get(park_id) == wanted:
            return
    ended = store.end_account(work.session, park_id, by=person, at=work.now)
    if wanted:
        values = {"account": wanted, "tenant_id": park_id, "assigned_by": person, "assigned_at": work.now}
        if not store.insert_account(work.session, values):
            taken = msg("账号 {account} 已分配过。虚拟账号只能给一个园区用一次，请向银行申请新的账号。", account=wanted)
            raise Conflict("virtual_account.taken", taken)
    if ended or wanted:
        audit.record(work, "virtual_account.assign", "park", park_id, tenant_id=park_id, account=wanted)


def list_accounts(work: Work) -> dict[UUID, str]:
    """Return the virtual accounts that parks pay into, by park."""
    work.actor.require(Permission.IMPORT_STATEMENT)
    return store.running_accounts(work.session)


def issuer_at(work: Work, moment: datetime) -> IssuerView | None:
    """Return whom an invoice that became final at ``moment`` names, for use cases that asked for their permission."""
    row = store.issuer_at(work.session, LEGAL_ENTITY, moment)
    return None if row is None else _view(row, row.id)


def account_of(work: Work, park_id: UUID) -> str | None:
    """Return the virtual account of a park, for use cases that asked for their permission."""
    return store.running_accounts(work.session, [park_id]).get(park_id)


def _checked(account: str) -> str:
    try:
        return check_account(account)
    except Invalid as problem:
        wrong = FieldError("account", problem.code, problem.message)
        raise Invalid(problem.code, problem.message, errors=[wrong]) from None


def _read(work: Work, issuer_id: UUID) -> IssuerView:
    return next(each for each in _views(work) if each.id == issuer_id)


def _views(work: Work) -> tuple[IssuerView, ...]:
    rows: Sequence[InvoiceIssuer] = store.issuers(work.session, LEGAL_ENTITY)
    current = store.issuer_at(work.session, LEGAL_ENTITY, work.now)
    return tuple(_view(row, None if current is None else current.id) for row in rows)


def _view(row: InvoiceIssuer, current: UUID | None) -> IssuerView:
    names = (name for name in IssuerView.__dataclass_fields__ if name != "is_current")
    return IssuerView(**{name: getattr(row, name) for name in names}, is_current=row.id == current)


def _not_found() -> NotFound:
    return NotFound("issuer.not_found", msg("没有找到该开票信息。请刷新列表。"))
