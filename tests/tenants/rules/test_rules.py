"""Credit codes, regions, references, roles, passwords and tiers."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.vocabulary import OrganisationKind, Permission, Role, Tier
from tenants.rules.membership import PERMISSIONS, ROLES_OF, check_roles, may_appoint, permissions_of
from tenants.rules.organisations import ALPHABET, find_references, payment_reference
from tenants.rules.parks import Verification
from tenants.rules.people import check_language, check_login, check_name, check_password
from tenants.rules.regions import RegionClass, check_county, check_region, region_class, region_name, regions
from tenants.rules.subscriptions import Change, Held, decide_change
from tenants.rules.uscc import check_uscc, inner_check_digit

NOW = datetime(2026, 3, 2, tzinfo=UTC)
KNOWN = "91110000600037341L"
"""The example in python-stdnum's own documentation."""


def refusal(call: object, *args: object) -> str:
    with pytest.raises((Invalid, Conflict)) as caught:
        call(*args)  # type: ignore[operator]
    assert "请" in str(caught.value.message), "a refusal names the remedy"
    return caught.value.code


def test_a_credit_code_is_read_with_spaces_and_small_letters() -> None:
    assert check_uscc(" 91 110000-600037341l ").code == KNOWN
    assert check_uscc(KNOWN).warnings == ()


@given(st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_is_always_found(place: int, character: str) -> None:
    wrong = KNOWN[:place] + character + KNOWN[place + 1 :]
    if wrong != KNOWN:
        assert refusal(check_uscc, wrong) == "park.bad_uscc"


@pytest.mark.parametrize("text", ["", "123", KNOWN + "0", "IOZSV0000000000000", "九" * 18, "9111000060003734\x001"])
def test_what_is_no_credit_code_is_refused(text: str) -> None:
    assert refusal(check_uscc, text) == "park.bad_uscc"


def test_a_wrong_inner_check_digit_is_a_warning_only() -> None:
    body = KNOWN[:16] + "2"
    assert len(check_uscc(body + uscc.calc_check_digit(body)).warnings) == 1


def test_the_inner_check_digit_may_be_zero_or_x() -> None:
    assert inner_check_digit("D2143569") == "X"
    assert {inner_check_digit(f"{number:08}") for number in range(200)} == set("0123456789X")


def test_a_county_has_its_full_name_and_class() -> None:
    jinjiang = check_county("510104")
    assert (jinjiang.name, jinjiang.region_class) == ("四川省成都市锦江区", RegionClass.WESTERN)
    assert check_county("110101").name == "北京市东城区"
    assert check_county("429004").name == "湖北省仙桃市"


@pytest.mark.parametrize("code", ["441900", "442000", "460400", "620200"])
def test_a_city_without_counties_is_its_own_county(code: str) -> None:
    assert check_county(code).county is not None


@pytest.mark.parametrize(
    "code", ["", "519999", "51010", "4419", "710000", "810000", "资料暂缺0000", "510100", "510000"]
)
def test_what_is_no_county_is_refused(code: str) -> None:
    assert refusal(check_county, code) == "park.unknown_region"


def test_provinces_and_cities_are_regions_too() -> None:
    assert check_region("510100").name == "四川省成都市"
    assert region_name("510000") == "四川省"
    assert region_name("999999") == "999999"


def test_the_three_regions_have_eleven_eight_and_twelve_provinces() -> None:
    provinces = [region_class(code) for code in regions() if code.endswith("0000")]
    assert [provinces.count(one) for one in RegionClass] == [11, 8, 12]


@given(st.uuids())
def test_a_reference_is_short_and_found_in_any_text(organisation_id: UUID) -> None:
    reference = payment_reference(organisation_id)
    assert len(reference) == 12
    spaced = f"{reference[:2]} {reference[2:7].lower()}-{reference[7:]}"
    assert find_references(f"服务费{reference}, 2026-03 {spaced}") == (reference,)


@given(st.uuids(), st.integers(2, 11), st.sampled_from(ALPHABET))
def test_a_mistyped_reference_pays_for_nobody(organisation_id: UUID, place: int, character: str) -> None:
    good = payment_reference(organisation_id)
    wrong = good[:place] + character + good[place + 1 :]
    assert find_references(wrong) == ((good,) if wrong == good else ())


@given(st.uuids(), st.integers(2, 9))
def test_exchanged_neighbours_in_a_reference_are_found(organisation_id: UUID, place: int) -> None:
    good = payment_reference(organisation_id)
    wrong = good[:place] + good[place + 1] + good[place] + good[place + 2 :]
    assert find_references(wrong) == ((good,) if wrong == good else ())


def test_duties_are_separated() -> None:
    def holders(permission: Permission) -> set[Role]:
        return {role for role, held in PERMISSIONS.items() if permission in held}

    assert holders(Permission.WRITE_PROGRAMME) == {Role.SUBSIDY_OFFICER}
    assert holders(Permission.MANAGE_FUND) == {Role.SUBSIDY_OFFICER}
    assert holders(Permission.APPROVE_PROGRAMME) == holders(Permission.APPROVE_FUND) == {Role.SUBSIDY_APPROVER}
    assert holders(Permission.CLAIM) == {Role.FINANCE}
    money = {Permission.READ_FUND, Permission.IMPORT_STATEMENT, Permission.REVIEW_CLAIM, Permission.TOP_UP_WALLET}
    assert not PERMISSIONS[Role.OPERATOR] & money
    assert not PERMISSIONS[Role.PROVIDER] & {Permission.READ_ORDER, Permission.READ_ALL_PARKS}


def test_a_role_counts_only_in_its_kind_of_organisation() -> None:
    assert permissions_of(OrganisationKind.PARK, ["finance", "operator", "nonsense"]) == frozenset()
    both = permissions_of(OrganisationKind.PARK, ["park_member", "park_finance"])
    assert both < permissions_of(OrganisationKind.PARK, ["park_admin"])
    assert set().union(*ROLES_OF.values()) == set(Role)


def test_roles_of_one_person_are_checked() -> None:
    assert check_roles(OrganisationKind.PARK, ["park_admin", "park_finance"]) == {Role.PARK_ADMIN, Role.PARK_FINANCE}
    assert refusal(check_roles, OrganisationKind.PARK, []) == "member.unfit_role"
    assert refusal(check_roles, OrganisationKind.PROVIDER, ["operator"]) == "member.unfit_role"
    for pair in (["subsidy_officer", "finance"], ["subsidy_approver", "finance"]):
        assert refusal(check_roles, OrganisationKind.AUTHORITY, pair) == "member.conflicting_roles"


def test_no_role_appoints_people_of_an_authority() -> None:
    assert not any(may_appoint(held, OrganisationKind.AUTHORITY) for held in PERMISSIONS.values())
    assert may_appoint(PERMISSIONS[Role.OPERATOR], OrganisationKind.PROVIDER)
    assert not may_appoint(PERMISSIONS[Role.PARK_ADMIN], OrganisationKind.PROVIDER)


@pytest.mark.parametrize(
    "password",
    ["", "short", "aaaaaaaaaaaa", "xx1234567890", "my-Password-1", "x" * 129, "herons herons\n", "the admin77 key"],
)
def test_a_weak_password_is_refused(password: str) -> None:
    assert refusal(check_password, password, "admin77") == "user.weak_password"


def test_logins_names_and_languages_are_checked() -> None:
    assert check_login(" Li.Wei@Park ") == "li.wei@park"
    assert check_name(" 锦江园区 ") == "锦江园区"
    assert check_language("en") == "en"
    assert refusal(check_login, "李伟") == "user.bad_login"
    assert refusal(check_name, "a\x00b") == "input.bad_name"
    assert refusal(check_language, "fr") == "user.unknown_language"


def test_what_a_wish_for_a_tier_means() -> None:
    held = Held(Tier.ENHANCED, NOW)
    verified = Verification.VERIFIED
    assert decide_change(verified, None, Tier.BASIC, NOW).change is Change.START
    assert decide_change(verified, held, Tier.LEADING, NOW).change is Change.UPGRADE
    assert decide_change(verified, held, Tier.BASIC, NOW).change is Change.DOWNGRADE
    assert decide_change(verified, held, Tier.ENHANCED, NOW).change is Change.NONE
    assert refusal(decide_change, Verification.PENDING, None, Tier.BASIC, NOW) == "park.not_verified"
