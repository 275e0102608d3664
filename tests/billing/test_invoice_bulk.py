"""Invoices written many at a time are those written one at a time, and those that a draft shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.rules import ledger
from billing.store.books import post_journal, post_journals
from billing.store.usage import RatedUsage, UsageEvent
from billing.usecases import invoice_drafts, invoice_issue
from tenants.kernel.clock import ManualClock
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop
from tenants.kernel.writing import insert_columns, on_their_way
from tests.support.billing_world import FINANCE

PERIOD = "2026-03"


class UndoneError(Exception):
    """Thrown to give a transaction back."""


@dataclass(frozen=True)
class Used:
    """A delivery to be billed."""

    gross_fen: int
    subsidy_bp: int
    vat_bp: int
    prepaid: bool


USED = st.builds(
    Used, st.integers(0, 10**9), st.sampled_from((0, 0, 3333, 10_000)), st.sampled_from((0, 600, 1300)), st.booleans()
)


def fill(session: Session, parks: dict[UUID, list[Used]], clock: ManualClock) -> None:
    events, rows = [], []
    for park_id, uses in parks.items():
        for place, use in enumerate(uses):
            subsidy = use.gross_fen * use.subsidy_bp // 10_000
            key = {"tenant_id": park_id, "source": "test", "event_id": str(place)}
            events.append(
                key | {"type": "x", "subject": "", "time": clock.instant, "data": {}, "body_hash": "0" * 64}
                | {"received_at": clock.instant}
            )  # fmt: skip
            rows.append(
                {
                    "tenant_id": park_id,
                    "id": new_id(),
                    "event_source": "test",
                    "event_id": str(place),
                    "order_line_id": new_id(),
                    "offering": "twin",
                    "title": "孪生推演",
                    "price_id": new_id(),
                    "quantity": Decimal(1),
                    "vat_bp": use.vat_bp,
                    "gross_fen": use.gross_fen,
                    "subsidy_fen": subsidy,
                    "payable_fen": use.gross_fen - subsidy,
                    "awards": [{"programme": "x"}],
                    "payment_method": "wallet" if use.prepaid else "invoice",
                    "period": "2026-02" if place % 3 == 2 else PERIOD,
                    "rated_at": clock.instant,
                }
            )
    insert_columns(session, UsageEvent, events)
    insert_columns(session, RatedUsage, rows)


_SEEN = {
    "invoices": """SELECT tenant_id, period, status, number, gross_fen, subsidy_fen, payable_fen, vat_fen, paid_fen, due_on
        FROM invoices ORDER BY number""",
    "lines": """SELECT l.tenant_id, i.number, line, rated_usage_id, l.gross_fen, l.vat_fen, quantity, awards
        FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id ORDER BY number, line""",
    "payments": "SELECT tenant_id, method, amount_fen FROM payments ORDER BY tenant_id",
    "allocations": "SELECT tenant_id, amount_fen FROM allocations ORDER BY tenant_id",
    "postings": """SELECT p.tenant_id, source_kind, account, side, amount_fen
        FROM postings p JOIN journals j ON j.id = p.journal_id ORDER BY 1, 2, 3""",
}


def seen(session: Session) -> dict[str, list[Any]]:
    return {name: [tuple(row) for row in session.execute(text(query))] for name, query in _SEEN.items()}


@contextmanager
def undone(workshop: WorkShop) -> Iterator[Work]:
    """Yield a unit of work that is given back at its end."""
    with suppress(UndoneError), workshop.work(FINANCE) as work:
        yield work
        raise UndoneError


def issued(work: Work, chunks: Sequence[Sequence[UUID]]) -> dict[str, list[Any]]:
    """Issue to some parks, look, and take it back."""
    nested = work.session.begin_nested()
    done = sum(invoice_issue.issue_to(work, PERIOD, some) for some in chunks)
    found = seen(work.session)
    nested.rollback()
    assert done == len(found["invoices"]) == sum(map(len, chunks))
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(many=st.lists(st.lists(USED, min_size=1, max_size=6), min_size=1, max_size=5), at_once=st.integers(1, 4))
def test_many_at_once_are_those_written_one_by_one(
    workshop: WorkShop, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, many: list[list[Used]], at_once: int
) -> None:
    monkeypatch.setattr(invoice_issue, "LINES_AT_ONCE", at_once)
    parks = dict(zip(sorted(new_id() for _ in many), many, strict=True))
    with undone(workshop) as work:
        fill(work.session, parks, clock)
        drafts = list(invoice_drafts.drafts(work, PERIOD, list(parks)))
        together = issued(work, [list(parks)])
        assert together == issued(work, [[park_id] for park_id in parks])
        stored = {row[0]: row[4:9] for row in together["invoices"]}
        for draft in drafts:
            billed = draft.billed
            sums = (billed.gross_fen, billed.subsidy_fen, billed.payable_fen, billed.vat_fen, draft.paid_fen)
            assert stored[draft.park_id] == sums


@pytest.mark.parametrize("more", [0, 3], ids=["at the end", "by a later write"])
def test_a_refused_write_on_its_way_is_raised_and_undoes_all(workshop: WorkShop, clock: ManualClock, more: int) -> None:
    park_id = new_id()
    event = {"tenant_id": park_id, "source": "test", "type": "x", "subject": "", "time": clock.instant, "data": {}}
    event |= {"body_hash": "0" * 64, "received_at": clock.instant}
    names = ["1", "2", "2", *(f"more-{each}" for each in range(more))]
    with (  # noqa: PT012 - the end raises
        pytest.raises(IntegrityError, match="pk_usage_events"),
        workshop.work(FINANCE) as work,
        on_their_way(work.session),
    ):
        for name in names:
            insert_columns(work.session, UsageEvent, [event | {"event_id": name}])
    with workshop.work(FINANCE) as work:
        assert work.session.execute(text("SELECT count(*) FROM usage_events")).scalar_one() == 0


def test_postings_are_looked_at_whoever_adds_them_and_however_many(workshop: WorkShop, clock: ManualClock) -> None:
    drafts = [
        ledger.wallet_top_up(park_id=new_id(), source_id=str(each), occurred_at=clock.instant, amount_fen=5)
        for each in range(3)
    ]
    with workshop.work(FINANCE) as work:
        post_journals(work.session, drafts, user_id=None)
    adding = """
        INSERT INTO postings (journal_id, line, tenant_id, account, side, amount_fen)
        SELECT j.id, n.line, j.tenant_id, 'bank', n.side, 7
        FROM journals j, (VALUES (3, 'debit'), (4, 'credit')) n (line, side) WHERE n.line = 3 OR j.source_id <> :without
    """
    with pytest.raises(IntegrityError, match="does not balance"), workshop.work(FINANCE) as work:
        work.session.execute(text(adding), {"without": "1"})
    with workshop.work(FINANCE) as work:
        work.session.execute(text(adding), {"without": "none"})


def test_a_journal_known_by_its_source_is_left_out_of_many(workshop: WorkShop, clock: ManualClock) -> None:
    park_id = new_id()

    def draft(source: str) -> ledger.JournalDraft:
        return ledger.wallet_top_up(park_id=park_id, source_id=source, occurred_at=clock.instant, amount_fen=5)

    with workshop.work(FINANCE) as work:
        post_journal(work.session, draft("a"), user_id=None)
        post_journals(work.session, [draft("a"), draft("b")], user_id=None)
        post_journals(work.session, [], user_id=None)
    with workshop.work(FINANCE) as work:
        assert work.session.execute(text("SELECT count(*), sum(amount_fen) FROM postings")).one() == (4, 20)
