"""API keys: programs that act for an organisation, in the name of the person who made the key."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id, new_secret
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.store.identity_queries import clients
from tenants.store.people import ApiClient
from tenants.usecases import audit
from tenants.usecases.identity import KEY_PREFIX, secret_hash


@dataclass(frozen=True)
class NewApiKey:
    """A new key. ``token`` is shown this once; its last part, ``secret``, is the OAuth client's secret, ``id`` its id."""

    id: UUID
    name: str
    token: str
    scopes: tuple[str, ...]

    @property
    def secret(self) -> str:
        """Return the OAuth client secret of this key."""
        return self.token.rpartition("_")[2]


@dataclass(frozen=True)
class ApiKeyView:
    """A key without its secret."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_by: UUID
    created_at: datetime
    revoked_at: datetime | None


def create_api_key(work: Work, *, name: str, scopes: Collection[Permission | str]) -> NewApiKey:
    """Make a key with ``scopes``, some of the acting person's own permissions.

    Raises one Invalid for the name and for scopes that are unknown or beyond the person's rights, NotAllowed for a
    program: keys are made by people, so that no key outlives its revocation through another one.
    """
    work.actor.require(Permission.MANAGE_API_KEYS)
    organisation_id = _own_organisation(work)
    if work.actor.api_client_id is not None or work.actor.user_id is None:
        raise NotAllowed("api_key.person_needed", msg("API 密钥须由人员登录后创建，不能用另一密钥创建。请登录后操作。"))
    with Faults() as faults:
        own_name = faults.take("name", check_name, name)
        granted = faults.take("scopes", _check_scopes, scopes, work.actor.permissions)
    client_id, secret = new_id(), new_secret()
    work.session.execute(
        insert(ApiClient).values(
            id=client_id,
            organisation_id=organisation_id,
            name=own_name,
            secret_hash=secret_hash(secret),
            scopes=list(granted),
            created_by=work.actor.user_id,
            created_at=work.now,
            revoked_at=None,
        )
    )
    audit.record(work, "api_key.create", "api_client", client_id, name=own_name, scopes=granted)
    return NewApiKey(client_id, own_name, f"{KEY_PREFIX}{client_id.hex}_{secret}", granted)


def list_api_keys(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKeyView]:
    """Return the own organisation's keys, newest first, revoked ones too."""
    work.actor.require(Permission.MANAGE_API_KEYS)
    before = decode_cursor(cursor)
    rows = clients(work.session, _own_organisation(work), before, check_limit(limit) + 1)
    return page_of(rows, limit, _view, lambda row: (row.created_at, row.id))


def revoke_api_key(work: Work, *, client_id: UUID) -> None:
    """End a key of the own organisation and every token it was given, at once; again is no error.

    NotFound for a key that is not there or another organisation's.
    """
    work.actor.require(Permission.MANAGE_API_KEYS)
    mine = (ApiClient.id == client_id, ApiClient.organisation_id == _own_organisation(work))
    ended = update(ApiClient).where(*mine, ApiClient.revoked_at.is_(None)).values(revoked_at=work.now)
    if rows_written(work.session, ended.execution_options(synchronize_session=False)):
        audit.record(work, "api_key.revoke", "api_client", client_id)
        return
    if work.session.execute(select(ApiClient.id).where(*mine)).first() is None:
        raise NotFound("api_key.not_found", msg("没有找到该 API 密钥。请核对密钥编号。"))


def _own_organisation(work: Work) -> UUID:
    organisation_id = work.actor.organisation_id or work.actor.tenant_id
    if organisation_id is None or work.actor.tenant_id not in {None, organisation_id}:
        raise NotAllowed("api_key.own_organisation", msg("只能管理本单位的 API 密钥。请以本单位账号登录。"))
    return organisation_id


def _check_scopes(scopes: Collection[str], permissions: frozenset[Permission]) -> tuple[str, ...]:
    beyond = sorted(set(scopes) - permissions)
    if beyond or not scopes:
        raise Invalid(
            "api_key.bad_scopes",
            msg("请至少选择一项权限范围，且不得超出您自己的权限；不可用：{beyond}。", beyond="、".join(beyond) or "—"),
        )
    return tuple(sorted({str(scope) for scope in scopes}))


def _view(row: AnyRow) -> ApiKeyView:
    return ApiKeyView(row.id, row.name, tuple(row.scopes), row.created_by, row.created_at, row.revoked_at)
