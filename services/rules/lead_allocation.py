"""Fair allocation of leads among parks: who may be listed a company, who it is claimed by, and what a list explores.

A company is listed to at most five parks, for good: who has seen a list can call whom it names at any time. The last two
of its places are kept for parks whose turn it is (deficit round-robin: those with no more than the mean of all parks),
so that who orders often does not take a company's every place before a small park orders once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

MOST_PARKS = 5
"""Parks that a company is listed to."""
KEPT_PLACES = 2
"""The last places of a company, kept for parks whose turn it is."""
TURN_DAYS = 90
"""Days whose listings count for whose turn it is."""
EXPLORED_PERCENT = 20
"""Least share of a list that comes from beyond the top ranks."""
DEPTH = 10
"""How many times the length of a list the exploration reaches down."""
LEASE = timedelta(days=30)
"""How long a claim holds; it ends by itself."""


class ClaimStage(StrEnum):
    """What became of a claim. The first three are open while the lease runs; signed holds the company until its end."""

    CLAIMED = "claimed"
    CONTACTED = "contacted"
    VISITED = "visited"
    SIGNED = "signed"
    LOST = "lost"
    RELEASED = "released"
    SUPPRESSED = "suppressed"


OPEN_STAGES = (ClaimStage.CLAIMED, ClaimStage.CONTACTED, ClaimStage.VISITED)
_NEXT = {
    ClaimStage.CLAIMED: {ClaimStage.CONTACTED},
    ClaimStage.CONTACTED: {ClaimStage.VISITED, ClaimStage.SIGNED},
    ClaimStage.VISITED: {ClaimStage.SIGNED},
}
_ENDS = {ClaimStage.LOST, ClaimStage.RELEASED}


class LeadStatus(StrEnum):
    """Where a listed company stands for one park."""

    SUGGESTED = "suggested"
    CLAIMED = "claimed"
    CONTACTED = "contacted"
    VISITED = "visited"
    SIGNED = "signed"
    LOST = "lost"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True)
class Standing:
    """A company as others hold it: to how many other parks it is listed, and what closes it to this one."""

    uscc: str
    others: int = 0
    mine: bool = False
    claimed_by_other: bool = False
    suppressed: bool = False


@dataclass(frozen=True)
class Openings:
    """Which companies are closed to a park, and to how many other parks the rest are listed (none where not named).

    ``ahead`` is whether it is other parks' turn. ``seed`` makes what is explored the same for the same brief and park.
    """

    ahead: bool
    seed: str
    closed: frozenset[str] = frozenset()
    taken: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A company of a list by its place among the open ones, best first; ``explored`` is from beyond the top ranks."""

    at: int
    explored: bool


def is_ahead(own: int, all_listings: int, parks: int) -> bool:
    """Tell whether a park was listed more companies than the mean of all parks: then it is the others' turn."""
    return own * max(parks, 1) > all_listings


def is_open(standing: Standing, *, ahead: bool) -> bool:
    """Tell whether a company may be listed to a park. A park's own place stays its own, whoever's turn it is."""
    if standing.suppressed or standing.claimed_by_other:
        return False
    return standing.mine or standing.others < MOST_PARKS - (KEPT_PLACES if ahead else 0)


def openings(standings: Iterable[Standing], *, ahead: bool, seed: str) -> Openings:
    """Return what is open to a park; of companies that nobody has anything with, nothing need be told."""
    known = tuple(standings)
    closed = frozenset(each.uscc for each in known if not is_open(each, ahead=ahead))
    taken = {each.uscc: each.others for each in known if each.others and each.uscc not in closed}
    return Openings(ahead, seed, closed, taken)


def choose(ranked: Sequence[str], count: int, given: Openings) -> tuple[Choice, ...]:
    """Return which of the open companies are listed, best first: the top ranks, and a fifth from beyond them.

    Of those beyond, who is listed to the fewest parks comes first, and of equals a draw decides that is the same for
    the same seed.
    """
    size = min(count, len(ranked))
    explored = -(-size * EXPLORED_PERCENT // 100)
    top = size - explored
    beyond = sorted(
        range(top, len(ranked)), key=lambda at: (given.taken.get(ranked[at], 0), _draw(given.seed, ranked[at]))
    )
    return (*(Choice(at, False) for at in range(top)), *(Choice(at, True) for at in sorted(beyond[:explored])))


def _draw(seed: str, uscc: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{uscc}".encode()).digest()


def may_become(stage: ClaimStage, wanted: ClaimStage) -> bool:
    """Tell whether an open claim may go on to ``wanted``: step by step, and to its end from everywhere."""
    return stage in OPEN_STAGES and (wanted in _ENDS or wanted in _NEXT[stage])


def next_stages(stage: ClaimStage) -> tuple[ClaimStage, ...]:
    """Return what an open claim may become, in the order in which things go."""
    return tuple(each for each in ClaimStage if may_become(stage, each))


def ends_lease(stage: ClaimStage) -> bool:
    """Tell whether a stage frees the company at once."""
    return stage in _ENDS or stage is ClaimStage.SUPPRESSED


def status_of(stage: ClaimStage | None, ends_at: datetime | None, now: datetime, *, suppressed: bool) -> LeadStatus:
    """Return where a listed company stands for a park by its newest claim, None without any."""
    if suppressed:
        return LeadStatus.SUPPRESSED
    if stage is None or ends_at is None or stage in {ClaimStage.RELEASED, ClaimStage.SUPPRESSED}:
        return LeadStatus.SUGGESTED
    if stage in OPEN_STAGES and ends_at <= now:
        return LeadStatus.EXPIRED
    return LeadStatus(stage.value)
