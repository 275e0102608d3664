"""Numbers of leads: kept apart, masked, and shown one by one to who has claimed a company, within the day's limit."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.gateways.sandbox import Limits
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import CITIES, demo_switchboard, demo_uscc
from services.rules.lead_allocation import ClaimStage
from services.rules.lead_contacts import PER_DAY
from services.rules.switchboards import masked
from services.usecases import artefacts, company_imports, execution, lead_claims, lead_contacts, lead_suppressions
from services.usecases.invariants_leads import LEADS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_lead_allocation import REQUEST, claim, placed, together
from tests.support.invariants import broken
from tests.support.pdfs import pdf_texts
from tests.support.services import build_world, import_demo_companies, order, park_person

CODES = [demo_uscc(CITIES[number % len(CITIES)], number) for number in range(40)]
NUMBERS = [demo_switchboard(number) for number in range(40)]
OPERATOR = system_actor("operator", on_behalf_of=new_id())


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> Iterator[None]:
    build_world(workshop)
    import_demo_companies(workshop, clock.now().date())
    yield
    assert broken(workshop, LEADS) == {}


def held(workshop: WorkShop, park_id: UUID, *numbers: int) -> None:
    """List companies to a park and let it claim them."""
    for number in numbers:
        placed(workshop, park_id, CODES[number])
        claim(workshop, park_id, CODES[number])


def shown(workshop: WorkShop, actor: Actor, code: str) -> lead_contacts.ShownContact:
    with workshop.work(actor) as work:
        return lead_contacts.show_contact(work, uscc=code)


def refused(workshop: WorkShop, actor: Actor, code: str) -> str:
    with pytest.raises(Problem) as problem:
        shown(workshop, actor, code)
    return problem.value.code


def limited(workshop: WorkShop, per_day: int) -> None:
    with workshop.work(OPERATOR) as work:
        lead_contacts.set_contact_limit(work, per_day=per_day)


def bring(
    workshop: WorkShop, as_of: date, *rows: tuple[str, str, str], title: str = "联系电话"
) -> company_imports.ImportView:
    lines = [f"企业名称,统一社会信用代码,行政区划代码,数据日期,{title}"]
    lines += [f"第{code[-4:]}有限公司,{code},330100,{day},{phone}" for code, day, phone in rows]
    with workshop.work(system_actor("test")) as work:
        return company_imports.import_at_once(
            work, kind=ImportKind.COMPANIES, name="名录", licence="自有", as_of=as_of, content="\n".join(lines).encode()
        )


def kept(workshop: WorkShop) -> dict[str, tuple[str, str, str]]:
    with workshop.work(system_actor("test")) as work:
        rows = work.session.execute(
            text(
                "SELECT uscc, number, masked, as_of::text FROM company_contacts JOIN company_switchboards USING (uscc)"
            )
        ).all()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def test_numbers_are_kept_with_their_day_and_the_newest_that_is_told_counts(
    workshop: WorkShop, clock: ManualClock
) -> None:
    today, (one, other, third) = clock.now().date(), CODES[:3]
    first = bring(
        workshop, today, (one, "2026-01-02", "0571-87654321"), (one, "2026-01-01", "0571-87654320"),
        (other, "2026-01-01", "13900000000"), (third, "2026-01-01", "13900000000/400-123-4567"),
    )  # fmt: skip
    assert (first.rows_accepted, first.rows_refused) == (4, 0), "a bad number sets no row aside"
    assert first.warned["switchboard_dropped"] == 2
    assert kept(workshop) == {
        one: ("0571-87654321", "0571-******21", "2026-01-02"),
        third: ("400-123-4567", "400-***-**67", "2026-01-01"),
    }
    bring(workshop, today, (one, "2025-12-01", "0571-80000000"), (third, "2026-02-01", ""))
    assert kept(workshop)[one][0] == "0571-87654321", "older data overwrites nothing"
    assert kept(workshop)[third][2] == "2026-01-01", "silence is no contradiction"
    bring(workshop, today, (one, "2026-02-01", "95123"), title="总机")
    assert kept(workshop)[one] == ("95123", "95***", "2026-02-01")


def test_a_number_is_shown_only_on_a_running_claim(workshop: WorkShop, world: None, clock: ManualClock) -> None:
    park_id, code = new_id(), CODES[0]
    member = park_person(park_id)
    assert refused(workshop, member, code) == "leads.not_found"
    placed(workshop, park_id, code)
    with workshop.work(member) as work:
        assert [lead.contact for lead in lead_claims.list_leads(work)] == [masked(NUMBERS[0])]
    assert refused(workshop, member, code) == "leads.not_claimed"
    claim(workshop, park_id, code)
    found = shown(workshop, member, code)
    assert (found.number, found.shown_today, found.per_day) == (NUMBERS[0], 1, PER_DAY)
    assert shown(workshop, park_person(park_id), code) == found, "again on the same claim counts once a day"
    with workshop.work(member) as work:
        (noted,) = lead_contacts.list_showings(work).items
        assert (noted.shown_by, noted.uscc, noted.shown_at) == (member.user_id, code, clock.now())
        assert lead_contacts.shown_today(work) == (code,)
        assert [lead.contact for lead in lead_claims.list_leads(work)] == [masked(NUMBERS[0])], "lists stay masked"
        trail = work.session.execute(text("SELECT detail::text FROM audit_entries WHERE action = 'leads.show_contact'"))
        told = trail.scalars().all()
    assert len(told) == 2
    assert not any(NUMBERS[0] in each for each in told)
    clock.advance(timedelta(days=30))
    assert refused(workshop, member, code) == "leads.not_claimed", "the lease has ended"
    claim(workshop, park_id, code)
    assert shown(workshop, member, code).shown_today == 1
    with workshop.work(member) as work:
        lead_claims.move_lead(work, uscc=code, stage=ClaimStage.RELEASED)
    assert refused(workshop, member, code) == "leads.not_claimed"
    held(workshop, park_id, 9)
    assert refused(workshop, member, CODES[9]) == "leads.no_contact"


def test_who_asked_not_to_be_contacted_is_never_shown(workshop: WorkShop, world: None, clock: ManualClock) -> None:
    park_id = new_id()
    held(workshop, park_id, 0)
    shown(workshop, park_person(park_id), CODES[0])
    clock.advance(timedelta(hours=1))
    with workshop.work(OPERATOR) as work:
        lead_suppressions.suppress_company(work, uscc=CODES[0], asked_on=date(2026, 3, 1), reason="来函")
    assert refused(workshop, park_person(park_id), CODES[0]) == "leads.suppressed"
    with workshop.work(park_person(park_id)) as work:
        assert [lead.contact for lead in lead_claims.list_leads(work)] == [None]
        assert work.session.execute(text("SELECT number FROM company_switchboards")).all() == [], "nor by the database"


def test_the_days_numbers_run_out_and_come_back_at_midnight_of_the_park(
    workshop: WorkShop, world: None, clock: ManualClock
) -> None:
    park_id, other = new_id(), new_id()
    member = park_person(park_id)
    limited(workshop, 2)
    held(workshop, park_id, 0, 1, 2)
    held(workshop, other, 3)
    assert [shown(workshop, member, code).shown_today for code in CODES[:2]] == [1, 2]
    assert refused(workshop, member, CODES[2]) == "leads.contact_limit"
    assert shown(workshop, member, CODES[1]).number == NUMBERS[1], "what was shown today may be looked up again"
    assert shown(workshop, park_person(other), CODES[3]).shown_today == 1, "each park has its own"
    limited(workshop, 3)
    assert shown(workshop, member, CODES[2]).shown_today == 3
    limited(workshop, 0)
    midnight = clock.now().replace(hour=16, minute=0, second=0, microsecond=0)
    clock.advance((midnight - clock.now()) % timedelta(days=1) - timedelta(seconds=1))
    limited(workshop, 3)
    held(workshop, park_id, 4)
    assert refused(workshop, member, CODES[4]) == "leads.contact_limit"
    clock.advance(timedelta(seconds=1))
    assert shown(workshop, member, CODES[4]).shown_today == 1


def test_of_many_at_once_no_more_than_the_days_are_shown(workshop: WorkShop, world: None) -> None:
    park_id = new_id()
    limited(workshop, 3)
    held(workshop, park_id, *range(8))
    found = together(*(partial(shown, workshop, park_person(park_id), CODES[number]) for number in range(8)))
    numbers = [each.number for each in found if isinstance(each, lead_contacts.ShownContact)]
    assert len(set(numbers)) == 3
    assert {each.code for each in found if isinstance(each, Problem)} == {"leads.contact_limit"}
    same = together(*(partial(shown, workshop, park_person(park_id), code) for code in CODES[:8] for _ in range(1)))
    assert sum(isinstance(each, lead_contacts.ShownContact) for each in same) == 3
    with workshop.work(OPERATOR) as work:
        assert len(lead_contacts.list_showings(work).items) == 3


def test_the_database_keeps_numbers_from_who_was_not_shown_them(workshop: WorkShop, world: None) -> None:
    park_id, other = new_id(), new_id()
    limited(workshop, 1)
    held(workshop, park_id, 0, 1)
    shown(workshop, park_person(park_id), CODES[0])
    for actor, seen in ((park_person(park_id), [NUMBERS[0]]), (park_person(other), [])):
        with workshop.work(actor) as work:
            assert work.session.execute(text("SELECT number FROM company_switchboards")).scalars().all() == seen
            assert len(lead_contacts.list_showings(work).items) == len(seen)
    beyond = "INSERT INTO lead_contact_showings SELECT tenant_id, day, 2, per_day, gen_random_uuid(), claim_id, uscc, shown_by, shown_at, as_of, source_id FROM lead_contact_showings"
    with (
        pytest.raises(IntegrityError, match="ck_lead_contact_showings_place"),
        workshop.work(park_person(park_id)) as work,
    ):
        work.session.execute(text(beyond))
    for actor in (park_person(park_id), OPERATOR):
        with pytest.raises(ProgrammingError), workshop.work(actor) as work:
            work.session.execute(text("UPDATE lead_contact_showings SET uscc = uscc"))


def test_no_file_of_a_list_has_a_number(workshop: WorkShop, world: None) -> None:
    park_id = new_id()
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None
    worker = system_actor("worker", tenant_id=park_id)
    execution.execute_run(workshop, worker, run_id=run_id, limits=Limits(wall_seconds=120))
    with workshop.work(park_person(park_id)) as work:
        leads = lead_claims.list_leads(work, run_id=run_id)
        files = artefacts.list_artefacts(work, source_id=run_id)
        contents = {each.name: artefacts.open_artefact(work, artefact_id=each.id).content for each in files}
    assert sum(lead.contact is not None for lead in leads) > 30
    assert {name.rpartition(".")[2] for name in contents} >= {"xlsx", "docx", "pptx", "json"}
    for name, content in contents.items():
        parts = [content]
        if content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as package:
                parts = [package.read(each) for each in package.namelist()]
        assert not any(b"0600-2" in part or b"0600-*" in part for part in parts), name
    shown = pdf_texts(contents["plan.pdf"])
    assert any("120" in each for each in shown), "the park's area: figures are read"
    assert any("园区" in each for each in shown)
    for number in {demo_switchboard(number) for number in range(3000)} - {""}:
        assert not any(number in each or masked(number) in each for each in shown)


def test_only_a_named_member_sees_and_only_the_operator_sets(workshop: WorkShop, world: None) -> None:
    park_id = new_id()
    held(workshop, park_id, 0)
    nameless = system_actor("program", tenant_id=park_id)
    assert refused(workshop, nameless, CODES[0]) == "auth.person_needed"
    reader = Actor("x", nameless.reach, frozenset(), user_id=new_id(), tenant_id=park_id)
    with workshop.work(reader) as work:
        for use in (
            lambda: lead_contacts.show_contact(work, uscc=CODES[0]),
            lambda: lead_contacts.list_showings(work),
            lambda: lead_contacts.read_contact_limit(work),
            lambda: lead_contacts.shown_today(work),
            lambda: lead_contacts.set_contact_limit(work, per_day=1),
        ):
            with pytest.raises(NotAllowed):
                use()
    with workshop.work(park_person(park_id)) as work, pytest.raises(NotAllowed):
        lead_contacts.set_contact_limit(work, per_day=1)
    with workshop.work(OPERATOR) as work:
        assert lead_contacts.read_contact_limit(work).set_by is None
        for per_day in (-1, 1001):
            with pytest.raises(Invalid):
                lead_contacts.set_contact_limit(work, per_day=per_day)
        assert lead_contacts.set_contact_limit(work, per_day=5).set_by == OPERATOR.user_id
        assert lead_contacts.read_contact_limit(work).per_day == 5
    with pytest.raises((Conflict, NotFound)):
        shown(workshop, park_person(new_id()), CODES[0])
