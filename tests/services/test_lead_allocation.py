"""Fair allocation of leads: five parks a company, one claim, turns, exploration, and wishes not to be contacted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.gateways.positions import locate
from services.gateways.sandbox import Limits
from services.rules.demo_companies import demo_uscc
from services.rules.lead_allocation import (
    DEPTH,
    MOST_PARKS,
    ClaimStage,
    LeadStatus,
    Openings,
    Standing,
    choose,
    is_ahead,
    is_open,
    may_become,
    openings,
)
from services.rules.leads import EXPLORATION, Lead
from services.rules.ranking.listing import rank_registry
from services.rules.ranking.registry import build_registry
from services.rules.ranking.retrieval import build_bm25
from services.usecases import artefacts, execution, lead_claims, lead_places, lead_suppressions, runs
from services.usecases.invariants import INVARIANTS
from services.usecases.invariants_leads import LEADS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_leads import BRIEF, CROWD, TODAY
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.services import build_world, import_demo_companies, order, park_person

CODES = [demo_uscc("330100", number) for number in range(60)]
LIMITS = Limits(wall_seconds=120)
REQUEST = {"region_code": "510104", "industries": ["39", "38"], "area_mu": 120}

ranked_lists = st.lists(st.integers(0, 10_000).map(str), unique=True, max_size=200)


# The rules


@given(ranked_lists, st.integers(1, 50), st.text(max_size=5), st.data())
def test_a_fifth_at_least_is_explored_and_the_top_stays_in_order(
    ranked: list[str], count: int, seed: str, data: st.DataObject
) -> None:
    taken = {code: data.draw(st.integers(1, 4)) for code in ranked[::7]}
    chosen = choose(ranked, count, Openings(False, seed, taken=taken))
    assert chosen == choose(ranked, count, Openings(False, seed, taken=dict(reversed(taken.items()))))
    size = min(count, len(ranked))
    explored = [each.at for each in chosen if each.explored]
    top = size - len(explored)
    assert len(chosen) == size
    assert 5 * len(explored) >= size > 5 * (len(explored) - 1)
    assert [each.at for each in chosen[:top]] == list(range(top))
    assert explored == sorted(set(explored))
    assert all(top <= at < len(ranked) for at in explored)


@given(st.integers(0, 6), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_nobody_is_listed_a_full_claimed_or_silent_company(
    others: int, mine: bool, claimed: bool, suppressed: bool, ahead: bool
) -> None:
    one = Standing("X", others, mine, claimed, suppressed)
    if is_open(one, ahead=ahead):
        assert not claimed
        assert not suppressed
        assert mine or others + 1 <= MOST_PARKS
    told = openings([one], ahead=ahead, seed="")
    assert ("X" in told.closed) is not is_open(one, ahead=ahead)
    assert told.taken == ({"X": others} if others and not told.closed else {})


def test_the_last_places_are_kept_for_parks_whose_turn_it_is() -> None:
    assert not is_open(Standing("X", 3), ahead=True)
    assert is_open(Standing("X", 4), ahead=False)
    assert is_open(Standing("X", 4, mine=True), ahead=True)
    assert is_ahead(50, 50, parks=3)
    assert not is_ahead(0, 50, parks=3)
    assert not is_ahead(20, 60, parks=3)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_it_is_always_the_turn_of_who_was_listed_least(counts: list[int]) -> None:
    assert not is_ahead(min(counts), sum(counts), len(counts))


@given(st.sampled_from(ClaimStage), st.sampled_from(ClaimStage))
def test_a_claim_goes_forward_and_an_ended_one_nowhere(stage: ClaimStage, wanted: ClaimStage) -> None:
    if may_become(stage, wanted):
        assert stage in (ClaimStage.CLAIMED, ClaimStage.CONTACTED, ClaimStage.VISITED)
        assert wanted is not ClaimStage.SUPPRESSED
        assert not may_become(wanted, stage)


def _ranked(given: Openings | None) -> tuple[Lead, ...]:
    registry = build_registry(CROWD)
    return rank_registry(BRIEF, registry, build_bm25(registry.scopes), locate, TODAY, None, given).leads


def test_a_list_is_without_what_is_closed_and_says_what_it_explored() -> None:
    plain = _ranked(None)
    closed = frozenset(lead.company.uscc for lead in plain[:10])
    shared = _ranked(Openings(False, "s", closed))
    assert closed.isdisjoint(lead.company.uscc for lead in shared)
    assert [lead.company.uscc for lead in shared[:30]] == [lead.company.uscc for lead in plain[10:40]]
    explored = [lead for lead in shared if lead.explored]
    assert len(explored) == 10
    assert [lead.rank for lead in shared] == list(range(1, 51))
    assert [lead.score for lead in shared] == sorted((lead.score for lead in shared), reverse=True)
    for lead in shared:
        assert (lead.reasons[-1].code == EXPLORATION) is lead.explored
        assert 0 <= lead.percentile < 100
    assert _ranked(Openings(False, "s", closed)) == shared
    assert _ranked(Openings(False, "other", closed)) != shared
    assert all(1 <= int(lead.reasons[-1].value) <= 50 * (1 + DEPTH) + 10 for lead in explored)


def test_of_those_beyond_the_top_who_is_listed_least_comes_first() -> None:
    plain = _ranked(None)
    first = _ranked(Openings(False, "s"))
    crowded = {lead.company.uscc: 1 for lead in first if lead.explored}
    again = _ranked(Openings(False, "s", taken=crowded))
    assert not {lead.company.uscc for lead in again if lead.explored} & set(crowded)
    assert [lead.company for lead in again[:40]] == [lead.company for lead in plain[:40]]


# The database


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> Iterator[None]:
    build_world(workshop)
    import_demo_companies(workshop, clock.now().date())
    yield
    assert broken(workshop, (*INVARIANTS, *LEADS)) == {}


def delivered(workshop: WorkShop, park_id: UUID) -> list[str]:
    """Order a list, carry it out, and return its companies' codes."""
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None
    execution.execute_run(workshop, system_actor("worker", tenant_id=park_id), run_id=run_id, limits=LIMITS)
    with workshop.work(park_person(park_id)) as work:
        run = runs.read_run(work, run_id=run_id)
        assert run.status == "succeeded", run.failure_detail
        files = {each.name: each for each in artefacts.list_artefacts(work, source_id=run_id)}
        rows = json.loads(artefacts.open_artefact(work, artefact_id=files["leads.json"].id).content)
        listed = [lead.uscc for lead in lead_claims.list_leads(work, run_id=run_id)]
    codes = [row["uscc"] for row in rows]
    assert listed == codes
    return codes


def placed(workshop: WorkShop, park_id: UUID, code: str) -> None:
    """Give a park a place of one company, without a run."""
    with workshop.work(system_actor("worker")) as work:
        others = work.session.execute(
            text("SELECT count(*) FROM lead_places WHERE uscc = :code"), {"code": code}
        ).scalar_one()
        work.session.execute(
            text("INSERT INTO lead_places VALUES (:code, :place, :park, :now)"),
            {"code": code, "place": others + 1, "park": park_id, "now": work.now},
        )


def claim(workshop: WorkShop, park_id: UUID, code: str) -> lead_claims.LeadView:
    with workshop.work(park_person(park_id)) as work:
        return lead_claims.claim_lead(work, uscc=code)


def test_a_delivered_list_takes_places_and_obeys_claims_and_wishes(
    workshop: WorkShop, world: None, clock: ManualClock
) -> None:
    one, other = new_id(), new_id()
    codes = delivered(workshop, one)
    assert len(codes) == 50
    assert delivered(workshop, one) == codes  # its own places are no obstacle: the same list again
    assert claim(workshop, one, codes[0]).status is LeadStatus.CLAIMED
    with workshop.work(system_actor("operator", on_behalf_of=new_id())) as work:
        lead_suppressions.suppress_company(work, uscc=codes[1], asked_on=date(2026, 3, 1), reason="来电要求")
    clock.advance(timedelta(minutes=1))
    theirs = delivered(workshop, other)
    assert not {codes[0], codes[1]} & set(theirs)
    assert set(codes[2:30]) <= set(theirs)
    assert codes[1] not in delivered(workshop, one)
    clock.advance(timedelta(days=30))
    assert codes[0] in delivered(workshop, other)  # the lease has ended by itself


def test_a_list_that_was_overtaken_is_ranked_again(
    workshop: WorkShop, world: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, late = new_id(), new_id()
    codes = delivered(workshop, first)
    take = lead_places.take_places

    def overtaken(work: Any, **given: Any) -> None:
        monkeypatch.setattr(lead_places, "take_places", take)
        claim(workshop, first, codes[0])
        take(work, **given)

    monkeypatch.setattr(lead_places, "take_places", overtaken)
    assert codes[0] not in delivered(workshop, late)


def together(*tasks: Callable[[], object]) -> list[object]:
    """Do things at the same moment, each in a thread; return what each returned or which problem it raised."""
    found: list[object] = [None] * len(tasks)
    gate = threading.Barrier(len(tasks))

    def do(number: int, task: Callable[[], object]) -> None:
        gate.wait()
        try:
            found[number] = task()
        except (Problem, lead_places.PlacesTakenError) as refused:
            found[number] = refused

    threads = [threading.Thread(target=do, args=each) for each in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found


def _take(workshop: WorkShop, park_id: UUID, leads: tuple[Lead, ...]) -> bool:
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None
    with workshop.work(system_actor("worker")) as work:
        begun = runs.begin_run(work, run_id=run_id)
        assert begun is not None
        files = {"manifest.json": b"{}"}
        digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        runs.finish_run(work, run_id=run_id, files=files, kpis={}, manifest_sha256=digest)
        given = Openings(ahead=False, seed="")
        lead_places.take_places(work, run_id=run_id, park_id=park_id, leads=leads, given=given)
    return True


def test_of_nine_parks_at_once_five_get_a_company_and_no_sixth(workshop: WorkShop, world: None) -> None:
    leads = _ranked(Openings(False, "s"))[30:]
    for _ in range(3):
        tasks = [
            partial(_take, workshop, new_id(), leads if number % 2 else tuple(reversed(leads))) for number in range(9)
        ]
        found = together(*tasks)
        assert sum(each is True for each in found) in (0, MOST_PARKS)
    with workshop.work(system_actor("check")) as work:
        counts = work.session.execute(text("SELECT count(*) FROM lead_places GROUP BY uscc")).scalars().all()
    assert counts == [MOST_PARKS] * 20


def test_of_five_parks_at_once_one_claims_a_company(workshop: WorkShop, world: None) -> None:
    parks = [new_id() for _ in range(MOST_PARKS)]
    for code in CODES[:5]:
        for park_id in parks:
            placed(workshop, park_id, code)
        found = together(*(partial(claim, workshop, park_id, code) for park_id in parks))
        assert sum(isinstance(each, lead_claims.LeadView) for each in found) == 1
        assert {each.code for each in found if isinstance(each, Problem)} == {"leads.claimed"}


def test_the_database_lets_no_sixth_park_and_no_second_claim_in(
    workshop: WorkShop, world: None, database: Database
) -> None:
    parks = [new_id() for _ in range(5)]
    for park_id in parks:
        placed(workshop, park_id, CODES[0])
    with pytest.raises(IntegrityError, match="ck_lead_places_place"):
        placed(workshop, new_id(), CODES[0])
    claim(workshop, parks[0], CODES[0])
    with pytest.raises(IntegrityError, match="ex_lead_claims_one"), workshop.work(system_actor("x")) as work:
        work.session.execute(
            text(
                "INSERT INTO lead_claims (id, uscc, park_id, claimed_at, ends_at, stage, changed_at)"
                " VALUES (:id, :code, :park, :now, :now + interval '1 day', 'claimed', :now)"
            ),
            {"id": new_id(), "code": CODES[0], "park": parks[1], "now": work.now},
        )
    with pytest.raises(IntegrityError, match="lease"), workshop.work(park_person(parks[0])) as work:
        work.session.execute(text("UPDATE lead_claims SET ends_at = ends_at + interval '1 day'"))
    with pytest.raises(ProgrammingError), workshop.work(park_person(parks[0])) as work:
        work.session.execute(
            text("INSERT INTO lead_places VALUES (:code, 1, :park, now())"), {"code": CODES[1], "park": parks[0]}
        )
    with workshop.work(park_person(parks[1])) as work:
        assert work.session.execute(text("SELECT count(*) FROM lead_places")).scalar_one() == 1
        assert work.session.execute(text("SELECT count(*) FROM lead_claims")).scalar_one() == 0


def test_a_claim_goes_its_way_and_frees_the_company(workshop: WorkShop, world: None, clock: ManualClock) -> None:
    one, other, code = new_id(), new_id(), CODES[0]
    placed(workshop, one, code)
    placed(workshop, other, code)
    first = claim(workshop, one, code)
    assert first.lease_ends_at == clock.now() + timedelta(days=30)
    clock.advance(timedelta(days=1))
    assert claim(workshop, one, code) == first  # asked twice, held once
    with pytest.raises(Conflict):
        claim(workshop, other, code)
    with workshop.work(park_person(one)) as work:
        with pytest.raises(Conflict):
            lead_claims.move_lead(work, uscc=code, stage=ClaimStage.VISITED)
        assert lead_claims.move_lead(work, uscc=code, stage=ClaimStage.CONTACTED).status is LeadStatus.CONTACTED
        assert lead_claims.move_lead(work, uscc=code, stage=ClaimStage.RELEASED).status is LeadStatus.SUGGESTED
    assert claim(workshop, other, code).status is LeadStatus.CLAIMED
    clock.advance(timedelta(days=30))
    with workshop.work(park_person(other)) as work:
        assert [lead.status for lead in lead_claims.list_leads(work)] == [LeadStatus.EXPIRED]
        with pytest.raises(Conflict):
            lead_claims.move_lead(work, uscc=code, stage=ClaimStage.CONTACTED)
    assert claim(workshop, one, code).status is LeadStatus.CLAIMED
    with pytest.raises(NotFound):
        claim(workshop, new_id(), code)


def test_a_wish_not_to_be_contacted_ends_the_claim_and_can_be_lifted(
    workshop: WorkShop, world: None, clock: ManualClock
) -> None:
    park_id, code = new_id(), CODES[0]
    operator = system_actor("operator", on_behalf_of=new_id())
    placed(workshop, park_id, code)
    claim(workshop, park_id, code)
    clock.advance(timedelta(hours=1))
    with workshop.work(operator) as work:
        wish = lead_suppressions.suppress_company(work, uscc=code.lower(), asked_on=date(2026, 3, 1), reason="来函")
        with pytest.raises(Conflict):
            lead_suppressions.suppress_company(work, uscc=code, asked_on=date(2026, 3, 1), reason="来函")
        for uscc, on, reason in (
            ("1", date(2026, 3, 1), "来函"),
            (CODES[1], date(2027, 1, 1), "来函"),
            (CODES[1], date(2026, 3, 1), " "),
        ):
            with pytest.raises(Invalid):
                lead_suppressions.suppress_company(work, uscc=uscc, asked_on=on, reason=reason)
    with workshop.work(park_person(park_id)) as work:
        (lead,) = lead_claims.list_leads(work)
        assert (lead.status, lead.lease_ends_at) == (LeadStatus.SUPPRESSED, None)
        with pytest.raises(Conflict, match="不再联系"):
            lead_claims.claim_lead(work, uscc=code)
        with pytest.raises(NotAllowed):
            lead_suppressions.list_suppressions(work)
    clock.advance(timedelta(hours=1))
    with workshop.work(operator) as work:
        lifted = lead_suppressions.lift_suppression(work, suppression_id=wish.id)
        assert lifted == lead_suppressions.lift_suppression(work, suppression_id=wish.id)
        assert lifted.lifted_at == clock.now()
        assert lead_suppressions.list_suppressions(work) == (lifted,)
    assert claim(workshop, park_id, code).status is LeadStatus.CLAIMED


def _reader(park_id: UUID) -> Actor:
    return Actor("x", park_person(park_id).reach, frozenset(), user_id=new_id(), tenant_id=park_id)


def test_who_may_not_claim_does_not(workshop: WorkShop, world: None) -> None:
    park_id = new_id()
    placed(workshop, park_id, CODES[0])
    with workshop.work(_reader(park_id)) as work:
        for use in (
            lambda: lead_claims.list_leads(work),
            lambda: lead_claims.claim_lead(work, uscc=CODES[0]),
            lambda: lead_claims.move_lead(work, uscc=CODES[0], stage=ClaimStage.LOST),
        ):
            with pytest.raises(NotAllowed):
                use()
