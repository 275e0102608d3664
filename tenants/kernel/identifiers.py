"""Identifiers: time-ordered UUIDs (version 7, RFC 9562) made in Python, so a client may know an id before it writes.

Secrets are made here too: this is the one module that draws random numbers.
"""

from __future__ import annotations

import secrets
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """Return a new time-ordered UUID; ids made later in one process sort after earlier ones."""
    return uuid_utils.compat.uuid7()


def new_secret() -> str:
    """Return 256 random bits as 64 hexadecimal digits, for a key or token that nobody can guess."""
    return secrets.token_hex(32)


def parse_id(text: str) -> UUID | None:
    """Return the UUID written in ``text``, or None when it is none (a door then answers "not found")."""
    try:
        return UUID(text)
    except ValueError:
        return None
