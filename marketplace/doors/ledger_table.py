"""The books of a month as a table: one line a posting, in the reader's language."""

from __future__ import annotations

from billing.rules.money import yuan
from billing.usecases.ledger_export import LedgerMonth
from marketplace.doors.codes import ACCOUNTS
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from marketplace.formats.tables import Cell, Table
from tenants.kernel.clock import CHINA
from tenants.kernel.messages import Message, msg

_HEADER = (
    msg("时间"), msg("凭证"), msg("行"), msg("摘要"), msg("来源"), msg("科目代码"), msg("科目"), msg("所属"), msg("借方（元）"), msg("贷方（元）"),
)  # fmt: skip


def ledger_table(month: LedgerMonth) -> Table:
    """Return a month of the books as a table."""
    rows: list[list[Cell]] = []
    for journal in month.journals:
        at = journal.occurred_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
        for posting in journal.postings:
            account = month.accounts[posting.account]
            amount = yuan(posting.amount_fen)
            rows.append(
                [
                    at,
                    str(journal.id),
                    posting.line,
                    journal.description,
                    f"{journal.source_kind}/{journal.source_id}",
                    posting.account,
                    _say(ACCOUNTS[account.role]) if account.role in ACCOUNTS else account.role,
                    account.owner,
                    amount if posting.side == "debit" else None,
                    amount if posting.side == "credit" else None,
                ]
            )
    return Table(f"{_say(msg('账簿'))} {month.period}", [_say(title) for title in _HEADER], rows)


def _say(message: Message) -> str:
    return translate(message, reader_language())
