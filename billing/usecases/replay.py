"""Past orders priced again under other rules, in the order in which they were placed.

Ceilings and funds run along: what an award takes is missing to the next one, what came back comes back at its moment.
Everything that the orders of the period did not do themselves (earlier holds, new money) happens as it did.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import count
from typing import Any
from uuid import UUID

from billing.formats.documents import read_document
from billing.formats.exemptions import ExemptionDocument
from billing.formats.fields import parse_fact
from billing.rules.eligibility import timing
from billing.rules.exemptions import Exemption, subject_of
from billing.rules.money import allocate
from billing.rules.periods import Days, cap_year, local_day
from billing.rules.reasons import Reason
from billing.rules.subsidies import Award, LineQuote, Quote, quote
from billing.rules.terms import CapScope, Mode, OrderFacts, OrderLine, Policy, Used
from billing.store import replay_queries
from billing.store.ceiling_queries import CounterKey
from billing.store.fund_queries import GENERAL
from billing.store.replay_queries import KeptFacts, LineEnd
from billing.usecases.ceilings import counter_for
from billing.usecases.fund_register import allotments
from billing.usecases.policies_in_force import read_policy
from tenants.kernel.work import Work

_QUARTER = 900
"""Seconds in which no zone's day changes: the versions in force are worked out once for each."""
_ALWAYS = Days(date.min)

Place = tuple[str, str]
"""A fund's slug and one of its envelopes."""
Account = tuple[str, str]
"""A rolling register, and a controller in it."""


@dataclass(frozen=True, slots=True)
class PastLine:
    """One line of a past order: its price, and whether and when its money came back."""

    id: UUID
    offering: str
    gross_fen: int
    vat_bp: int
    awards: Sequence[Mapping[str, Any]] = ()
    """What it was really given, as its order keeps it."""
    closed_at: datetime | None = None
    """When the line failed or was cancelled."""


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order as it was placed; its facts are those of its quote."""

    id: UUID
    tenant_id: UUID
    quote_id: UUID
    placed_at: datetime
    lines: tuple[PastLine, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A past order under the tried rules, and what was known of its park."""

    order: PastOrder
    facts: Mapping[str, Any]
    quote: Quote


@dataclass(frozen=True, slots=True)
class _Back:
    """What comes back to ceilings, envelopes and rolling registers."""

    counters: tuple[tuple[CounterKey, int], ...] = ()
    envelopes: tuple[tuple[Place, int], ...] = ()
    aid: tuple[tuple[Account, int], ...] = ()


class Replay:
    """Replays orders of a period, oldest first, with ``draft`` in place of its programme's version then in force.

    The draft counts on every day of the period, whatever its window: it is tried, not dated.
    """

    def __init__(self, work: Work, draft: Policy, since: datetime, until: datetime, *, with_funds: bool) -> None:
        self._session = work.session
        self._draft = replace(draft, window=_ALWAYS)
        self._approved = [
            (row.effective_from, read_policy(row.policy))
            for row in replay_queries.approvals_before(work.session, until)
            if row.effective_from is not None
        ]
        self._versions = {each.order_key: each for _, each in self._approved}
        self._barred: tuple[tuple[int, int], list[Reason | None]] | None = None
        self._known = 0
        self._counters = replay_queries.ceilings_at(work.session, since)
        self._with_funds = with_funds
        self._left: dict[Place, int] = {}
        self._aid: dict[Account, int] = {}
        """By how much the tried rules' rolling aid differs from what a quote of the time counted."""
        self._ahead: list[tuple[datetime, int, _Back]] = []
        self._turn = count()
        for at, counter, amount in replay_queries.given_back(work.session, since, until):
            self._later(at, _Back(counters=((counter, amount),)))
        for at, counter, amount in replay_queries.came_back(work.session, until):
            self._later(at, _Back(counters=((counter, amount),)))
        self._catch_up(since)
        if with_funds:
            for at, place, amount in replay_queries.money_moved(work.session, since, until):
                if at < since:
                    self._left[place] = self._left.get(place, 0) + amount
                else:
                    self._later(at, _Back(envelopes=((place, amount),)))

    def place(self, orders: Sequence[PastOrder]) -> list[Replayed]:
        """Price some orders that follow the ones before; three statements for all of them."""
        facts = replay_queries.kept_facts(self._session, [(each.tenant_id, each.quote_id) for each in orders])
        lines = [(each.tenant_id, line.id) for each in orders for line in each.lines]
        ends = replay_queries.line_ends(self._session, lines)
        return [self._place(each, facts[each.quote_id], ends) for each in orders]

    def _place(self, past: PastOrder, kept: KeptFacts, ends: Mapping[UUID, LineEnd]) -> Replayed:
        self._catch_up(past.placed_at)
        lines = tuple(
            OrderLine(line.offering, line.gross_fen, line.vat_bp, _facts(own))
            for line, own in zip(past.lines, kept.lines, strict=True)
        )
        order = OrderFacts(past.placed_at, lines, _facts(kept.facts))
        exemptions = [read_document(ExemptionDocument, each).to_rules() for each in kept.exemptions]
        policies = self._policies(past.placed_at, exemptions)
        joined = [{**kept.facts, **own} for own in kept.lines]
        rolled = self._rolled(policies, past, kept)
        used = Used(by_programme=self._used(policies, past, joined), rolling=rolled)
        priced = quote(policies, order, used, self._available(policies, kept.facts), exemptions)
        registers = {each.programme: each.rolling.register for each in policies if each.rolling is not None}
        for line, known, result in zip(past.lines, joined, priced.lines, strict=True):
            self._take(past, line, known, result, ends.get(line.id), registers)
        return Replayed(past, kept.facts, priced)

    def _policies(self, at: datetime, exemptions: Sequence[Exemption]) -> list[Policy]:
        """Return the draft, and of the other programmes what counted: as in a checkout, decisions may extend a window."""
        while self._known < len(self._approved) and self._approved[self._known][0] <= at:
            self._known += 1
        others = [each for _, each in self._approved[: self._known] if each.programme != self._draft.programme]
        key = self._known, int(at.timestamp()) // _QUARTER
        if self._barred is None or self._barred[0] != key:
            self._barred = key, timing(others, at)
        barred = self._barred[1]
        extended = {subject_of(each, others, barred, at) for each in exemptions}
        counting = [each for index, each in enumerate(others) if barred[index] is None or index in extended]
        return [*counting, self._draft]

    def _rolled(self, policies: Iterable[Policy], past: PastOrder, kept: KeptFacts) -> dict[str, int]:
        registers = {policy.rolling.register for policy in policies if policy.rolling is not None}
        return {
            register: max(
                0, kept.rolling.get(register, 0) + self._aid.get((register, _controller(past, kept.facts)), 0)
            )
            for register in registers
        }

    def _used(
        self, policies: Iterable[Policy], past: PastOrder, lines: Sequence[Mapping[str, Any]]
    ) -> dict[str, dict[CapScope, int]]:
        """Return what counts against each ceiling; of several counters of a scope the fullest, as in a checkout."""
        taken: dict[str, dict[CapScope, int]] = {}
        for policy in policies:
            scopes = {cap.scope for cap in policy.caps} - {CapScope.ORDER}
            if not scopes:
                continue
            year = cap_year(local_day(past.placed_at, policy.timezone), policy.year_starts).label
            taken[policy.programme] = {
                scope: max(self._counters.get(counter, 0) for counter in counters)
                for scope in scopes
                for counters in [
                    [
                        counter_for(policy.programme, scope.value, year if scope.yearly else "", past.tenant_id, facts)
                        for facts in lines
                    ]
                ]
            }
        return taken

    def _available(self, policies: Iterable[Policy], facts: Mapping[str, Any]) -> dict[str, int]:
        if not self._with_funds:
            return {}
        envelopes = (*allotments(facts), GENERAL)
        funds = {funder.fund for policy in policies for funder in policy.funders}
        return {fund: sum(self._left.get((fund, each), 0) for each in envelopes) for fund in funds}

    def _take(
        self,
        past: PastOrder,
        line: PastLine,
        facts: Mapping[str, Any],
        result: LineQuote,
        end: LineEnd | None,
        registers: Mapping[str, str],
    ) -> None:
        """Count a line's awards, and note what of them comes back when the line's own money did."""
        self._aid_was(past, line, facts, end)
        draws = [
            draw
            for award in result.awards
            if award.amount_fen
            for draw in self._draws(award, past, facts, registers.get(award.programme))
        ]
        closed_at, kept = _end(line, end, sum(amount for amount, _ in draws))
        if closed_at is None:
            return
        for (amount, back), spent in zip(draws, allocate(kept, [amount for amount, _ in draws]), strict=True):
            if amount > spent:
                self._later(closed_at, _scaled(back, amount - spent))

    def _draws(
        self, award: Award, past: PastOrder, facts: Mapping[str, Any], register: str | None
    ) -> list[tuple[int, _Back]]:
        """Take an award from everything it counts in; return its parts, each with what would come back of it."""
        amount = award.amount_fen
        counters = [
            counter_for(award.programme, draw.scope.value, draw.year or "", past.tenant_id, facts)
            for draw in award.caps
            if draw.scope is not CapScope.ORDER
        ]
        for counter in counters:
            self._counters[counter] = self._counters.get(counter, 0) + amount
        account = None if register is None else (register, _controller(past, facts))
        if account is not None:
            self._aid[account] = self._aid.get(account, 0) + amount
        if award.mode is not Mode.INSTANT or not self._with_funds:
            return [(amount, _back(counters, amount, account))]
        places = [place for fund, share in award.fund_draws for place in self._drawn(fund, share, facts)]
        return [(part, _back(counters, part, account, place)) for place, part in places]

    def _aid_was(self, past: PastOrder, line: PastLine, facts: Mapping[str, Any], end: LineEnd | None) -> None:
        """Take the line's real grants off the registers, which the quotes of later orders count."""
        for award in line.awards:
            policy = self._versions.get((award["programme"], award["version"]))
            amount = int(award["amount_fen"])
            if policy is None or policy.rolling is None or not amount:
                continue
            account = policy.rolling.register, _controller(past, facts)
            self._aid[account] = self._aid.get(account, 0) - amount
            closed_at, kept = _end(line, end, amount)
            if closed_at is not None and kept < amount:
                self._later(closed_at, _Back(aid=((account, kept - amount),)))

    def _drawn(self, fund: str, amount: int, facts: Mapping[str, Any]) -> list[tuple[Place, int]]:
        """Draw from the park's regional envelopes, nearest first, and the rest from the general one."""
        parts = []
        for envelope in allotments(facts):
            place = fund, envelope
            part = min(amount, max(0, self._left.get(place, 0)))
            if part:
                parts.append((place, part))
                amount -= part
        if amount:
            parts.append(((fund, GENERAL), amount))
        for place, part in parts:
            self._left[place] = self._left.get(place, 0) - part
        return parts

    def _later(self, at: datetime, back: _Back) -> None:
        heapq.heappush(self._ahead, (at, next(self._turn), back))

    def _catch_up(self, now: datetime) -> None:
        while self._ahead and self._ahead[0][0] <= now:
            back = heapq.heappop(self._ahead)[2]
            for counter, amount in back.counters:
                self._counters[counter] = self._counters.get(counter, 0) - amount
            for place, amount in back.envelopes:
                self._left[place] = self._left.get(place, 0) + amount
            for account, amount in back.aid:
                self._aid[account] = self._aid.get(account, 0) - amount


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: parse_fact(value) for name, value in facts.items()}


def _controller(past: PastOrder, facts: Mapping[str, Any]) -> str:
    return str(facts.get("control_group") or past.tenant_id)


def _back(counters: Iterable[CounterKey], amount: int, account: Account | None, place: Place | None = None) -> _Back:
    return _Back(
        tuple((counter, amount) for counter in counters),
        () if place is None else ((place, amount),),
        () if account is None else ((account, amount),),
    )


def _scaled(back: _Back, amount: int) -> _Back:
    return _Back(
        tuple((counter, amount) for counter, _ in back.counters),
        tuple((place, amount) for place, _ in back.envelopes),
        tuple((account, amount) for account, _ in back.aid),
    )


def _end(line: PastLine, end: LineEnd | None, taken_fen: int) -> tuple[datetime | None, int]:
    """Return when a line's money was decided on, and how much of what it takes now was kept: the same share as then."""
    if end is None or not end.held_fen:
        return line.closed_at, 0
    if taken_fen == end.held_fen:
        return end.settled_at, end.captured_fen
    return end.settled_at, taken_fen * end.captured_fen // end.held_fen
