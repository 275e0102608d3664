"""Who is it? Sign-in by password, actors for people and for tokens. The doors ask as the platform itself."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import insert, update

from tenants.gateways import passwords
from tenants.kernel.context import Actor, Reach
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Invalid, NotAllowed, Unauthenticated
from tenants.kernel.identifiers import new_secret, parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.rules.membership import permissions_of
from tenants.rules.people import LONGEST_PASSWORD, normal_login
from tenants.store.identity_queries import client, client_of_token, memberships, names_of_people, user_of_login
from tenants.store.people import AccessToken, User
from tenants.usecases import audit

KEY_PREFIX = "pk_"
TOKEN_PREFIX = "at_"  # noqa: S105 - tells tokens from keys, no secret
TOKEN_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class SignedIn:
    """A person who gave the right password."""

    user_id: UUID
    name: str
    language: str


@dataclass(frozen=True)
class AccessTokenView:
    """A new OAuth access token: shown once, valid for ``expires_in`` seconds, for the space-separated ``scope``."""

    token: str
    expires_in: int
    scope: str


def sign_in(work: Work, *, login: str, password: str) -> SignedIn:
    """Return the person with this login and password; Unauthenticated ``auth.bad_credentials`` otherwise.

    The refusal is the same, and takes as long, for an unknown login, a wrong password and a person no longer active.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    known = normal_login(login)
    user = user_of_login(work.session, known) if known.isprintable() else None
    stored = user.password_hash if user is not None else passwords.NOBODYS_HASH
    right = passwords.matches(stored, password[: LONGEST_PASSWORD + 1])
    if user is None or not right or not user.active:
        raise Unauthenticated("auth.bad_credentials", msg("登录名或密码不正确。请核对后重试，或联系本单位管理员。"))
    if passwords.is_outdated(stored):
        renewed = passwords.hash_password(password)
        work.session.execute(update(User).where(User.id == user.id).values(password_hash=renewed))
    audit.record(work, "identity.sign_in", "user", user.id, login=user.login)
    return SignedIn(user.id, user.name, user.language)


def actor_for_user(work: Work, *, user_id: UUID, request_id: str = "") -> Actor:
    """Return a person as they may act now: for the organisation they belong to longest, with all their roles there.

    Park people reach their park's rows; people of the province, the operator and providers have staff's reach and only
    their roles' permissions. Unauthenticated for somebody unknown or no longer active, NotAllowed without membership.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    rows = memberships(work.session, user_id, work.now)
    if not rows:
        raise Unauthenticated("auth.no_membership", msg("该账号未启用，或不再属于任何单位。请联系本单位管理员。"))
    first = rows[0]
    kind = OrganisationKind(first.kind)
    roles = [row.role for row in rows if row.organisation_id == first.organisation_id]
    is_park = kind is OrganisationKind.PARK
    return Actor(
        name=first.person,
        reach=Reach.TENANT if is_park else Reach.STAFF,
        permissions=permissions_of(kind, roles),
        user_id=user_id,
        organisation_id=first.organisation_id,
        tenant_id=first.organisation_id if is_park else None,
        language=first.language,
        request_id=request_id,
    )


def actor_for_token(work: Work, *, token: str, request_id: str = "") -> Actor:
    """Return the program that bears ``token``, an API key or an OAuth access token.

    It acts in the name of the person who made its key, within the key's scopes, and never with more than that person
    may do now: what a person loses, their keys lose at once. Unauthenticated ``auth.bad_token`` otherwise.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    if token.startswith(TOKEN_PREFIX):
        found = client_of_token(work.session, secret_hash(token.removeprefix(TOKEN_PREFIX)), work.now)
    else:
        found = _client_of_key(work, token)
    if found is None:
        raise Unauthenticated(
            "auth.bad_token", msg("访问令牌无效、已过期或已撤销。请换用有效的 API 密钥或重新获取令牌。")
        )
    try:
        person = actor_for_user(work, user_id=found.created_by, request_id=request_id)
    except (Unauthenticated, NotAllowed):
        raise _ownerless_key() from None
    if person.organisation_id != found.organisation_id:
        raise _ownerless_key()
    allowed = person.permissions & {Permission(scope) for scope in found.scopes if scope in set(Permission)}
    return replace(person, name=found.name, permissions=allowed, api_client_id=found.id)


def issue_access_token(
    work: Work, *, client_id: UUID | str, client_secret: str, scope: str | Collection[str] | None = None
) -> AccessTokenView:
    """Give an OAuth 2.0 client (RFC 6749, client credentials) an access token for ``scope``, all its scopes by default.

    ``client_secret`` is the last part of the key, or the whole key. Unauthenticated ``auth.bad_client`` for a wrong
    client or secret, Invalid ``auth.bad_scope`` for a scope that the client does not have.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    found = _client_with_secret(work, str(client_id), client_secret.rpartition("_")[2])
    if found is None:
        raise Unauthenticated("auth.bad_client", msg("客户端标识或密钥不正确，或密钥已撤销。请核对后重试。"))
    asked = set(scope.split() if isinstance(scope, str) else scope or ()) or set(found.scopes)
    beyond = sorted(asked - set(found.scopes))
    if beyond:
        raise Invalid(
            "auth.bad_scope", msg("该密钥没有以下权限范围：{beyond}。请减少 scope。", beyond=" ".join(beyond))
        )
    secret = new_secret()
    work.session.execute(
        insert(AccessToken).values(
            token_hash=secret_hash(secret),
            client_id=found.id,
            scopes=sorted(asked),
            issued_at=work.now,
            expires_at=work.now + TOKEN_LIFETIME,
        )
    )
    audit.record(work, "identity.issue_token", "api_client", found.id, scopes=sorted(asked))
    return AccessTokenView(TOKEN_PREFIX + secret, int(TOKEN_LIFETIME.total_seconds()), " ".join(sorted(asked)))


def person_names(work: Work, *, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of people: for pages that say who wrote and who decided."""
    work.actor.require(Permission.READ_AUDIT)
    return names_of_people(work.session, user_ids) if user_ids else {}


def secret_hash(secret: str) -> str:
    """Return the SHA-256 under which a random secret is stored."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _client_of_key(work: Work, token: str) -> AnyRow | None:
    client_hex, _, secret = token.removeprefix(KEY_PREFIX).partition("_")
    return _client_with_secret(work, client_hex, secret) if token.startswith(KEY_PREFIX) else None


def _client_with_secret(work: Work, client_id: str, secret: str) -> AnyRow | None:
    parsed = parse_id(client_id)
    found = client(work.session, parsed) if parsed else None
    if found is None or not hmac.compare_digest(found.secret_hash, secret_hash(secret)):
        return None
    return found


def _ownerless_key() -> Unauthenticated:
    return Unauthenticated("auth.bad_token", msg("该密钥的创建人已离开本单位，密钥随之失效。请由在任管理员新建密钥。"))
