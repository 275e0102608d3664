"""What proves that something was used: when it was booked, when people came and left, or when samples came and were tested.

A claim line keeps it as it was at its delivery; nothing that happens to the booking later changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class UseProof:
    """The use of one delivery; None for what does not apply to it or was not noted. Minutes are whole, started ones count."""

    booked_from: datetime | None
    booked_to: datetime | None
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    used_minutes: int | None
    received_at: datetime | None
    test_begun_at: datetime | None
    custody_sha256: str | None

    @property
    def booked_minutes(self) -> int | None:
        """Return how long it was booked for."""
        if self.booked_from is None or self.booked_to is None:
            return None
        return int((self.booked_to - self.booked_from).total_seconds()) // 60


def use_proof_of(evidence: Mapping[str, Any]) -> UseProof | None:
    """Return the use that a claim line's evidence tells of, None where it tells of no booking and of no samples."""
    proof = UseProof(
        booked_from=_moment(evidence.get("booked_from")),
        booked_to=_moment(evidence.get("booked_to")),
        checked_in_at=_moment(evidence.get("checked_in_at")),
        checked_out_at=_moment(evidence.get("checked_out_at")),
        used_minutes=evidence.get("used_minutes"),
        received_at=_moment(evidence.get("received_at")),
        test_begun_at=_moment(evidence.get("test_begun_at")),
        custody_sha256=evidence.get("custody_sha256"),
    )
    return proof if proof.booked_from or proof.received_at or proof.custody_sha256 else None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
