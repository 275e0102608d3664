"""Password hashes by argon2id."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""The least that OWASP advises for argon2id (19 MiB, two passes): sixteen threads signing in at once need 300 MiB."""

NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$ClVHy4zdGDD/2EoXTgIF9A$F9bGTsDpTolPJ6Mx0tkeTAdOcW9lFL7SubL3qa/i4T8"
"""The hash of a random password that nobody knows: verified against when a login is unknown, so that the answer takes as
long as for a known one and does not tell which logins exist."""


def hash_password(password: str) -> str:
    """Return a salted hash that carries its own parameters."""
    return _HASHER.hash(password)


def matches(stored: str, password: str) -> bool:
    """Tell whether ``password`` is the one ``stored`` was made from; a damaged hash, or text that is
    no text, matches nothing.
    """
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False


def is_outdated(stored: str) -> bool:
    """Tell whether ``stored`` was made with other parameters than today's, so that a sign-in should renew it."""
    return _HASHER.check_needs_rehash(stored)
