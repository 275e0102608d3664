"""Funds: two people for every appropriation, and a register of every movement."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.usecases import fund_life, funds, invariants
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.invariants import broken
from tests.support.subsidies import (
    APPROVER,
    OFFICER,
    approve_programme,
    ask,
    check_out,
    fill_fund,
    fund_now,
    park,
    policy,
    price,
)


def test_money_is_in_a_fund_once_another_person_has_approved_it(workshop: WorkShop) -> None:
    with workshop.work(OFFICER) as work:
        fund = funds.open_fund(work, slug="province", name="省级", name_en="Province", year=2026)
        asked = funds.request_appropriation(work, fund_id=fund.id, amount_fen=500, document_no="财〔2026〕1号")
        assert (asked.status, asked.requested_by) == ("requested", OFFICER.user_id)
    assert fund_now(workshop, fund.id).available_fen == 0
    with pytest.raises(Conflict) as refused, workshop.work(OFFICER) as work:
        funds.approve_appropriation(work, appropriation_id=asked.id)
    assert refused.value.code == "appropriation.same_person"
    with workshop.work(APPROVER) as work:
        assert funds.approve_appropriation(work, appropriation_id=asked.id).available_fen == 500
    with pytest.raises(Conflict) as refused, workshop.work(APPROVER) as work:
        funds.approve_appropriation(work, appropriation_id=asked.id)
    assert refused.value.code == "appropriation.decided"
    with workshop.work(OFFICER) as work:
        (entry,) = funds.list_fund_entries(work, fund_id=fund.id).items
        (seen,) = funds.list_appropriations(work, fund_id=fund.id)
    assert (entry.source, entry.destination, entry.amount_fen) == ("appropriated", "available", 500)
    assert entry.user_id == seen.approved_by == APPROVER.user_id
    assert broken(workshop, invariants.INVARIANTS) == {}


def test_a_top_up_and_an_allotment_add_to_the_fund(workshop: WorkShop) -> None:
    fund_id = fill_fund(workshop, "province", 300, r510118=200)
    fund = fund_now(workshop, fund_id)
    assert (fund.appropriated_fen, fund.available_fen) == (500, 500)
    assert [(each.envelope, each.available_fen) for each in fund.envelopes] == [("", 300), ("510118", 200)]
    with workshop.work(OFFICER) as work:
        assert [each.slug for each in funds.list_funds(work)] == ["province"]


@pytest.mark.parametrize("amount", [0, -1, 2**53])
def test_an_appropriation_of_nothing_is_refused(workshop: WorkShop, amount: int) -> None:
    fund_id = fill_fund(workshop, "province", 1)
    with pytest.raises(Invalid), workshop.work(OFFICER) as work:
        funds.request_appropriation(work, fund_id=fund_id, amount_fen=amount, document_no="1")


def test_a_frozen_fund_takes_no_money_either(workshop: WorkShop) -> None:
    fund_id = fill_fund(workshop, "province", 1)
    with workshop.work(OFFICER) as work:
        asked = funds.request_appropriation(work, fund_id=fund_id, amount_fen=1, document_no="1")
    with workshop.work(APPROVER) as work:
        assert fund_life.freeze_fund(work, fund_id=fund_id, reason="核查").status == "frozen"
    with pytest.raises(Conflict) as refused, workshop.work(APPROVER) as work:
        funds.approve_appropriation(work, appropriation_id=asked.id)
    assert refused.value.code == "fund.not_open"
    with workshop.work(APPROVER) as work:
        fund_life.unfreeze_fund(work, fund_id=fund_id, reason="核查完毕")
        assert funds.approve_appropriation(work, appropriation_id=asked.id).available_fen == 2


def test_a_fund_that_is_not_there_is_not_found(workshop: WorkShop) -> None:
    with pytest.raises(NotFound), workshop.work(OFFICER) as work:
        funds.read_fund(work, fund_id=new_id())
    fill_fund(workshop, "province", 1)
    with pytest.raises(Conflict, match="已被使用"), workshop.work(OFFICER) as work:
        funds.open_fund(work, slug="province", name="x", name_en="x", year=2026)


def test_entries_are_never_changed_and_a_park_sees_its_own(workshop: WorkShop) -> None:
    fund_id = fill_fund(workshop, "province", 10**9)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    one, other = park(), park()
    for actor in (one, other):
        check_out(workshop, actor, ask(workshop, actor, "twin"))
    with workshop.work(one) as work:
        (entry,) = funds.list_fund_entries(work, fund_id=fund_id).items
    assert (entry.tenant_id, entry.reason, entry.user_id) == (one.tenant_id, "hold.placed", one.user_id)
    with workshop.work(OFFICER) as work:
        page = funds.list_fund_entries(work, fund_id=fund_id, limit=2)
        rest = funds.list_fund_entries(work, fund_id=fund_id, limit=2, cursor=page.next_cursor)
    assert len({entry.id for entry in page.items + rest.items}) == 3
    assert rest.next_cursor is None
    with pytest.raises(DBAPIError, match="permission denied"), workshop.work(OFFICER) as work:
        work.session.execute(text("UPDATE fund_entries SET amount_fen = 1"))
