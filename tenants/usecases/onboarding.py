"""How parks, organisations and people come onto the platform, and how parks are verified."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, insert, select, update

from tenants.gateways.passwords import hash_password
from tenants.kernel.context import Reach
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import OrganisationKind, ParkSize, Permission, Role
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.membership import check_roles, may_appoint
from tenants.rules.organisations import payment_reference
from tenants.rules.parks import Verification, check_note, check_size, decide
from tenants.rules.people import check_language, check_login, check_name, check_password
from tenants.rules.regions import check_county, check_region
from tenants.rules.uscc import check_uscc
from tenants.store.entering import enter_memberships, enter_organisation, enter_user
from tenants.store.organisations import Park
from tenants.store.park_queries import (
    ORGANISATION,
    names,
    organisation,
    park,
    parks,
    verification_under_lock,
)
from tenants.usecases import audit
from tenants.usecases.views import OrganisationView, ParkView, PersonView, organisation_view, park_view


def sign_up_park(
    work: Work,
    *,
    name: str,
    uscc: str,
    region_code: str,
    size: ParkSize | str,
    login: str,
    password: str,
    contact_name: str,
    language: str = "zh",
) -> ParkView:
    """Enter a park and its first administrator; it waits for verification.

    Raises one Invalid with every wrong field, Conflict ``park.already_signed_up`` for a credit code that is already
    entered, Conflict ``user.login_taken``; then nothing is kept.
    """
    work.actor.require(Permission.SIGN_UP)
    with Faults() as faults:
        park_name = faults.take("name", check_name, name)
        credit_code = faults.take("uscc", check_uscc, uscc)
        region = faults.take("region_code", check_county, region_code)
        park_size = faults.take("size", check_size, size)
        own_login = faults.take("login", check_login, login)
        faults.take("password", check_password, password, login)
        person = faults.take("contact_name", check_name, contact_name)
        faults.take("language", check_language, language)
    park_id = new_id()
    if not _insert_organisation(work, park_id, OrganisationKind.PARK, park_name, credit_code.code, region.code, None):
        raise Conflict(
            "park.already_signed_up",
            msg("统一社会信用代码 {uscc} 已注册。请使用已有账号登录，或联系平台核实。", uscc=credit_code.code),
        )
    work.session.execute(
        insert(Park).values(tenant_id=park_id, size=park_size, verification=Verification.PENDING, created_at=work.now)
    )
    user_id = _insert_person(work, park_id, own_login, password, person, {Role.PARK_ADMIN}, language)
    audit.record(work, "park.sign_up", "park", park_id, tenant_id=park_id, uscc=credit_code.code, user_id=user_id)
    return _park(work, park_id)


def decide_verification(work: Work, *, park_id: UUID, approve: bool, note: str = "") -> ParkView:
    """Accept or reject a park.

    Raises NotFound, Invalid ``park.note_needed`` for a rejection without reason, Conflict ``park.already_decided``,
    NotAllowed for somebody of the park itself.
    """
    work.actor.require(Permission.VERIFY_PARK)
    if work.actor.reach is Reach.TENANT or work.actor.organisation_id == park_id:
        raise NotAllowed("park.own_verification", msg("园区不能审核自己。请由省级主管部门审核。"))
    told = check_note(note, approve=approve)
    before = verification_under_lock(work.session, park_id)
    if before is None:
        raise _no_park()
    after = decide(Verification(before), approve=approve)
    decision = {"verification": after, "decided_by": work.actor.user_id, "decided_at": work.now, "decision_note": told}
    work.session.execute(update(Park).where(Park.tenant_id == park_id).values(decision))
    audit.record(work, "park.verify", "park", park_id, tenant_id=park_id, verification=after, note=told)
    return _park(work, park_id)


def read_park(work: Work, *, park_id: UUID) -> ParkView:
    """Return a park; NotFound for one that is not there, or another park to a park."""
    work.actor.require(Permission.READ_PARK)
    return _park(work, park_id)


def list_parks(
    work: Work,
    *,
    verification: Verification | str | None = None,
    region: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ParkView]:
    """Return parks, newest first, of a verification and of the province, city or county ``region``."""
    work.actor.require(Permission.READ_ALL_PARKS)
    rows = parks(
        work.session,
        work.now,
        verification=None if verification is None else _verification(verification),
        region_prefix=_prefix(check_region(region).code) if region else "",
        before=decode_cursor(cursor),
        most=check_limit(limit) + 1,
    )
    return page_of(rows, limit, park_view, lambda row: (row.created_at, row.id))


def count_verified_parks(work: Work) -> int:
    """Return how many parks are verified."""
    work.actor.require(Permission.READ_ALL_PARKS)
    query = select(func.count()).select_from(Park).where(Park.verification == "verified")
    return int(work.session.execute(query).scalar_one())


def park_names(work: Work, *, park_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of those parks that the acting person's rows show: for lists that name parks."""
    work.actor.require(Permission.READ_CATALOGUE)
    return names(work.session, park_ids) if park_ids else {}


def register_organisation(
    work: Work,
    *,
    kind: OrganisationKind,
    name: str,
    uscc: str,
    region_code: str,
    control_group: UUID | None = None,
) -> OrganisationView:
    """Enter a provider, authority or operator. Its region may be a whole province or city.

    Raises Invalid with every wrong field, or for a park (parks sign up), and Conflict for a credit code already entered.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    if kind is OrganisationKind.PARK:
        raise Invalid("organisation.park_signs_up", msg("园区须自行注册。请使用园区注册入口。"))
    with Faults() as faults:
        own_name = faults.take("name", check_name, name)
        credit_code = faults.take("uscc", check_uscc, uscc)
        region = faults.take("region_code", check_region, region_code)
    organisation_id = new_id()
    if not _insert_organisation(work, organisation_id, kind, own_name, credit_code.code, region.code, control_group):
        raise Conflict(
            "organisation.already_registered",
            msg("统一社会信用代码 {uscc} 已登记。请核对，或使用已有单位。", uscc=credit_code.code),
        )
    audit.record(work, "organisation.register", "organisation", organisation_id, kind=kind, uscc=credit_code.code)
    return organisation_view(_organisation(work, organisation_id))


def read_organisation(work: Work, *, organisation_id: UUID) -> OrganisationView:
    """Return an organisation; NotFound for one that is not there, or another park to a park."""
    work.actor.require(Permission.READ_CATALOGUE)
    return organisation_view(_organisation(work, organisation_id))


def find_payer(work: Work, *, reference: str) -> OrganisationView | None:
    """Return the organisation with this payment reference (see ``rules.organisations.find_references``), or None."""
    work.actor.require(Permission.IMPORT_STATEMENT)
    row = organisation(work.session, ORGANISATION.payment_reference == reference)
    return organisation_view(row) if row is not None else None


def add_person(
    work: Work,
    *,
    organisation_id: UUID,
    login: str,
    password: str,
    name: str,
    roles: Collection[Role | str],
    language: str = "zh",
) -> PersonView:
    """Enter a person who signs in, with their roles in one organisation.

    A park's administrator adds people to their own park, the operator to parks, providers and the operator; people of
    an authority are entered by the platform's console alone. Raises NotFound, NotAllowed, one Invalid with every wrong
    field (roles that do not belong there or must be kept apart among them), Conflict ``user.login_taken``.
    """
    work.actor.require(Permission.MANAGE_MEMBERS)
    tenant_id = work.actor.tenant_id if work.actor.reach is Reach.TENANT else None
    if tenant_id not in {None, organisation_id}:
        raise _no_organisation()
    kind = OrganisationKind(_organisation(work, organisation_id).kind)
    if not may_appoint(work.actor.permissions, kind):
        raise NotAllowed("member.may_not_appoint", msg("您不能为该类单位添加人员。请联系平台管理员。"))
    with Faults() as faults:
        own_login = faults.take("login", check_login, login)
        faults.take("password", check_password, password, login)
        own_name = faults.take("name", check_name, name)
        held = faults.take("roles", check_roles, kind, roles)
        faults.take("language", check_language, language)
    user_id = _insert_person(work, organisation_id, own_login, password, own_name, held, language)
    concerned = organisation_id if kind is OrganisationKind.PARK else None
    audit.record(work, "member.add", "user", user_id, tenant_id=concerned, login=own_login, roles=sorted(held))
    return PersonView(user_id, organisation_id, own_login, own_name, tuple(sorted(held)), language, work.now)


def _insert_organisation(
    work: Work,
    organisation_id: UUID,
    kind: OrganisationKind,
    name: str,
    uscc: str,
    region_code: str,
    control_group: UUID | None,
) -> bool:
    row = {
        "id": organisation_id,
        "kind": kind,
        "name": name,
        "uscc": uscc,
        "region_code": region_code,
        "control_group": control_group,
        "payment_reference": payment_reference(organisation_id),
        "created_at": work.now,
    }
    return enter_organisation(work.session, row)


def _insert_person(
    work: Work, organisation_id: UUID, login: str, password: str, name: str, roles: Collection[Role], language: str
) -> UUID:
    user_id = new_id()
    row = {
        "id": user_id,
        "login": login,
        "name": name,
        "password_hash": hash_password(password),
        "language": language,
        "active": True,
        "created_at": work.now,
    }
    if not enter_user(work.session, row):
        raise Conflict("user.login_taken", msg("登录名 {login} 已被使用。请另选一个登录名。", login=login))
    enter_memberships(work.session, organisation_id, user_id, roles, work.now)
    return user_id


def _park(work: Work, park_id: UUID) -> ParkView:
    row = park(work.session, park_id, work.now)
    if row is None:
        raise _no_park()
    return park_view(row)


def _organisation(work: Work, organisation_id: UUID) -> AnyRow:
    row = organisation(work.session, ORGANISATION.id == organisation_id)
    if row is None:
        raise _no_organisation()
    return row


def _verification(text: str) -> Verification:
    try:
        return Verification(text)
    except ValueError:
        known = "、".join(Verification)
        raise Invalid("park.unknown_verification", msg("审核状态须为以下之一：{known}。", known=known)) from None


def _prefix(code: str) -> str:
    return code.removesuffix("00").removesuffix("00")


def _no_park() -> NotFound:
    return NotFound("park.not_found", msg("没有找到该园区。请核对园区编号。"))


def _no_organisation() -> NotFound:
    return NotFound("organisation.not_found", msg("没有找到该单位。请核对单位编号。"))
