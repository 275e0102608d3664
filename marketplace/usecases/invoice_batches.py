"""Many invoices as one file: a job makes them one by one, and the next worker goes on where one was killed."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.gateways.invoice_pdf import InvoicePrinter
from billing.usecases import invoice_drafts, invoicing
from billing.usecases.invoice_documents import InvoicePaper, invoice_document
from billing.usecases.invoice_papers import read_paper
from marketplace.formats.invoice_tables import invoice_book
from marketplace.store import invoice_batch_queries as store
from marketplace.store.invoice_batches import InvoiceBatch
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work, WorkShop
from tenants.rules.files import safe_name
from tenants.usecases import audit

KINDS = ("pdf", "xlsx")
MOST = 1000
"""Invoices of one batch: their pages are put together in memory, some 60 KB each."""
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class InvoiceBatchView:
    """A batch: what was asked for, how many of its ``total`` invoices are made, and the hash of the finished zip."""

    id: UUID
    park_id: UUID | None
    kind: str
    first_period: str
    last_period: str
    status: str
    total: int
    done: int
    requested_by: UUID | None
    requested_at: datetime
    finished_at: datetime | None
    sha256: str | None
    size_bytes: int | None

    @property
    def file_name(self) -> str:
        """Return the name under which the zip is saved."""
        months = (
            self.first_period if self.first_period == self.last_period else f"{self.first_period}_{self.last_period}"
        )
        return f"invoices-{months}-{self.kind}.zip"


def request_batch(
    work: Work, *, kind: str, first_period: str, last_period: str | None = None, park_id: UUID | None = None
) -> InvoiceBatchView:
    """Ask for the invoices from ``first_period`` to ``last_period`` (months, both included) as one zip.

    A park gets its own; staff those of ``park_id`` or of all parks. Asking for what is being made already returns that.
    Raises Invalid for a kind or months that are none, and for more than ``MOST`` invoices; NotFound for none at all.
    """
    work.actor.require(Permission.READ_INVOICE)
    last = last_period or first_period
    _check(kind, first_period, last)
    whose = work.actor.tenant_id or park_id
    wanted = {"kind": kind, "first_period": first_period, "last_period": last, "park_id": whose}
    waiting = store.waiting_batch(work.session, wanted)
    if waiting is not None:
        return _view(work, waiting)
    rows = invoicing.invoices_between(work, first_period=first_period, last_period=last, park_id=whose, limit=MOST + 1)
    if not rows:
        raise NotFound("invoice_batch.empty", msg("所选月份没有已开具的账单。请改选月份。"))
    if len(rows) > MOST:
        many = msg("所选账单超过 {most} 张。请缩短月份范围或分园区下载。", most=MOST)
        raise Invalid(
            "invoice_batch.too_many", many, errors=[FieldError("last_period", "invoice_batch.too_many", many)]
        )
    batch_id = new_id()
    batch = {
        **wanted,
        "id": batch_id,
        "status": "queued",
        "total": len(rows),
        "requested_by": work.actor.user_id,
        "requested_at": work.now,
    }
    parts = [
        {
            "batch_id": batch_id,
            "position": place,
            "tenant_id": row.park_id,
            "invoice_id": row.id,
            "name": safe_name(f"{row.number}-{row.park_name}.{kind}"),
        }
        for place, row in enumerate(rows)
    ]
    store.insert_batch(work.session, batch, parts)
    work.emit(_event(work.actor.tenant_id, batch_id))
    audit.record(work, "invoice_batch.request", "invoice_batch", batch_id, kind=kind, invoices=len(rows))
    return read_batch(work, batch_id=batch_id)


def run_batch(
    workshop: WorkShop, actor: Actor, *, batch_id: UUID, stopping: Callable[[], bool] = lambda: False
) -> None:  # fmt: skip
    """Make what is missing of a batch, then the zip. Each invoice is kept in a transaction of its own.

    Raises Unavailable ``worker.stopping`` between two invoices when this worker is told to go.
    """
    with workshop.work(actor) as work:
        work.actor.require(Permission.READ_INVOICE)
        batch = _row(work, batch_id)
        if batch.status != "queued":
            return
        parts = store.open_parts(work.session, batch_id)
    render = _renderer(batch)
    for part in parts:
        if stopping():
            raise Unavailable("worker.stopping", msg("工作进程正在停止，运行将由下一个工作进程重新开始。"))
        with workshop.work(actor) as work:
            if _row(work, batch_id).status != "queued":
                return
            content = render(read_paper(work, invoice_id=part.invoice_id))
            digest = hashlib.sha256(content).hexdigest()
            store.keep_part(work.session, batch_id, part.position, content=content, sha256=digest)
    with workshop.work(actor) as work:
        if not store.lock_queued(work.session, batch_id):
            return
        content = zipped(store.parts_of(work.session, batch_id), batch.requested_at)
        file = {"content": content, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        store.end(work.session, batch_id, status="done", at=work.now, **file)


def cancel_batch(work: Work, *, batch_id: UUID) -> InvoiceBatchView:
    """Stop a batch that is being made. Raises NotFound, Conflict for one that has ended."""
    work.actor.require(Permission.READ_INVOICE)
    row = _row(work, batch_id)
    if not store.end(work.session, batch_id, status="cancelled", at=work.now):
        raise Conflict("invoice_batch.ended", msg("该批次已结束，无法取消。"))
    audit.record(work, "invoice_batch.cancel", "invoice_batch", batch_id, tenant_id=row.park_id)
    return read_batch(work, batch_id=batch_id)


def read_batch(work: Work, *, batch_id: UUID) -> InvoiceBatchView:
    """Return a batch as far as it is; NotFound for another's."""
    work.actor.require(Permission.READ_INVOICE)
    return _view(work, _row(work, batch_id))


def list_batches(work: Work, *, limit: int = 10) -> tuple[InvoiceBatchView, ...]:
    """Return the newest batches: a park's own, for staff all."""
    work.actor.require(Permission.READ_INVOICE)
    rows = store.batches(work.session, limit)
    done = store.done_of(work.session, [row.id for row in rows])
    return tuple(_shown(row, done.get(row.id, 0)) for row in rows)


def open_batch(work: Work, *, batch_id: UUID) -> tuple[InvoiceBatchView, bytes]:
    """Return a finished batch and its zip. Raises NotFound, Conflict while it is being made."""
    work.actor.require(Permission.READ_INVOICE)
    found = read_batch(work, batch_id=batch_id)
    content = store.content_of(work.session, batch_id)
    if content is None:
        raise Conflict("invoice_batch.not_done", msg("该批次没有可下载的文件。请等待完成，或重新发起。"))
    return found, content


def zipped(parts: Iterable[tuple[str, str, bytes]], made_at: datetime) -> bytes:
    """Return named files and a list of their hashes as a zip; the same files and moment give the same bytes."""
    target, sums = io.BytesIO(), []
    stamp = made_at.astimezone(CHINA).timetuple()[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, sha256, content in parts:
            archive.writestr(zipfile.ZipInfo(name, stamp), content)
            sums.append(f"{sha256}  {name}\n")
        archive.writestr(zipfile.ZipInfo(SUMS, stamp), "".join(sums))
    return target.getvalue()


def _renderer(batch: InvoiceBatch) -> Callable[[InvoicePaper], bytes]:
    if batch.kind == "xlsx":
        return lambda paper: invoice_book(paper, batch.requested_at)
    printer = InvoicePrinter()
    return lambda paper: printer.render(invoice_document(paper))


def _check(kind: str, first: str, last: str) -> None:
    if kind not in KINDS:
        wrong = msg("格式须为其中之一：{choices}。请改正。", choices=", ".join(KINDS))
        raise Invalid("invoice_batch.kind", wrong, errors=[FieldError("kind", "invoice_batch.kind", wrong)])
    invoice_drafts.check_period(first)
    invoice_drafts.check_period(last)
    if last < first:
        wrong = msg("截止月份不能早于起始月份。请改正。")
        raise Invalid(
            "invoice_batch.periods", wrong, errors=[FieldError("last_period", "invoice_batch.periods", wrong)]
        )


def _event(tenant_id: UUID | None, batch_id: UUID) -> Event:
    return Event("invoice_batch.queued", tenant_id, {"batch_id": str(batch_id)}, Priority.BACKGROUND)


def _row(work: Work, batch_id: UUID) -> InvoiceBatch:
    row = store.batch_of(work.session, batch_id)
    if row is None:
        raise NotFound("invoice_batch.not_found", msg("没有找到该批次。请从账单页重新打开。"))
    return row


def _view(work: Work, row: InvoiceBatch) -> InvoiceBatchView:
    return _shown(row, store.done_of(work.session, [row.id]).get(row.id, 0))


def _shown(row: InvoiceBatch, done: int) -> InvoiceBatchView:
    names = (name for name in InvoiceBatchView.__dataclass_fields__ if name != "done")
    return InvoiceBatchView(**{name: getattr(row, name) for name in names}, done=done)
