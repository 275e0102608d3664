"""Money that comes in: a bank statement taken in once, its receipts given to the invoices of those who paid.

A receipt finds its park by the virtual account that it arrived on, or by the payment reference in its text: exactly one
valid reference of a park. It pays that park's open invoices, the oldest first, and what is left goes to the park's wallet.
A receipt that names none or several, or whose account and reference disagree, waits on an account of its own and is listed
as a break until somebody assigns it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.formats.bank_csv import read_statement
from billing.rules import ledger
from billing.rules.receipts import Payer, Receipt, payer_of
from billing.store import invoice_queries, issuer_queries, statement_queries, wallet_movements
from billing.store.books import post_journal
from billing.store.payments import BankLine
from billing.store.wallet_movements import Outcome
from billing.usecases.invoice_views import InvoiceView, invoice_not_found
from billing.usecases.invoicing import read_invoice
from billing.usecases.wallets import mover_of
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.rules.organisations import find_references
from tenants.usecases import audit, onboarding


@dataclass(frozen=True)
class BankLineView:
    """A receipt; ``park_id`` is who paid it, None while nobody knows; ``arrived_on`` is an account, empty if unknown."""

    id: UUID
    row: int
    bank_reference: str
    booked_on: date
    amount_fen: int
    payer: str
    remittance: str
    status: str
    park_id: UUID | None
    arrived_on: str
    park_by_account: UUID | None
    """Whose virtual account it arrived on."""
    disagrees: bool
    """Nobody has it, because its text names another park than the account is."""


@dataclass(frozen=True)
class StatementView:
    """A statement: the receipts it brought, and how many of its rows another file had brought before."""

    id: UUID
    name: str
    matched: int
    unmatched: int
    known: int
    lines: tuple[BankLineView, ...]


class Payers:
    """Whose receipts are, by account and by reference; what was looked up once is remembered."""

    def __init__(self, work: Work, accounts: Iterable[str]) -> None:
        self._work = work
        self._accounts = issuer_queries.parks_of_accounts(work.session, {each for each in accounts if each})
        self._references: dict[str, UUID | None] = {}

    def by_account(self, line: BankLine) -> UUID | None:
        """Return the park whose virtual account a receipt arrived on."""
        return self._accounts.get(line.arrived_on)

    def of(self, line: BankLine) -> Payer:
        """Return whose a receipt is."""
        found = {self._park(reference) for reference in find_references(line.remittance)}
        return payer_of(self.by_account(line), {park_id for park_id in found if park_id is not None})

    def _park(self, reference: str) -> UUID | None:
        if reference not in self._references:
            payer = onboarding.find_payer(self._work, reference=reference)
            is_park = payer is not None and payer.kind is OrganisationKind.PARK
            self._references[reference] = payer.id if payer is not None and is_park else None
        return self._references[reference]


def import_statement(work: Work, *, name: str, content: bytes) -> StatementView:
    """Take a bank's CSV statement in, as a whole or not at all (the layout is ``formats.bank_csv``'s).

    The same content again gives the first result and changes nothing; a row whose bank reference came in another file
    is known, and not taken twice. Raises Invalid with row and field for a malformed or truncated file, Conflict when
    a known bank reference comes with another amount or day.
    """
    work.actor.require(Permission.IMPORT_STATEMENT)
    receipts = read_statement(content)
    digest = hashlib.sha256(content).hexdigest()
    statement_id, is_new = statement_queries.insert_statement(
        work.session, name[:200], digest, work.actor.user_id, work.now
    )
    if is_new:
        _take_in(work, statement_id, receipts)
        audit.record(work, "bank.import", "bank_statement", statement_id, receipts=len(receipts), sha256=digest)
    return _statement_view(work, statement_id, receipts)


def list_unmatched(
    work: Work, *, since: date | None = None, until: date | None = None
) -> tuple[BankLineView, ...]:  # fmt: skip
    """Return the receipts whose payer is not known, oldest first."""
    work.actor.require(Permission.IMPORT_STATEMENT)
    lines = statement_queries.unmatched_lines(work.session, since, until)
    payers = Payers(work, [line.arrived_on for line in lines])
    return tuple(_line_view(line, None, payers) for line in lines)


def assign_receipt(work: Work, *, bank_line_id: UUID, park_id: UUID) -> BankLineView:
    """Give a receipt without a payer to the park that sent it; a repeat for the same park changes nothing.

    Raises NotFound for an unknown receipt or park, Conflict for a receipt that another park has.
    """
    work.actor.require(Permission.IMPORT_STATEMENT)
    onboarding.read_park(work, park_id=park_id)
    line = statement_queries.lock_line(work.session, bank_line_id)
    if line is None:
        raise NotFound("receipt.not_found", msg("没有找到该笔收款。请刷新待认领清单。"))
    if line.status == statement_queries.MATCHED:
        payer = statement_queries.payers_of(work.session, [_reference(line)]).get(_reference(line))
        if payer != park_id:
            raise Conflict("receipt.assigned", msg("该笔收款已由其他园区认领。请刷新待认领清单。"))
        return _line_view(line, park_id, Payers(work, [line.arrived_on]))
    _credit(work, line, park_id, identified_later=True)
    audit.record(work, "bank.assign", "bank_line", bank_line_id, tenant_id=park_id, amount_fen=line.amount_fen)
    work.session.refresh(line)
    return _line_view(line, park_id, Payers(work, [line.arrived_on]))


def pay_invoice_from_wallet(work: Work, *, invoice_id: UUID) -> InvoiceView:
    """Pay what is open of an invoice from its park's wallet, in full or not at all; a repeat changes nothing.

    Raises NotFound for another park's invoice, Conflict ``wallet.insufficient`` when the wallet has too little.
    """
    work.actor.require(Permission.PLACE_ORDER)
    park_id = work.actor.require_tenant()
    invoice = invoice_queries.invoice_of(work.session, invoice_id, lock=True)
    if invoice is None:
        raise invoice_not_found()
    open_fen = invoice.payable_fen - invoice.paid_fen
    if invoice.status == "finalized" and open_fen:
        payment_id = new_id()
        mover = mover_of(work, park_id)
        if wallet_movements.hold(work.session, mover, payment_id, open_fen) is Outcome.SHORT:
            raise Conflict("wallet.insufficient", msg("钱包余额不足，未扣款。请先充值，或改用银行转账。"))
        wallet_movements.capture(work.session, mover, payment_id)
        paid = statement_queries.payment_values(
            park_id, payment_id, f"wallet:{invoice_id}", open_fen, work.now, work.actor.user_id
        )
        invoice_queries.insert_payment(work.session, paid | {"method": "wallet"})
        invoice_queries.pay(work.session, invoice, payment_id, open_fen, work.now)
        draft = ledger.wallet_capture(
            park_id=park_id, source_id=str(payment_id), occurred_at=work.now, amount_fen=open_fen
        )
        post_journal(work.session, draft, user_id=work.actor.user_id)
        audit.record(work, "invoice.pay_from_wallet", "invoice", invoice_id, amount_fen=open_fen)
    return read_invoice(work, invoice_id=invoice_id)


def _take_in(work: Work, statement_id: UUID, receipts: Sequence[Receipt]) -> None:
    """Write the receipts in the order of their references, then pay park by park: so two imports never deadlock."""
    fresh: list[BankLine] = []
    for receipt in sorted(receipts, key=lambda receipt: (receipt.account, receipt.bank_reference)):
        line_id = statement_queries.insert_line(work.session, statement_id, receipt)
        (line,) = statement_queries.known_lines(work.session, [(receipt.account, receipt.bank_reference)])
        if line_id is None:
            _check_same(line, receipt)
        else:
            fresh.append(line)
    payers = Payers(work, [line.arrived_on for line in fresh])
    found = [(line, payers.of(line).park_id) for line in fresh]
    for line, _ in sorted((pair for pair in found if pair[1] is None), key=lambda pair: pair[0].row):
        draft = ledger.unidentified_receipt(source_id=str(line.id), occurred_at=work.now, amount_fen=line.amount_fen)
        post_journal(work.session, draft, user_id=work.actor.user_id)
    for line, park_id in sorted(found, key=lambda pair: (str(pair[1]), pair[0].booked_on, pair[0].row)):
        if park_id is not None:
            _credit(work, line, park_id, identified_later=False)


def _check_same(line: BankLine, receipt: Receipt) -> None:
    if (line.amount_fen, line.booked_on) != (receipt.amount_fen, receipt.booked_on):
        raise Conflict(
            "statement.reference_reused",
            msg(
                "第 {row} 行的交易流水号 {reference} 先前已入账，但金额或日期不同，未导入任何内容。请向银行核实。",
                row=receipt.row,
                reference=receipt.bank_reference,
            ),
        )


def _credit(work: Work, line: BankLine, park_id: UUID, *, identified_later: bool) -> None:
    """Pay a park's invoices with a receipt, the oldest first, and keep the rest in its wallet."""
    payment_id = new_id()
    values = statement_queries.payment_values(
        park_id, payment_id, _reference(line), line.amount_fen, work.now, work.actor.user_id
    )
    if not invoice_queries.insert_payment(work.session, values):
        raise Conflict("receipt.assigned", msg("该笔收款已入账。请刷新后查看结果。"))
    left = line.amount_fen
    for invoice in invoice_queries.lock_open_invoices(work.session, park_id):
        part = min(left, invoice.payable_fen - invoice.paid_fen)
        if part:
            invoice_queries.pay(work.session, invoice, payment_id, part, work.now)
            left -= part
    if left:
        wallet_movements.top_up(work.session, mover_of(work, park_id), payment_id, left)
    build = ledger.identified_receipt if identified_later else ledger.bank_receipt
    draft = build(
        park_id=park_id,
        source_id=str(line.id),
        occurred_at=work.now,
        amount_fen=line.amount_fen,
        to_invoices_fen=line.amount_fen - left,
    )
    post_journal(work.session, draft, user_id=work.actor.user_id)
    statement_queries.set_matched(work.session, line.id)


def _reference(line: BankLine) -> str:
    return f"{line.account}:{line.bank_reference}"


def _statement_view(work: Work, statement_id: UUID, receipts: Sequence[Receipt]) -> StatementView:
    statement = statement_queries.statement_of(work.session, statement_id)
    assert statement is not None, "it was written or found before"  # noqa: S101 - for the type checker
    lines = statement_queries.statement_lines(work.session, statement_id)
    payers = statement_queries.payers_of(work.session, [_reference(line) for line in lines])
    by = Payers(work, [line.arrived_on for line in lines])
    views = tuple(_line_view(line, payers.get(_reference(line)), by) for line in lines)
    matched = sum(view.status == statement_queries.MATCHED for view in views)
    return StatementView(
        id=statement_id,
        name=statement.name,
        matched=matched,
        unmatched=len(views) - matched,
        known=len(receipts) - len(views),
        lines=views,
    )


def _line_view(line: BankLine, park_id: UUID | None, payers: Payers) -> BankLineView:
    return BankLineView(
        id=line.id,
        row=line.row,
        bank_reference=line.bank_reference,
        booked_on=line.booked_on,
        amount_fen=line.amount_fen,
        payer=line.payer,
        remittance=line.remittance,
        status=line.status,
        park_id=park_id,
        arrived_on=line.arrived_on,
        park_by_account=payers.by_account(line),
        disagrees=park_id is None and payers.of(line).disagree,
    )
