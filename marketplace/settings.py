"""Settings, read from the environment here and nowhere else. Each is explained in README.md (a test looks)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.gateways.language_model import endpoint_fault

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
    pitch_model_url: str = ""
    """``PITCH_MODEL_URL``: a chat endpoint that may word the pitches of lead lists; nothing is sent anywhere while it is empty."""
    pitch_model_name: str = ""
    """``PITCH_MODEL_NAME``: the model that it is asked for."""
    pitch_model_key: str = field(default="", repr=False)
    """``PITCH_MODEL_KEY``: what it is shown as a bearer token."""
    pitch_model_seconds: int = 60
    """``PITCH_MODEL_SECONDS``: how long a run may talk to it in all."""

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
        url_of_model, model, key_of_model = _pitch_model(given)
        return cls(
            database_url=driver_url(url),
            database_owner_url=driver_url(given.get("DATABASE_OWNER_URL") or url),
            secret_key=secret,
            mode=mode,
            host=host,
            log_format=log_format,
            pitch_model_url=url_of_model,
            pitch_model_name=model,
            pitch_model_key=key_of_model,
            port=_whole(given, "port", cls.port),
            max_upload_mib=_whole(given, "max_upload_mib", cls.max_upload_mib),
            run_minutes=_whole(given, "run_minutes", cls.run_minutes),
            database_pool=_whole(given, "database_pool", cls.database_pool),
            pitch_model_seconds=_whole(given, "pitch_model_seconds", cls.pitch_model_seconds),
        )


def _pitch_model(given: Mapping[str, str]) -> tuple[str, str, str]:
    """Return address, model and key of the endpoint that words pitches; nothing of it where there is none."""
    url = given.get("PITCH_MODEL_URL", "").strip()
    if not url:
        return "", "", ""
    fault = endpoint_fault(url)
    if fault is not None:
        raise SettingsError(f"PITCH_MODEL_URL {fault}.")
    name, key = given.get("PITCH_MODEL_NAME", "").strip(), given.get("PITCH_MODEL_KEY", "").strip()
    if not name:
        raise SettingsError("PITCH_MODEL_NAME is not set; name the model that PITCH_MODEL_URL is asked for.")
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("PITCH_MODEL_KEY holds characters that no key has.")
    return url, name, key


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
