"""Parks sign up, are verified, and take people in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from tenants.kernel.context import Actor, Reach, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import OrganisationKind, Permission, Role, Tier
from tenants.kernel.work import WorkShop
from tenants.rules.organisations import find_references
from tenants.usecases import audit, identity, onboarding
from tests.support.parks import PASSWORD, credit_code, person, sign_up, verified_park


def staff(*permissions: Permission) -> Actor:
    return Actor("staff", Reach.STAFF, frozenset(permissions), user_id=new_id(), organisation_id=new_id())


def test_a_park_signs_up_and_waits_for_verification(workshop: WorkShop) -> None:
    park = sign_up(workshop)
    assert (park.verification, park.region_class, park.tier) == ("pending", "western", None)
    assert park.region_name == "四川省成都市锦江区"
    assert find_references(f"货款 {park.payment_reference} 谢谢") == (park.payment_reference,)
    admin = person(workshop, "ADMIN1")
    assert (admin.reach, admin.tenant_id, admin.organisation_id) == (Reach.TENANT, park.id, park.id)
    with workshop.work(admin) as work:
        assert onboarding.read_park(work, park_id=park.id) == park


def test_every_wrong_field_is_told_at_once(workshop: WorkShop) -> None:
    with pytest.raises(Invalid) as caught:
        sign_up(workshop, uscc="91110000600037341X", region_code="510100", size="huge", password="short", login="a b")
    told = {error.field: error.code for error in caught.value.errors}
    assert told == {
        "uscc": "park.bad_uscc",
        "region_code": "park.unknown_region",
        "size": "park.unknown_size",
        "login": "user.bad_login",
        "password": "user.weak_password",
    }
    assert caught.value.code == "input.invalid"


def test_a_single_wrong_field_gives_its_own_code(workshop: WorkShop) -> None:
    with pytest.raises(Invalid) as caught:
        sign_up(workshop, region_code="519999")
    assert caught.value.code == "park.unknown_region"
    assert [error.field for error in caught.value.errors] == ["region_code"]


def test_a_credit_code_and_a_login_are_taken_once(workshop: WorkShop) -> None:
    sign_up(workshop)
    with pytest.raises(Conflict) as caught:
        sign_up(workshop, 2, uscc=credit_code(1))
    assert caught.value.code == "park.already_signed_up"
    with pytest.raises(Conflict) as caught:
        sign_up(workshop, 2, login="Admin1")
    assert caught.value.code == "user.login_taken"
    with workshop.work(system_actor("test")) as work:
        assert len(onboarding.list_parks(work).items) == 1


@pytest.mark.parametrize(("shared", "code"), [("uscc", "park.already_signed_up"), ("login", "user.login_taken")])
def test_of_two_racing_sign_ups_one_wins(workshop: WorkShop, shared: str, code: str) -> None:
    start = Barrier(2)
    value = {"uscc": credit_code(9), "login": "both"}[shared]

    def run(number: int) -> str:
        start.wait()
        try:
            sign_up(workshop, number, **{shared: value})
        except Problem as problem:
            return problem.code
        return "ok"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, (1, 2))) == sorted(["ok", code])
    with workshop.work(system_actor("test")) as work:
        counted = "SELECT (SELECT count(*) FROM organisations), (SELECT count(*) FROM users), count(*) FROM parks"
        assert tuple(work.session.execute(text(counted)).one()) == (1, 1, 1)


def test_a_verification_is_decided_once_with_a_reason(workshop: WorkShop) -> None:
    park = sign_up(workshop)
    reviewer = staff(Permission.VERIFY_PARK)
    with pytest.raises(Invalid) as refused, workshop.work(reviewer) as work:
        onboarding.decide_verification(work, park_id=park.id, approve=False, note=" ")
    assert refused.value.code == "park.note_needed"
    with workshop.work(reviewer) as work:
        assert onboarding.decide_verification(work, park_id=park.id, approve=False, note="缺证").decision_note == "缺证"
    with workshop.work(reviewer) as work:
        assert onboarding.decide_verification(work, park_id=park.id, approve=True, note="").verification == "verified"
    for approve in (True, False):
        with pytest.raises(Conflict) as caught, workshop.work(reviewer) as work:
            onboarding.decide_verification(work, park_id=park.id, approve=approve, note="再审")
        assert caught.value.code == "park.already_decided"
    with pytest.raises(NotFound), workshop.work(reviewer) as work:
        onboarding.decide_verification(work, park_id=new_id(), approve=True, note="")


def test_a_park_cannot_verify_itself_even_in_the_database(workshop: WorkShop) -> None:
    park = sign_up(workshop)
    with pytest.raises(NotAllowed), workshop.work(person(workshop, "admin1")) as work:
        onboarding.decide_verification(work, park_id=park.id, approve=True, note="")
    with pytest.raises(Exception, match="permission denied"), workshop.work(person(workshop, "admin1")) as work:
        work.session.execute(text("UPDATE parks SET verification = 'verified'"))


def test_another_park_is_not_found(workshop: WorkShop) -> None:
    sign_up(workshop)
    other = sign_up(workshop, 2)
    with workshop.work(person(workshop, "admin1")) as work:
        with pytest.raises(NotFound):
            onboarding.read_park(work, park_id=other.id)
        assert onboarding.park_names(work, park_ids={other.id}) == {}


def test_parks_are_listed_in_pages_newest_first(workshop: WorkShop) -> None:
    ids = [sign_up(workshop, number).id for number in range(1, 6)]
    verified_park(workshop, 6, Tier.LEADING, region_code="410102")
    with workshop.work(staff(Permission.READ_ALL_PARKS)) as work:
        seen, cursor = [], None
        while True:
            page = onboarding.list_parks(work, region="510000", limit=2, cursor=cursor)
            seen += [park.id for park in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == ids[::-1]
        [verified] = onboarding.list_parks(work, verification="verified").items
        assert (verified.tier, verified.region_class) == (Tier.LEADING, "central")


def test_a_park_administrator_adds_people_to_the_own_park_only(workshop: WorkShop) -> None:
    park, other = sign_up(workshop), sign_up(workshop, 2)
    admin = person(workshop, "admin1")
    with workshop.work(admin) as work:
        added = onboarding.add_person(
            work, organisation_id=park.id, login="Books", password=PASSWORD, name="会计", roles=[Role.PARK_FINANCE]
        )
    assert added.login == "books"
    books = person(workshop, "books")
    assert books.tenant_id == park.id
    assert books.may(Permission.READ_INVOICE)
    assert not books.may(Permission.PLACE_ORDER)
    with pytest.raises(NotFound), workshop.work(admin) as work:
        onboarding.add_person(
            work, organisation_id=other.id, login="spy", password=PASSWORD, name="外人", roles=["park_admin"]
        )
    with pytest.raises(Conflict), workshop.work(admin) as work:
        onboarding.add_person(
            work, organisation_id=park.id, login="books", password=PASSWORD, name="会计", roles=["park_finance"]
        )
    with pytest.raises(Invalid) as caught, workshop.work(admin) as work:
        onboarding.add_person(
            work, organisation_id=park.id, login="boss", password=PASSWORD, name="财政", roles=[Role.FINANCE]
        )
    assert caught.value.code == "member.unfit_role"


def test_the_console_alone_enters_people_of_an_authority(workshop: WorkShop) -> None:
    with workshop.work(system_actor("console")) as work:
        province = onboarding.register_organisation(
            work, kind=OrganisationKind.AUTHORITY, name="省科技厅", uscc=credit_code(50), region_code="510000"
        )
        onboarding.add_person(
            work,
            organisation_id=province.id,
            login="approver",
            password=PASSWORD,
            name="审批人",
            roles=[Role.SUBSIDY_APPROVER],
        )
    assert province.region_name == "四川省"
    assert person(workshop, "approver").reach is Reach.STAFF
    operator = staff(Permission.MANAGE_MEMBERS, Permission.RUN_PLATFORM)
    with pytest.raises(NotAllowed), workshop.work(operator) as work:
        onboarding.add_person(
            work, organisation_id=province.id, login="friend", password=PASSWORD, name="友", roles=["finance"]
        )
    with pytest.raises(Invalid) as caught, workshop.work(system_actor("console")) as work:
        onboarding.add_person(
            work,
            organisation_id=province.id,
            login="both",
            password=PASSWORD,
            name="兼任",
            roles=["subsidy_officer", "subsidy_approver"],
        )
    assert caught.value.code == "member.conflicting_roles"


def test_what_was_done_stands_in_the_trail_and_a_park_reads_its_own(workshop: WorkShop) -> None:
    park = verified_park(workshop, 1, Tier.BASIC)
    sign_up(workshop, 2)
    with workshop.work(person(workshop, "admin1")) as work:
        trail = audit.list_audit(work).items
    assert [entry.action for entry in trail] == ["subscription.change", "park.verify", "park.sign_up"]
    assert {entry.tenant_id for entry in trail} == {park.id}
    with workshop.work(system_actor("sign-in")) as work:
        assert identity.sign_in(work, login="admin2", password=PASSWORD).name == "管理员"
    with workshop.work(staff(Permission.READ_AUDIT)) as work:
        page = audit.list_audit(work, limit=1)
        assert page.items[0].action == "identity.sign_in"
        assert page.next_cursor is not None
