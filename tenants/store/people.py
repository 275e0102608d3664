"""People and what they are where; API clients and their tokens.

A park's transaction may add people, memberships and keys of its own park; it reads no person and no secret's hash.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Name, one_of
from tenants.kernel.vocabulary import Role

IDENTITY = {"info": {"shared": "identities, read before it is known who asks; a park adds to them and reads no secret"}}


class User(Base):
    """A person who may sign in."""

    __tablename__ = "users"
    __table_args__ = (IDENTITY,)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[Name]
    password_hash: Mapped[str] = mapped_column(String(200))
    language: Mapped[str] = mapped_column(String(8))
    active: Mapped[bool]
    created_at: Mapped[datetime]


class Membership(Base):
    """What a person is in an organisation, until when."""

    __tablename__ = "memberships"
    __table_args__ = (one_of("role", Role), IDENTITY)

    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ApiClient(Base):
    """A program that acts for an organisation: an API key, and an OAuth 2.0 client with the same secret."""

    __tablename__ = "api_clients"
    __table_args__ = (IDENTITY,)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), index=True)
    name: Mapped[Name]
    secret_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of a random 256-bit secret; a slow hash is for passwords that people choose."""
    scopes: Mapped[list[Any]]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """How often somebody tried to sign in lately: an account or an address, known by its hash."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (CheckConstraint("tries >= 0", name="tries"), IDENTITY)

    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    tries: Mapped[int]
    since: Mapped[datetime] = mapped_column(index=True)


class AccessToken(Base):
    """A bearer token that an OAuth client was given."""

    __tablename__ = "access_tokens"
    __table_args__ = (IDENTITY,)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("api_clients.id"), index=True)
    scopes: Mapped[list[Any]]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
