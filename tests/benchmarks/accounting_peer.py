"""Post journals of five lines with python-accounting, each committed by itself; print the seconds that one took.

Run by the interpreter of build/accounting (``make peers``), never by ours: ``accounting_peer.py URL JOURNALS``.
"""

import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal

from python_accounting.database.session import get_session
from python_accounting.models import Account, Base, Currency, Entity, LineItem
from python_accounting.transactions import JournalEntry
from sqlalchemy import create_engine

ACCOUNTS = ("BANK", "OPERATING_REVENUE", "CONTROL", "RECEIVABLE", "OPERATING_EXPENSE")
LINES = ((3000, False), (3000, True), (1000, False), (3000, False))
"""Amount and whether it is credited, beside the first line of 4,000 in credit."""


def main(url: str, journals: int) -> None:
    """Make the books and post."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with get_session(engine) as session:
        entity = Entity(name="bench")
        session.add(entity)
        session.commit()
        currency = Currency(name="Renminbi", code="CNY", entity_id=entity.id)
        session.add(currency)
        session.commit()
        accounts = [
            Account(
                name=kind,
                account_type=getattr(Account.AccountType, kind),
                currency_id=currency.id,
                entity_id=entity.id,
            )
            for kind in ACCOUNTS
        ]
        session.add_all(accounts)
        session.commit()
        numbers = [account.id for account in accounts]
        _post(session, entity.id, numbers)
        began = time.perf_counter()
        for _ in range(journals):
            _post(session, entity.id, numbers)
        sys.stdout.write(f"{(time.perf_counter() - began) / journals}\n")


def _post(session, entity_id, accounts) -> None:
    entry = JournalEntry(
        narration="delivery",
        transaction_date=datetime.now() - timedelta(minutes=1),  # noqa: DTZ005 - the library compares it with its own
        account_id=accounts[0],
        entity_id=entity_id,
        compound=True,
        main_account_amount=Decimal(4000),
    )
    session.add(entry)
    session.flush()
    lines = [
        LineItem(narration="line", account_id=account, amount=Decimal(amount), credited=credited, entity_id=entity_id)
        for account, (amount, credited) in zip(accounts[1:], LINES, strict=True)
    ]
    session.add_all(lines)
    session.flush()
    entry.line_items.update(lines)
    session.add(entry)
    entry.post(session)
    session.commit()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
