"""Who may sign in to the demo, and the keys of its programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Login:
    """A person of the demo. ``organisation_id`` is the park's id for a park's person."""

    login: str
    password: str
    name: str
    role: str
    organisation: str
    organisation_id: str


@dataclass(frozen=True)
class ApiKey:
    """A program of the demo: ``token`` is a bearer token, ``client_id`` and ``client_secret`` serve OAuth 2.0."""

    name: str
    organisation_id: str
    token: str
    client_id: str
    client_secret: str


@dataclass(frozen=True)
class Logins:
    """All logins and keys of the demo."""

    users: tuple[Login, ...]
    api_keys: tuple[ApiKey, ...]

    def document(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"users": [asdict(user) for user in self.users], "api_keys": [asdict(key) for key in self.api_keys]}


def describe(logins: Logins) -> str:
    """Return the logins as a table for a terminal."""
    rows = [f"  {user.login:<10} {user.password:<16} {user.organisation} · {user.name}" for user in logins.users]
    keys = [f"  {key.name:<10} {key.token}" for key in logins.api_keys]
    return "\n".join(["演示账号(登录名 / 密码):", *rows, "API 密钥:", *keys])
