"""Organisations: the reference a bank transfer quotes, so that the money finds its payer."""

from __future__ import annotations

import hashlib
import re
from uuid import UUID

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 characters that cannot be mistaken for one another (no 0 and O, no 1, I and L). 31 is prime, so distinct weights
find every wrong character and every exchange of two."""
PREFIX = "PK"
BODY_LENGTH = 9
_REFERENCE = re.compile(
    rf"(?<![0-9A-Z]){PREFIX}[\s-]?([{ALPHABET}](?:[\s-]?[{ALPHABET}]){{{BODY_LENGTH}}})(?![0-9A-Z])"
)


def payment_reference(organisation_id: UUID) -> str:
    """Return the reference of an organisation: ``PK``, nine characters derived from its id, a check character.

    Nine characters are 44 bits: among 100,000 organisations two would meet with a chance of 1 in 5,000, and the
    database's unique constraint refuses the second.
    """
    number = int.from_bytes(hashlib.sha256(organisation_id.bytes).digest(), "big")
    body = ""
    for _ in range(BODY_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        body += ALPHABET[digit]
    return PREFIX + body + check_character(body)


def check_character(body: str) -> str:
    """Return the check character: the sum of the characters' values weighted by their places, modulo 31."""
    total = sum(place * ALPHABET.index(character) for place, character in enumerate(body, start=1))
    return ALPHABET[total % len(ALPHABET)]


def find_references(text: str) -> tuple[str, ...]:
    """Return the valid references in a transfer's free text, in order, each once; spaces and hyphens do not matter."""
    found: dict[str, None] = {}
    for match in _REFERENCE.finditer(text.upper()):
        characters = re.sub(r"[\s-]", "", match.group(1))
        if check_character(characters[:-1]) == characters[-1]:
            found[PREFIX + characters] = None
    return tuple(found)
