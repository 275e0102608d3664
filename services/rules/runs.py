"""The life of a run of an engine."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

MOST_ATTEMPTS = 3
"""A run whose worker died is begun again, at most this often: what kills three workers will kill a fourth."""

FREE_AGAIN = timedelta(days=30)
"""How long after a delivery the same question on the same data is answered again for nothing."""


class RunStatus(StrEnum):
    """Where a run stands. Queued and running are open; the other three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MANIFEST = "manifest.json"
"""The file of every run that names the others with their hashes, and what the answer was made from."""


def media_type_of(name: str) -> str:
    """Return the media type of an engine's file, by the end of its name."""
    return MEDIA_TYPES.get(name.rsplit(".", 1)[-1].lower(), "application/octet-stream")
