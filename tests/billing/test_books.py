"""The ledger, invoices, holds, quotes and reconciliation: small decisions, each with its edge."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import holds, ledger
from billing.rules.holds import Hold, HoldStatus
from billing.rules.invoices import BilledLine, due_on, invoice_number, totals
from billing.rules.periods import anchored_period, cap_year, month_of, parse_month
from billing.rules.quotes import check_not_expired, check_unchanged
from billing.rules.reconciliation import Break, BreakKind, Chain, reconcile
from billing.rules.subsidies import LineQuote, Quote
from tenants.kernel.errors import Conflict, Invalid

NOW = datetime(2026, 5, 31, 17, tzinfo=UTC)
PARK, CITY, PROVINCE = (UUID(int=number) for number in (1, 2, 3))
fen = st.integers(0, 10**12)


def sides(draft):
    return [(posting.account.code, posting.side.value, posting.amount_fen) for posting in draft.postings]


def test_a_subsidised_delivery_is_owed_by_the_park_and_each_fund():
    draft = ledger.delivery(
        park_id=PARK, source_id="e1", occurred_at=NOW, payable_fen=400_000,
        by_fund={PROVINCE: 300_000, CITY: 300_000}, vat_bp=600,
    )  # fmt: skip
    assert sides(draft) == [
        (f"receivable:park:{PARK}", "debit", 400_000),
        (f"receivable:fund:{CITY}", "debit", 300_000),
        (f"receivable:fund:{PROVINCE}", "debit", 300_000),
        ("revenue:services", "credit", 943_396),
        ("vat:output", "credit", 56_604),
    ]
    assert draft is not None
    assert (draft.period, draft.total_fen) == ("2026-06", 1_000_000)


@given(fen, fen, st.integers(0, 2000), fen, fen)
def test_every_journal_balances_and_its_reversal_undoes_it(payable, award, vat_bp, received, invoiced):
    drafts = [
        ledger.delivery(park_id=PARK, source_id="e", occurred_at=NOW, payable_fen=payable, by_fund={CITY: award}, vat_bp=vat_bp),
        ledger.bank_receipt(park_id=PARK, source_id="b", occurred_at=NOW, amount_fen=received + 1, to_invoices_fen=min(invoiced, received + 1)),
        ledger.wallet_top_up(park_id=PARK, source_id="t", occurred_at=NOW, amount_fen=received + 1),
        ledger.wallet_capture(park_id=PARK, source_id="c", occurred_at=NOW, amount_fen=payable + 1),
        ledger.disbursement(fund_id=CITY, source_id="d", occurred_at=NOW, amount_fen=award + 1),
        ledger.vat_adjustment(park_id=PARK, source_id="v", occurred_at=NOW, more_vat_fen=payable - award),
    ]  # fmt: skip
    for draft in filter(None, drafts):
        assert sum(ledger.balances(draft.postings).values()) == 0
        back = ledger.reversal(draft, journal_id=PARK, occurred_at=NOW)
        assert not any(ledger.balances((*draft.postings, *back.postings)).values())


def test_a_story_paid_in_full_leaves_only_bank_revenue_and_vat():
    common: dict[str, Any] = {"park_id": PARK, "occurred_at": NOW}
    drafts = [
        ledger.delivery(source_id="1", payable_fen=4000, by_fund={CITY: 6000}, vat_bp=600, **common),
        ledger.wallet_top_up(source_id="2", amount_fen=1000, **common),
        ledger.wallet_capture(source_id="3", amount_fen=1000, **common),
        ledger.bank_receipt(source_id="4", amount_fen=3000, to_invoices_fen=3000, **common),
        ledger.disbursement(fund_id=CITY, source_id="5", occurred_at=NOW, amount_fen=6000),
    ]
    left = ledger.balances(posting for draft in drafts if draft is not None for posting in draft.postings)
    assert {code: balance for code, balance in left.items() if balance} == {
        "bank": 10_000, "revenue:services": -9434, "vat:output": -566,
    }  # fmt: skip


def test_a_draft_that_does_not_balance_cannot_be_made():
    one = ledger.Posting(ledger.BANK, ledger.Side.DEBIT, 1)
    for postings in ((), (one,)):
        with pytest.raises(ledger.Unbalanced):
            ledger.JournalDraft("x", "1", "", NOW, postings)
    with pytest.raises(ValueError, match="positive"):
        ledger.Posting(ledger.BANK, ledger.Side.DEBIT, 0)
    free = ledger.delivery(park_id=PARK, source_id="e", occurred_at=NOW, payable_fen=0, by_fund={}, vat_bp=600)
    assert free is None


@given(st.lists(st.tuples(fen, st.integers(0, 10_000), st.sampled_from([0, 300, 600, 1300])), max_size=8))
def test_invoice_lines_always_sum_to_the_totals(given_lines):
    lines = [
        BilledLine(gross, gross * bp // 10_000, gross - gross * bp // 10_000, vat) for gross, bp, vat in given_lines
    ]
    sums = totals(lines)
    assert sum(sums.line_vat_fen) == sums.vat_fen
    assert sums.net_fen + sums.vat_fen == sums.gross_fen == sums.subsidy_fen + sums.payable_fen
    assert all(0 <= vat <= line.gross_fen for vat, line in zip(sums.line_vat_fen, lines, strict=True))


def test_vat_is_worked_out_once_on_the_whole():
    sums = totals([BilledLine(10, 0, 10, 600)] * 3)  # 0.57 each would round to 1 + 1 + 1
    assert (sums.vat_fen, sums.line_vat_fen) == (2, (1, 1, 0))
    assert invoice_number("ptm", 2026, 7) == "PTM-2026-000007"
    assert due_on(date(2026, 1, 31)) == date(2026, 3, 2)
    with pytest.raises(ValueError, match="two payers"):
        BilledLine(10, 1, 8, 0)


HELD = Hold(100, HoldStatus.HELD, NOW)


def test_a_hold_is_captured_once_and_at_most_in_full():
    done = holds.capture(HELD, 60, NOW)
    assert (done.captured_fen, done.released_fen, done.status) == (60, 40, HoldStatus.CAPTURED)
    for amount in (0, -1, 101):
        with pytest.raises(Invalid):
            holds.capture(HELD, amount, NOW)


@pytest.mark.parametrize("status", [HoldStatus.CAPTURED, HoldStatus.RELEASED, HoldStatus.EXPIRED])
def test_a_settled_hold_stays_as_it_is(status):
    settled = replace(HELD, status=status)
    for step in (
        lambda: holds.capture(settled, 1, NOW),
        lambda: holds.release(settled, NOW),
        lambda: holds.expire(settled, NOW),
    ):
        with pytest.raises(Conflict):
            step()


def test_a_hold_expires_when_due_and_is_captured_until_then_swept():
    with pytest.raises(Conflict):
        holds.expire(HELD, NOW - timedelta(seconds=1))
    assert holds.expire(HELD, NOW).released_fen == 100
    assert holds.release(HELD, NOW).released_fen == 100
    assert holds.capture(HELD, 100, NOW + timedelta(days=1)).captured_fen == 100


def priced(gross=100, subsidy=60, due=40):
    line = LineQuote("x", gross, 0, subsidy, gross - subsidy, due, ())
    return Quote((line,), gross, subsidy, gross - subsidy, due)


@pytest.mark.parametrize(
    ("fresh", "code"),
    [
        (priced(gross=99), "quote.price_changed"), (priced(subsidy=50, due=50), "quote.subsidy_changed"),
        (priced(due=100), "quote.subsidy_changed"), (Quote((), 0, 0, 0, 0), "quote.price_changed"),
    ],
)  # fmt: skip
def test_a_quote_that_changed_is_not_accepted(fresh, code):
    with pytest.raises(Conflict) as refusal:
        check_unchanged(priced(), fresh)
    assert refusal.value.code == code
    check_unchanged(priced(), priced())


def test_a_quote_expires_at_its_moment():
    check_not_expired(NOW, NOW - timedelta(microseconds=1))
    with pytest.raises(Conflict):
        check_not_expired(NOW, NOW)


def test_reconciliation_names_every_difference():
    chain = Chain(
        metered={"a": 1, "b": 2}, rated={"a": 1, "b": 3}, rated_lines={"l": 5}, invoiced={"i": 9}, paid={"i": 9},
        captured={"h": 4}, claimed={"h": 4, "k": 1, "z": 0},
    )  # fmt: skip
    assert reconcile(chain) == [
        Break(BreakKind.USAGE_RATED, "b", 2, 3),
        Break(BreakKind.RATED_INVOICED, "l", 5, None),
        Break(BreakKind.CAPTURED_CLAIMED, "k", None, 1),
    ]
    assert reconcile(Chain()) == []


def test_periods_derive_from_their_anchor():
    days = [anchored_period(date(2028, 1, 31), index).start for index in range(4)]
    assert days == [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]
    month = month_of(NOW)
    assert (month.start, month.end) == (datetime(2026, 5, 31, 16, tzinfo=UTC), datetime(2026, 6, 30, 16, tzinfo=UTC))
    assert parse_month("2026-06") == month
    assert [parse_month(text) for text in ("2026-13", "202606", "x", "")] == [None] * 4


@pytest.mark.parametrize(
    ("day", "starts", "label"),
    [
        (date(2026, 6, 30), "07-01", "2025-07-01"), (date(2026, 7, 1), "07-01", "2026-07-01"),
        (date(2026, 12, 31), "01-01", "2026-01-01"), (date(2028, 2, 29), "03-01", "2027-03-01"),
    ],
)  # fmt: skip
def test_a_cap_year_need_not_be_the_calendar_year(day, starts, label):
    year = cap_year(day, starts)
    assert (year.label, day in year.days) == (label, True)
