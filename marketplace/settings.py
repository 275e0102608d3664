"""Settings, read from the environment here and nowhere else. Each is explained in README.md (a test looks)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SECRET_LENGTH = 32
LARGEST = 65_535
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
DEMO_SECRET = "demo-only-not-a-secret"  # noqa: S105 - production refuses to start with it


class SettingsError(Exception):
    """A setting is missing or unusable; the text says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """What differs between one installation and another."""

    database_url: str
    """``DATABASE_URL``: the application's login; it needs no more than to take on the three roles."""
    database_owner_url: str
    """``DATABASE_OWNER_URL``: the login that owns the schema and migrates; ``DATABASE_URL`` when not given."""
    secret_key: str
    """``SECRET_KEY``: signs sessions. Required in production, at least 32 characters."""
    mode: str = "production"
    """``MARKETPLACE_MODE``: ``production``, or ``demo`` (demo logins are shown on the sign-in page)."""
    port: int = 8000
    """``PORT``: where the web process listens."""
    host: str = "127.0.0.1"
    """``HOST``: on which address."""
    max_upload_mib: int = 64
    """``MAX_UPLOAD_MIB``: the largest file a park may upload."""
    run_minutes: int = 30
    """``RUN_MINUTES``: how long an engine may take for one run."""
    database_pool: int = 10
    """``DATABASE_POOL``: connections each process keeps."""
    log_format: str = "json"
    """``LOG_FORMAT``: ``json`` for collectors, ``console`` for people."""

    @property
    def is_demo(self) -> bool:
        """Tell whether this is a demo installation."""
        return self.mode == "demo"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Raises SettingsError when one is missing or unusable: nothing starts on a soft default.
        """
        given = os.environ if environment is None else environment
        mode = given.get("MARKETPLACE_MODE", "production")
        if mode not in {"production", "demo"}:
            raise SettingsError(f"MARKETPLACE_MODE is {mode!r}; use 'production' or 'demo'.")
        url = given.get("DATABASE_URL", "")
        if not url:
            raise SettingsError("DATABASE_URL is not set; `make run` sets it for the embedded server.")
        secret = given.get("SECRET_KEY", DEMO_SECRET if mode == "demo" else "")
        if mode == "production" and (len(secret) < SECRET_LENGTH or secret == DEMO_SECRET):
            raise SettingsError("SECRET_KEY is missing or shorter than 32 characters; give a random one.")
        host = given.get("HOST", cls.host)
        if secret == DEMO_SECRET and host not in LOOPBACK:
            raise SettingsError("SECRET_KEY is not set: a demo without one may listen on this machine only.")
        log_format = given.get("LOG_FORMAT", "json")
        if log_format not in {"json", "console"}:
            raise SettingsError(f"LOG_FORMAT is {log_format!r}; use 'json' or 'console'.")
        return cls(
            database_url=driver_url(url),
            database_owner_url=driver_url(given.get("DATABASE_OWNER_URL") or url),
            secret_key=secret,
            mode=mode,
            host=host,
            log_format=log_format,
            **{name: _whole(given, name, getattr(cls, name)) for name in _WHOLE_NUMBERS},
        )


_WHOLE_NUMBERS = ("port", "max_upload_mib", "run_minutes", "database_pool")


def _whole(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name.upper(), str(default))
    if not text.isdecimal() or not 0 < int(text) <= LARGEST:
        raise SettingsError(f"{name.upper()} is {text!r}; give a whole number above 0.")
    return int(text)


def driver_url(url: str) -> str:
    """Return ``url`` with the driver named, as people and hosts usually leave it out."""
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url.removeprefix(short)
    return url


def home() -> Path:
    """Return the folder that holds this installation's packages."""
    return Path(__file__).resolve().parent.parent
