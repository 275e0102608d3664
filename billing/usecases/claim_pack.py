"""A batch as files: its list, and the evidence pack that an auditor checks without the platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import IO, Any
from uuid import UUID

from sqlalchemy import select

from billing.formats import claim_documents
from billing.store import claim_batch_queries as batches
from billing.store import claim_line_queries as lines
from billing.store.claims import ClaimBatch, ClaimLine, ClaimLineEvent
from billing.store.evidence import EvidenceFile
from billing.usecases.claim_views import BatchView, LineDetail, PayoutView, line_views, payout_views
from billing.usecases.claims import no_batch, read_batch
from billing.usecases.invoice_drafts import check_period
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit, people

Table = Callable[[Sequence[LineDetail]], bytes]
"""Makes the list of a batch as a file."""
Payments = Callable[[Sequence[PayoutView]], bytes]
"""Makes the list of a batch's payouts as a file."""
Reports = Callable[[LineDetail], Iterable[tuple[str, bytes]]]
"""Gives the files that were delivered for a line, each with its name; they are kept outside of this package."""


def batch_lines(work: Work, *, batch_id: UUID) -> tuple[LineDetail, ...]:
    """Return all lines of a batch with their proofs, oldest first: for lists and files of the whole batch."""
    work.actor.require(Permission.READ_FUND)
    return _lines(work, batch_id)


def month_lines(work: Work, *, period: str) -> tuple[LineDetail, ...]:
    """Return all lines of a month's batches, of every fund. Invalid for a text that is no month."""
    work.actor.require(Permission.READ_FUND)
    check_period(period)
    month = select(ClaimBatch.id).where(ClaimBatch.period == period)
    return line_views(work, lines.line_rows(work.session, ClaimLine.batch_id.in_(month)))


def write_pack(
    work: Work, *, batch_id: UUID, target: IO[bytes], table: Table, payments: Payments, reports: Reports
) -> str:
    """Write a batch's evidence pack and return the SHA-256 of its manifest; the same batch gives the same bytes.

    It holds the list, the payouts with what was set off, one document per line with everything that proves it and its history, what was delivered, and
    every file that was attached. One file at a time is in memory.
    """
    work.actor.require(Permission.READ_FUND)
    batch = read_batch(work, batch_id=batch_id)
    found = _lines(work, batch_id)
    steps = lines.steps_of_batch(work.session, batch_id)
    payouts = payout_views(work, batches.payouts_of_batch(work.session, batch_id))
    about = _about(work, batch, found, payouts)
    members = chain(_members(work, found, steps, table, reports), [("payouts.csv", payments(payouts))])
    digest = claim_documents.write_pack(target, about, members)
    audit.record(work, "claim.pack", "claim_batch", batch_id, manifest_sha256=digest)
    return digest


def _lines(work: Work, batch_id: UUID) -> tuple[LineDetail, ...]:
    if batches.fund_of_batch(work.session, batch_id) is None:
        raise no_batch()
    return line_views(work, lines.line_rows(work.session, ClaimLine.batch_id == batch_id))


def _about(
    work: Work, batch: BatchView, found: Sequence[LineDetail], payouts: Sequence[PayoutView]
) -> dict[str, Any]:  # fmt: skip
    decided = {
        "submitted": (batch.submitted_by, batch.submitted_at),
        "first_review": (batch.first_reviewed_by, batch.first_reviewed_at),
        "second_review": (batch.second_reviewed_by, batch.second_reviewed_at),
    }
    who = [person for person, _ in decided.values()] + [each.paid_by for each in payouts]
    names = people.person_names(work, user_ids={person for person in who if person is not None})
    return {
        "batch": {
            "id": str(batch.id),
            "fund": batch.fund,
            "fund_name": batch.fund_name,
            "period": batch.period,
            "status": batch.status,
            "lines": batch.lines,
            "amount_fen": batch.amount_fen,
            "returned_lines": batch.returned_lines,
            "returned_fen": batch.returned_fen,
        },
        "people": {
            step: {"id": str(person), "name": names.get(person, ""), "at": _text(at)}
            for step, (person, at) in decided.items()
            if person is not None
        },
        "notice": {"from": _text(batch.notice_from), "until": _text(batch.notice_until)},
        "objections": [
            {
                "line": str(each.line_id),
                "reason": each.reason,
                "status": each.status,
                "recorded_at": _text(each.recorded_at),
                "decision": each.decision,
            }
            for each in batches.objections_of_batch(work.session, batch.id)
        ],
        "payouts": [
            {
                "id": str(each.id),
                "payee": each.payee_name,
                "payee_id": str(each.payee_id),
                "payee_kind": each.payee_kind,
                "amount_fen": each.amount_fen,
                "set_off_fen": each.set_off_fen,
                "transfer_fen": each.transfer_fen,
                "set_offs": [{"case": one.number, "amount_fen": one.amount_fen} for one in each.set_offs],
                "status": each.status,
                "payment_reference": each.payment_reference,
                "paid_on": None if each.paid_on is None else each.paid_on.isoformat(),
                "paid_by": None if each.paid_by is None else names.get(each.paid_by, str(each.paid_by)),
            }
            for each in payouts
        ],
        "programmes": _programmes(found),
        "lines": [
            {
                "id": str(line.id),
                "document": _document_name(number),
                "park": line.park_name,
                "programme": line.programme,
                "version": line.version,
                "amount_fen": line.due_fen,
                "status": line.status,
                "exemption": line.exemption,
            }
            for number, line in enumerate(found, start=1)
        ],
    }


def _programmes(found: Sequence[LineDetail]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, int], list[int]] = {}
    for line in found:
        if line.is_in_batch:
            sums.setdefault((line.programme, line.version), []).append(line.due_fen)
    return [
        {"programme": programme, "version": version, "lines": len(amounts), "amount_fen": sum(amounts)}
        for (programme, version), amounts in sorted(sums.items())
    ]


def _members(
    work: Work, found: Sequence[LineDetail], steps: Sequence[ClaimLineEvent], table: Table, reports: Reports
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """Yield the list, then each line's document and reports, then the attached files, each once."""
    yield "list.csv", table(found)
    histories: dict[UUID, list[ClaimLineEvent]] = {}
    for step in steps:
        histories.setdefault(step.line_id, []).append(step)
    for number, line in enumerate(found, start=1):
        yield _document_name(number), claim_documents.readable(_document(line, histories.get(line.id, ())))
        for name, content in reports(line):
            yield f"reports/{number:05d}/{name}", content
    for evidence_id in dict.fromkeys(_attached(work, found)):
        query = select(EvidenceFile.name, EvidenceFile.sha256, EvidenceFile.content)
        name, sha256, content = work.session.execute(query.where(EvidenceFile.id == evidence_id)).one()
        yield f"evidence/{sha256}/{name}", content


def _attached(work: Work, found: Sequence[LineDetail]) -> Sequence[UUID]:
    """Return the files attached to lines, in whichever batch that was."""
    query = (
        select(ClaimLineEvent.evidence_id)
        .where(ClaimLineEvent.line_id.in_([line.id for line in found]), ClaimLineEvent.evidence_id.is_not(None))
        .order_by(ClaimLineEvent.at, ClaimLineEvent.id)
    )
    return [each for each in work.session.execute(query).scalars() if each is not None]


def _document(line: LineDetail, steps: Sequence[ClaimLineEvent]) -> Mapping[str, Any]:
    return {
        "id": str(line.id),
        "park": {"id": str(line.tenant_id), "name": line.park_name},
        "payee": {"id": None if line.payee_id is None else str(line.payee_id), "name": line.payee_name},
        "programme": {"slug": line.programme, "name": line.programme_name, "version": line.version, "mode": line.mode},
        "service": {"offering": line.offering, "title": line.title},
        "amount_fen": line.due_fen,
        "status": line.status,
        "proofs": line.proofs(),
        "history": [
            {
                "at": _text(step.at),
                "kind": step.kind,
                "reason": step.reason,
                "by": None if step.user_id is None else str(step.user_id),
                "details": step.details,
                "evidence_id": None if step.evidence_id is None else str(step.evidence_id),
            }
            for step in steps
        ],
    }


def _document_name(number: int) -> str:
    return f"lines/{number:05d}.json"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
