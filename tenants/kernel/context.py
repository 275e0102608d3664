"""Who acts, for whom, and what they may do. Every use case is told, none guesses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from tenants.kernel.errors import NotAllowed, Unauthenticated
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission


class Reach(StrEnum):
    """Which rows the database shows an actor: one tenant's, or all (province, finance, operator, jobs over all)."""

    TENANT = "tenant"
    STAFF = "staff"


@dataclass(frozen=True)
class Actor:
    """The acting person, or the program acting in a person's name.

    ``tenant_id`` is the park acted for (None for staff acting for none); ``organisation_id`` the acting person's own.
    """

    name: str
    reach: Reach
    permissions: frozenset[Permission]
    user_id: UUID | None = None
    organisation_id: UUID | None = None
    tenant_id: UUID | None = None
    api_client_id: UUID | None = None
    language: str = "zh"
    request_id: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """A tenant's actor without a tenant would see nothing and write nowhere: refuse it at once."""
        if self.reach is Reach.TENANT and self.tenant_id is None:
            raise ValueError("an actor with a tenant's reach needs the tenant")

    def may(self, permission: Permission) -> bool:
        """Tell whether the actor has ``permission``."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Refuse unless the actor has ``permission``.

        Raises Unauthenticated for nobody, NotAllowed for somebody without it.
        """
        if self.may(permission):
            return
        if self.user_id is None and self.api_client_id is None:
            raise Unauthenticated("auth.required", msg("请先登录,或在请求中附上有效的 API 密钥。"))
        raise NotAllowed(
            "auth.not_allowed",
            msg("您没有此操作的权限({permission})。请联系本单位管理员授权。", permission=permission.value),
        )

    def require_tenant(self) -> UUID:
        """Return the park acted for; NotAllowed when the actor acts for none."""
        if self.tenant_id is None:
            raise NotAllowed("auth.no_park", msg("此操作须以园区身份进行。请使用园区账号登录。"))
        return self.tenant_id

    def require_person(self) -> UUID:
        """Return the acting person; NotAllowed for a program: two pairs of eyes cannot be told apart without names."""
        if self.user_id is None:
            raise NotAllowed("auth.person_needed", msg("此操作须由具名人员进行。请使用个人账号登录。"))
        return self.user_id

    def acting_for(self, tenant_id: UUID) -> Actor:
        """Return the same actor, confined to one park's rows."""
        return replace(self, reach=Reach.TENANT, tenant_id=tenant_id)


def system_actor(name: str, *, tenant_id: UUID | None = None, on_behalf_of: UUID | None = None) -> Actor:
    """Return the platform itself acting: a job, the seed, the sign-up door.

    ``on_behalf_of`` names the person whose request it carries out, so that the trail leads to a person.
    """
    return Actor(
        name=name,
        reach=Reach.STAFF if tenant_id is None else Reach.TENANT,
        permissions=frozenset(Permission),
        user_id=on_behalf_of,
        tenant_id=tenant_id,
    )
