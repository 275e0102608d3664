"""Identifiers: time-ordered UUIDs (version 7, RFC 9562) made in Python, so a client may know an id before it writes."""

from __future__ import annotations

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """Return a new time-ordered UUID; ids made later in one process sort after earlier ones."""
    return uuid_utils.compat.uuid7()


def parse_id(text: str) -> UUID | None:
    """Return the UUID written in ``text``, or None when it is none (a door then answers "not found")."""
    try:
        return UUID(text)
    except ValueError:
        return None
