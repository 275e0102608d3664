"""Charging in arrears: what ``arrears`` works out becomes usage, and what a correction has lowered is asked back.

A lowered amount does not move by itself: a credit note is asked for it, which a person decides as any other. Until then,
and when it is refused, the invoice stands as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from billing.formats.events import make_event
from billing.rules import ledger
from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.ledger import JournalDraft
from billing.rules.meters import plain
from billing.rules.periods import DEFAULT_ZONE, local_day, month_name
from billing.rules.returns import ReturnCause
from billing.store import invoice_queries
from billing.store import metered_queries as store
from billing.store.books import post_journals
from billing.store.metered import MeteredUsage
from billing.store.usage import RatedUsage, UsageEvent
from billing.usecases.arrears import MeteredLine, work_out
from billing.usecases.credit_notes import CreditWish, ask_credit_note
from billing.usecases.returns import left_to_return
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work
from tenants.kernel.writing import insert_columns, on_their_way
from tenants.usecases import audit

SOURCE = "marketplace/metered"
EVENT_TYPE = "usage.charged"
METERED_AT_ONCE = 2000
"""How many parks' metered use is charged in one transaction: one reading of the month's events, where they are not
rolled up, for so many; and so many lines are in memory."""
SENT_AT_ONCE = 250
"""Lines that are written while the next ones are made."""
BY_WHOM = "平台计量"
"""Who agrees to what a correction takes back: the platform, by its own meter."""

Row = dict[str, Any]


def charge_metered_use(work: Work, period: str, parks: Sequence[UUID]) -> int:
    """Charge some parks what they used by meter up to a month and return how many lines that makes; once, however many
    ask: they wait for each other at the row of the numbers.
    """
    invoice_queries.lock_counter(work.session, LEGAL_ENTITY, local_day(work.now, DEFAULT_ZONE).year)
    return charge_parks(work, period, parks)


def charge_parks(work: Work, period: str, parks: Sequence[UUID]) -> int:
    """Charge some parks what their metered use up to a month comes to, and return how many lines that makes; for use
    cases that hold the invoices' counter. Parks that have the month's invoice are left out.
    """
    invoiced = store.invoiced_parks(work.session, parks, period)
    open_parks = [park_id for park_id in parks if park_id not in invoiced]
    meters = _hold(work, period, open_parks)
    if not meters:
        return 0
    worked = work_out(work, period, open_parks)
    waiting = {
        (line.park_id, line.meter, line.period)
        for line in worked.lines
        if line.charged_fen < 0 and not _can_ask(work, line)
    }
    lines = [line for line in worked.lines if (line.park_id, line.meter, line.period) not in waiting]
    ids = _write(work, lines)
    for line, row_id in zip(lines, ids, strict=True):
        if line.charged_fen < 0:
            _ask_back(work, line, row_id)
    store.note_seen(work.session, {key: noted for key, noted in worked.looked.items() if key not in waiting})
    return sum(line.charged_fen > 0 for line in lines)


def end_charging(work: Work, period: str) -> None:
    """Note that all parks are charged their metered use of a month, for use cases that have done so. Of a month that
    lasts, more is to come.
    """
    if period < month_name(work.now):
        store.end_months(work.session, period, work.now)


def _hold(work: Work, period: str, parks: Sequence[UUID]) -> set[str]:
    """Return the meters that are looked at, whose roll-ups nobody moves on until the transaction ends."""
    charged = {each.meter.slug for each in store.meters_to_charge(work.session, period)}
    meters = charged | {meter for _, meter, _ in store.late_months(work.session, parks)}
    if meters:
        store.begin_months(work.session, sorted(charged), period, work.now)
        store.hold_rollups(work.session, meters)
    return meters


def _write(work: Work, lines: Sequence[MeteredLine]) -> list[UUID]:
    pairs = [(new_id(), line) for line in lines]
    with on_their_way(work.session):
        for first in range(0, len(pairs), SENT_AT_ONCE):
            _send(work, pairs[first : first + SENT_AT_ONCE])
    return [row_id for row_id, _ in pairs]


def _send(work: Work, pairs: Sequence[tuple[UUID, MeteredLine]]) -> None:
    owed = [(row_id, line) for row_id, line in pairs if line.charged_fen > 0]
    insert_columns(work.session, MeteredUsage, [_metered(work, row_id, line) for row_id, line in pairs])
    insert_columns(work.session, UsageEvent, [_event(work, row_id, line) for row_id, line in owed])
    insert_columns(work.session, RatedUsage, [_rated(work, row_id, line) for row_id, line in owed])
    journals = [_journal(work, row_id, line) for row_id, line in owed]
    post_journals(work.session, [each for each in journals if each is not None], user_id=work.actor.user_id)


def _metered(work: Work, row_id: UUID, line: MeteredLine) -> Row:
    return {
        "tenant_id": line.park_id,
        "id": row_id,
        "meter": line.meter,
        "price_id": line.price.id,
        "period": line.period,
        "span_from": line.during.start,
        "span_to": line.during.end,
        "number": line.number,
        "snapshot": line.snapshot,
        "taken_at": work.now,
        "quantity": line.quantity,
        "already_units": line.already_units,
        "already_fen": line.already_fen,
        "charged_fen": line.charged_fen,
    }


def _event(work: Work, row_id: UUID, line: MeteredLine) -> Row:
    data = {
        "quantity": plain(line.units),
        "meter": line.meter,
        "counted": plain(line.quantity),
        "from": line.during.start.isoformat(),
        "to": line.during.end.isoformat(),
        "price_id": str(line.price.id),
    }
    event = make_event(
        source=SOURCE,
        event_id=str(row_id),
        event_type=EVENT_TYPE,
        subject=str(line.park_id),
        time=line.used_at(work.now),
        data=data,
    )
    return {
        "tenant_id": line.park_id,
        "source": event.source,
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "data": data,
        "body_hash": event.body_hash,
        "received_at": work.now,
    }


def _rated(work: Work, row_id: UUID, line: MeteredLine) -> Row:
    return {
        "tenant_id": line.park_id,
        "id": new_id(),
        "event_source": SOURCE,
        "event_id": str(row_id),
        "order_line_id": row_id,
        "offering": line.offering,
        "title": line.title,
        "price_id": line.price.id,
        "quantity": line.units,
        "vat_bp": line.price.vat_bp,
        "gross_fen": line.charged_fen,
        "subsidy_fen": 0,
        "payable_fen": line.charged_fen,
        "awards": [],
        "payment_method": "invoice",
        "period": line.period,
        "rated_at": work.now,
    }


def _journal(work: Work, row_id: UUID, line: MeteredLine) -> JournalDraft | None:
    return ledger.delivery(
        park_id=line.park_id,
        source_id=str(row_id),
        occurred_at=work.now,
        payable_fen=line.charged_fen,
        by_fund={},
        vat_bp=line.price.vat_bp,
    )


def _can_ask(work: Work, line: MeteredLine) -> bool:
    """Tell whether what is too much can be asked back now: a person asks, and each line stands on an invoice."""
    if work.actor.user_id is None:
        return False
    return all(row.invoice_status in {"finalized", "paid"} for row in store.lines_of_piece(work.session, line.key))


def _ask_back(work: Work, line: MeteredLine, row_id: UUID) -> None:
    """Ask for credit notes of what was charged too much, from the newest line back; what came back before is left out."""
    open_fen = -line.charged_fen
    for row in store.lines_of_piece(work.session, line.key):
        part = min(open_fen, left_to_return(work, row.usage))
        if not part or row.invoice_id is None or row.line is None:
            continue
        reason = f"{line.name[:60]} {line.period} 用量更正为 {plain(line.quantity)}"
        wish = CreditWish(row.invoice_id, {row.line: part}, ReturnCause.UNDELIVERED, reason, BY_WHOM)
        asked = ask_credit_note(work, wish=wish)
        values = {"tenant_id": line.park_id, "metered_id": row_id, "credit_note_id": asked.id, "amount_fen": part}
        store.insert_credit(work.session, values)
        open_fen -= part
    audit.record(
        work, "metered.lower", "metered_usage", row_id, tenant_id=line.park_id, meter=line.meter, period=line.period,
        lowered_fen=-line.charged_fen,
    )  # fmt: skip
