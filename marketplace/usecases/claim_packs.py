"""The evidence pack with what was really delivered: reports are kept by services, claims by billing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO
from uuid import UUID

from billing.usecases import claim_pack
from billing.usecases.claim_views import LineDetail, PayoutView
from marketplace.formats.claims_table import claims_table, payouts_table
from marketplace.formats.tables import csv_file
from services.usecases import artefacts
from tenants.kernel.identifiers import parse_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def write_pack(work: Work, *, batch_id: UUID, target: IO[bytes]) -> str:
    """Write a batch's evidence pack, reports included, and return the SHA-256 of its manifest."""
    work.actor.require(Permission.READ_FUND)

    def reports(line: LineDetail) -> Iterator[tuple[str, bytes]]:
        source = parse_id(str(line.evidence.get("run") or line.evidence.get("booking") or ""))
        if source is None:
            return
        for number, each in enumerate(artefacts.list_artefacts(work, source_id=source), start=1):
            content = artefacts.open_artefact(work, artefact_id=each.id).content
            yield f"{number:02d}-{each.name}", content

    return claim_pack.write_pack(
        work, batch_id=batch_id, target=target, table=_list, payments=_payouts, reports=reports
    )


def _list(lines: Sequence[LineDetail]) -> bytes:
    return csv_file(claims_table("申报明细", lines))


def _payouts(payouts: Sequence[PayoutView]) -> bytes:
    return csv_file(payouts_table("拨付单", payouts))
