"""The books as a beancount file, so that a program that is not ours can check them.

Syntax: the beancount language, version 3 (accounts, ``open``, transactions, ``balance``). Amounts are yuan with two places. An
account's code becomes a name below its kind: ``receivable:park:0199…`` is ``Assets:Receivable:Park:0199…``. Every
account closes with a ``balance`` assertion of the day after, so the checker compares our sums with its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from billing.rules.closing import BookedJournal
from billing.rules.money import yuan
from billing.rules.periods import DEFAULT_ZONE, local_day

_ROOTS = {
    "asset": "Assets",
    "liability": "Liabilities",
    "equity": "Equity",
    "revenue": "Income",
    "expense": "Expenses",
}
CURRENCY = "CNY"


def beancount(
    journals: Sequence[BookedJournal],
    kinds: Mapping[str, str],
    *,
    title: str,
    opening: Mapping[str, int],
    since: date,
    until: date,
) -> str:
    """Return the journals of ``since`` until the day before ``until`` as a beancount file.

    ``kinds`` are the accounts' by code, ``opening`` their balances (debits less credits, in fen) before ``since``; these come
    in by one transaction against ``Equity:Opening-Balances``, which balances them as the books do.
    """
    return "".join(f"{line}\n" for line in _lines(journals, kinds, title, opening, since, until))


def _lines(
    journals: Sequence[BookedJournal],
    kinds: Mapping[str, str],
    title: str,
    opening: Mapping[str, int],
    since: date,
    until: date,
) -> Iterator[str]:
    yield f'option "title" {_text(title)}'
    yield f'option "operating_currency" "{CURRENCY}"'
    yield ""
    names = {code: account_name(code, kind) for code, kind in sorted(kinds.items())}
    for name in (*names.values(), _OPENING):
        yield f"{since - timedelta(days=1)} open {name} {CURRENCY}"
    yield from _opening(opening, names, since)
    closing = {code: opening.get(code, 0) for code in names}
    for journal in sorted(journals, key=lambda each: (each.occurred_at, each.id)):
        yield from _transaction(journal, names, since, until)
        for posting in journal.postings:
            closing[posting.account] += posting.amount_fen if posting.side == "debit" else -posting.amount_fen
    yield ""
    for code, balance in closing.items():
        yield f"{until} balance {names[code]} {yuan(balance):.2f} {CURRENCY}"


_OPENING = "Equity:Opening-Balances"


def _opening(opening: Mapping[str, int], names: Mapping[str, str], since: date) -> Iterator[str]:
    carried = {code: fen for code, fen in opening.items() if fen}
    if not carried:
        return
    yield ""
    yield f'{since - timedelta(days=1)} * "期初余额"'
    for code, fen in sorted(carried.items()):
        yield f"  {names[code]}  {yuan(fen):.2f} {CURRENCY}"
    yield f"  {_OPENING}  {yuan(-sum(carried.values())):.2f} {CURRENCY}"


def _transaction(journal: BookedJournal, names: Mapping[str, str], since: date, until: date) -> Iterable[str]:
    # What was late is booked in the first open month, and so on its first day.
    day = min(max(local_day(journal.occurred_at, DEFAULT_ZONE), since), until - timedelta(days=1))
    yield ""
    yield f"{day} * {_text(journal.description)}"
    yield f"  journal: {_text(str(journal.id))}"
    yield f"  source: {_text(f'{journal.source_kind}/{journal.source_id}')}"
    if journal.reverses_id is not None:
        yield f"  reverses: {_text(str(journal.reverses_id))}"
    for posting in journal.postings:
        amount = posting.amount_fen if posting.side == "debit" else -posting.amount_fen
        yield f"  {names[posting.account]}  {yuan(amount):.2f} {CURRENCY}"


def account_name(code: str, kind: str) -> str:
    """Return an account's name in the file: its kind's root, then its code's parts, each beginning with a capital."""
    parts = ["-".join(word.capitalize() for word in part.split("_")) for part in code.split(":")]
    return ":".join([_ROOTS[kind], *(part[:1].upper() + part[1:] for part in parts)])


def _text(value: str) -> str:
    plain = " ".join(value.split())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
