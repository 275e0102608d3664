"""Who is it: passwords, roles, API keys and OAuth tokens."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from tenants.gateways import passwords
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Invalid, NotAllowed, NotFound, Unauthenticated
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import WorkShop
from tenants.usecases import api_keys, identity
from tenants.usecases.api_keys import NewApiKey
from tests.support.parks import PASSWORD, person, sign_up

SCOPES = [Permission.READ_ORDER, Permission.ASK_QUOTE]


def new_key(workshop: WorkShop, login: str = "admin1") -> NewApiKey:
    with workshop.work(person(workshop, login)) as work:
        return api_keys.create_api_key(work, name="能源平台", scopes=SCOPES)


def bearer(workshop: WorkShop, token: str) -> Actor:
    with workshop.work(system_actor("sign-in")) as work:
        return identity.actor_for_token(work, token=token)


def change(workshop: WorkShop, sql: str, **values: object) -> None:
    with workshop.work(system_actor("test")) as work:
        work.session.execute(text(sql), values)


@pytest.mark.parametrize(
    ("login", "password"),
    [("admin1", "wrong"), ("nobody", PASSWORD), ("admin\x001", PASSWORD), ("admin1", "\ud800"), ("", "")],
)
def test_a_wrong_login_and_a_wrong_password_are_refused_alike(workshop: WorkShop, login: str, password: str) -> None:
    sign_up(workshop)
    with pytest.raises(Unauthenticated) as caught, workshop.work(system_actor("sign-in")) as work:
        identity.sign_in(work, login=login, password=password)
    assert caught.value.code == "auth.bad_credentials"


def test_an_unknown_login_costs_as_much_work_as_a_known_one() -> None:
    assert not passwords.is_outdated(passwords.NOBODYS_HASH)
    assert not passwords.matches(passwords.NOBODYS_HASH, PASSWORD)


def test_a_person_no_longer_active_or_without_membership_cannot_act(workshop: WorkShop, clock: ManualClock) -> None:
    sign_up(workshop)
    admin = person(workshop, "admin1")
    assert admin.user_id is not None
    change(workshop, "UPDATE memberships SET expires_at = :at", at=clock.now() + timedelta(days=1))
    assert person(workshop, "admin1") == admin
    clock.advance(timedelta(days=1))
    with pytest.raises(Unauthenticated) as caught:
        person(workshop, "admin1")
    assert caught.value.code == "auth.no_membership"
    change(workshop, "UPDATE users SET active = false")
    with pytest.raises(Unauthenticated) as caught:
        person(workshop, "admin1")
    assert caught.value.code == "auth.bad_credentials"


def test_a_password_hash_of_older_parameters_is_renewed_at_sign_in(workshop: WorkShop) -> None:
    from argon2 import PasswordHasher

    sign_up(workshop)
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    change(workshop, "UPDATE users SET password_hash = :old", old=old)
    person(workshop, "admin1")
    with workshop.work(system_actor("test")) as work:
        stored = work.session.execute(text("SELECT password_hash FROM users")).scalar_one()
    assert stored != old
    assert passwords.matches(stored, PASSWORD)


def test_a_key_acts_within_its_scopes_in_its_makers_name(workshop: WorkShop) -> None:
    park = sign_up(workshop)
    key = new_key(workshop)
    actor = bearer(workshop, key.token)
    admin = person(workshop, "admin1")
    assert actor.permissions == frozenset(SCOPES)
    assert (actor.tenant_id, actor.user_id, actor.api_client_id) == (park.id, admin.user_id, key.id)


def test_only_the_hash_of_a_secret_is_kept(workshop: WorkShop, engine: Engine) -> None:
    sign_up(workshop)
    key = new_key(workshop)
    with workshop.work(system_actor("test")) as work:
        stored = work.session.execute(text("SELECT secret_hash FROM api_clients")).scalar_one()
        trail = work.session.execute(text("SELECT string_agg(detail::text, ' ') FROM audit_entries")).scalar_one()
    assert stored == identity.secret_hash(key.secret)
    assert key.secret not in trail


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + "x", lambda t: "x" + t, lambda _: "pk_", lambda _: "at_", lambda _: ""]
)
def test_a_spoilt_token_is_refused(workshop: WorkShop, spoil: object) -> None:
    sign_up(workshop)
    token = spoil(new_key(workshop).token)  # type: ignore[operator]
    with pytest.raises(Unauthenticated) as caught:
        bearer(workshop, token)
    assert caught.value.code == "auth.bad_token"


def test_a_key_never_has_more_than_its_maker(workshop: WorkShop) -> None:
    sign_up(workshop)
    with pytest.raises(Invalid) as caught, workshop.work(person(workshop, "admin1")) as work:
        api_keys.create_api_key(work, name="超权", scopes=[Permission.READ_ORDER, Permission.APPROVE_FUND])
    assert [error.field for error in caught.value.errors] == ["scopes"]
    key = new_key(workshop)
    change(workshop, "UPDATE memberships SET role = 'park_finance'")
    assert bearer(workshop, key.token).permissions == {Permission.READ_ORDER}
    change(workshop, "UPDATE users SET active = false")
    with pytest.raises(Unauthenticated):
        bearer(workshop, key.token)


def test_a_key_makes_no_keys(workshop: WorkShop) -> None:
    sign_up(workshop)
    with workshop.work(person(workshop, "admin1")) as work:
        key = api_keys.create_api_key(work, name="管理", scopes=[Permission.MANAGE_API_KEYS])
    with pytest.raises(NotAllowed) as caught, workshop.work(bearer(workshop, key.token)) as work:
        api_keys.create_api_key(work, name="下级", scopes=[Permission.MANAGE_API_KEYS])
    assert caught.value.code == "api_key.person_needed"


def test_a_revoked_key_and_its_tokens_end_at_once(workshop: WorkShop) -> None:
    sign_up(workshop)
    key = new_key(workshop)
    with workshop.work(system_actor("token")) as work:
        granted = identity.issue_access_token(work, client_id=key.id, client_secret=key.secret)
    admin = person(workshop, "admin1")
    for _ in range(2):
        with workshop.work(admin) as work:
            api_keys.revoke_api_key(work, client_id=key.id)
    for token in (key.token, granted.token):
        with pytest.raises(Unauthenticated):
            bearer(workshop, token)
    with workshop.work(admin) as work:
        [shown] = api_keys.list_api_keys(work).items
    assert shown.revoked_at is not None


def test_keys_of_another_park_are_not_found(workshop: WorkShop) -> None:
    sign_up(workshop)
    sign_up(workshop, 2)
    key = new_key(workshop)
    other = person(workshop, "admin2")
    for client_id in (key.id, new_id()):
        with pytest.raises(NotFound), workshop.work(other) as work:
            api_keys.revoke_api_key(work, client_id=client_id)
    with workshop.work(other) as work:
        assert api_keys.list_api_keys(work).items == ()
    assert bearer(workshop, key.token).api_client_id == key.id


@pytest.mark.parametrize("column", ["secret_hash", "*"])
def test_a_parks_transaction_reads_no_secret(workshop: WorkShop, column: str) -> None:
    sign_up(workshop)
    with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(person(workshop, "admin1")) as work:
        work.session.execute(text(f"SELECT {column} FROM api_clients"))


def test_an_access_token_is_scoped_and_ends(workshop: WorkShop, clock: ManualClock) -> None:
    sign_up(workshop)
    key = new_key(workshop)
    with workshop.work(system_actor("token")) as work:
        granted = identity.issue_access_token(
            work, client_id=str(key.id), client_secret=key.token, scope=Permission.READ_ORDER.value
        )
    assert (granted.scope, granted.expires_in) == ("order:read", 3600)
    assert bearer(workshop, granted.token).permissions == {Permission.READ_ORDER}
    clock.advance(timedelta(hours=1))
    with pytest.raises(Unauthenticated):
        bearer(workshop, granted.token)


def test_a_token_is_refused_for_a_wrong_secret_or_scope(workshop: WorkShop) -> None:
    sign_up(workshop)
    key = new_key(workshop)
    wrong: list[tuple[UUID | str, str]] = [(key.id, "0" * 64), (new_id(), key.secret), ("no id", key.secret)]
    for client_id, secret in wrong:
        with pytest.raises(Unauthenticated) as caught, workshop.work(system_actor("token")) as work:
            identity.issue_access_token(work, client_id=client_id, client_secret=secret)
        assert caught.value.code == "auth.bad_client"
    with pytest.raises(Invalid) as refused, workshop.work(system_actor("token")) as work:
        identity.issue_access_token(work, client_id=key.id, client_secret=key.secret, scope="order:read fund:approve")
    assert refused.value.code == "auth.bad_scope"
