"""The hash of a month's journals: what a closed month said, for whoever asks years later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BookedPosting:
    """One side of a posted journal."""

    line: int
    account: str
    side: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BookedJournal:
    """A posted journal with its lines in order."""

    id: UUID
    source_kind: str
    source_id: str
    description: str
    occurred_at: datetime
    reverses_id: UUID | None
    postings: Sequence[BookedPosting]


def journals_hash(journals: Iterable[BookedJournal]) -> str:
    """Return the SHA-256 over the canonical lines of journals, one JSON array a line, sorted by id.

    A journal's line is ``[id, source kind, source id, instant in UTC, reversed id, [[line, account, side, fen], …]]``.
    """
    digest = hashlib.sha256()
    for journal in sorted(journals, key=lambda each: each.id):
        line = [
            str(journal.id),
            journal.source_kind,
            journal.source_id,
            journal.occurred_at.astimezone(UTC).isoformat(),
            None if journal.reverses_id is None else str(journal.reverses_id),
            [[each.line, each.account, each.side, each.amount_fen] for each in journal.postings],
        ]
        digest.update(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()
