"""A month's minimum: what a park's charges of a month fall short of its plans' minimum is charged once, as usage.

It is settled when the month's grace is over, or when the month's invoices are issued before that; what was used by meter
is charged before. Charges count before discounts and without what was returned; fees and adjustments are none. What comes
in after it was settled is charged on top: a credit note takes back what should not have been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.invoices import LEGAL_ENTITY, grace_ends
from billing.rules.ledger import JournalDraft
from billing.rules.minimums import minimum_of, shortfall
from billing.rules.periods import DEFAULT_ZONE, Period, local_day, month_before, month_name, parse_month
from billing.store import legal_entities
from billing.store import minimums as store
from billing.store.books import post_journals
from billing.store.minimums import MINIMUM, PlanHeld
from billing.store.usage import RatedUsage
from billing.usecases.arrears_charging import charge_metered_use
from billing.usecases.metering import note_event
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import insert_columns
from tenants.rules.days import Span
from tenants.usecases import audit

SOURCE = "marketplace/minimum"
EVENT_TYPE = "plan.minimum"
LAST_MOMENT = timedelta(microseconds=1)


def charge_minimums(work: Work) -> int:
    """Settle the month before the running one, once its grace is over, for the clockwork; return how many were due."""
    work.actor.require(Permission.RUN_PLATFORM)
    month = month_before(work.now)
    waits_until = grace_ends(month, legal_entities.entity_of(work.session, LEGAL_ENTITY).grace_days)
    return settle_minimums(work, month_name(month.start)) if work.now >= waits_until else 0


def settle_minimums(work: Work, period: str, park_id: UUID | None = None) -> int:
    """Charge what is missing to the minimum of a month that is over, of all parks or one, for use cases of billing.

    A repeat charges nothing. Returns how many parks had something due.
    """
    span = parse_month(period)
    assert span is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    if period >= month_name(work.now) or not store.has_minimums(work.session):
        return 0
    rows, names = _worked_out(work, period, span, park_id)
    if rows and charge_metered_use(work, period, sorted(row["tenant_id"] for row in rows)):
        rows, names = _worked_out(work, period, span, park_id)
    new = store.insert_charges(work.session, rows)
    due = [row for row in rows if row["id"] in new and row["charged_fen"]]
    for row in due:
        _note(work, span, row)
    insert_columns(work.session, RatedUsage, [_usage(work, row, names[row["tenant_id"]]) for row in due])
    post_journals(work.session, [_journal(work, row) for row in due], user_id=work.actor.user_id)
    if due:
        audit.record(work, "minimum.charge", "period", period, count=len(due))
    return len(due)


def expected_minimum(work: Work, *, period: str, park_id: UUID) -> int:
    """Return what a park's charges of a month would fall short of its minimum if nothing more came; 0 once it is settled.

    Of the running month the days until its end count as they are held now. For use cases of billing.
    """
    span = parse_month(period)
    assert span is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    rows, _ = _worked_out(work, period, span, park_id)
    return sum(row["charged_fen"] for row in rows)


def _worked_out(
    work: Work, period: str, span: Period, park_id: UUID | None
) -> tuple[list[dict[str, Any]], Mapping[UUID, str]]:
    """Return what each park's month comes to, by park, and the name of the plan that each had last."""
    month = Span(local_day(span.start, DEFAULT_ZONE), local_day(span.end, DEFAULT_ZONE))
    by_park = {
        park: list(held)
        for park, held in groupby(store.plans_held(work.session, period, month, park_id), lambda each: each.tenant_id)
    }
    charges = store.charges_of(work.session, period, by_park) if by_park else {}
    rows = [
        row
        for park, held in by_park.items()
        if (row := _row(work, period, month, held, charges.get(park, 0)))["minimum_fen"]
    ]
    return rows, {park: held[-1].name for park, held in by_park.items()}


def _row(work: Work, period: str, month: Span, held: Sequence[PlanHeld], charges_fen: int) -> dict[str, Any]:
    minimum_fen = minimum_of(month, [each.held for each in held])
    return {
        "tenant_id": held[-1].tenant_id,
        "period": period,
        "id": new_id(),
        "minimum_fen": minimum_fen,
        "charges_fen": charges_fen,
        "charged_fen": shortfall(minimum_fen, charges_fen),
        "vat_bp": held[-1].vat_bp,
        "charged_at": work.now,
    }


def _note(work: Work, span: Period, row: Mapping[str, Any]) -> None:
    tenant: UUID = row["tenant_id"]
    data = {name: row[name] for name in ("period", "minimum_fen", "charges_fen", "charged_fen")}
    note_event(
        work,
        tenant,
        source=SOURCE,
        event_id=row["period"],
        event_type=EVENT_TYPE,
        subject=str(tenant),
        time=span.end - LAST_MOMENT,
        data={"quantity": 1, **data},
    )


def _usage(work: Work, row: Mapping[str, Any], plan_name: str) -> dict[str, Any]:
    return {
        "tenant_id": row["tenant_id"],
        "id": new_id(),
        "event_source": SOURCE,
        "event_id": row["period"],
        "order_line_id": row["id"],
        "offering": MINIMUM,
        "title": f"{plan_name} {row['period']} 月最低消费差额"[:200],
        "price_id": row["id"],
        "quantity": 1,
        "vat_bp": row["vat_bp"],
        "gross_fen": row["charged_fen"],
        "subsidy_fen": 0,
        "payable_fen": row["charged_fen"],
        "awards": [],
        "payment_method": "invoice",
        "period": row["period"],
        "rated_at": work.now,
    }


def _journal(work: Work, row: Mapping[str, Any]) -> JournalDraft:
    draft = ledger.delivery(
        park_id=row["tenant_id"],
        source_id=str(row["id"]),
        occurred_at=work.now,
        payable_fen=row["charged_fen"],
        by_fund={},
        vat_bp=row["vat_bp"],
    )
    assert draft is not None, "it is above zero"  # noqa: S101 - for the type checker
    return draft
