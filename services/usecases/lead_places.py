"""Places of companies on parks' lists: what is open before an engine ranks, and taking the places of what it has listed.

An engine has no database. It is told what is closed to the park, and its list counts only if nothing of it has been closed
meanwhile: the places are taken in the transaction that ends the run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text

from services.rules.lead_allocation import TURN_DAYS, Openings, Standing, is_ahead, is_open, openings
from services.rules.leads import Lead
from services.store.lead_allocation import LeadClaim, LeadPlace, LeadSuppression, ListedLead
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

_LOCK = text(
    "SELECT pg_advisory_xact_lock(key) FROM"
    " (SELECT DISTINCT hashtextextended('lead:' || code, 0) AS key FROM unnest(CAST(:codes AS text[])) code ORDER BY key) k"
)
"""In one order, so that two lists wait for each other and never both ways."""


class PlacesTakenError(Exception):
    """A company of the list was closed to the park while the engine worked: it must rank again."""


def read_openings(work: Work, *, park_id: UUID, request: Mapping[str, Any]) -> Openings:
    """Return what is open to a park now. Needs a reach over all parks, whose places count."""
    work.actor.require(Permission.EXECUTE_RUN)
    since = work.now - timedelta(days=TURN_DAYS)
    own, all_listings = work.session.execute(
        select(func.count().filter(LeadPlace.park_id == park_id), func.count()).where(LeadPlace.listed_at > since)
    ).one()
    asked = json.dumps(dict(request), sort_keys=True, ensure_ascii=False)
    return openings(
        _standings(work, park_id).values(),
        ahead=is_ahead(own, all_listings, onboarding.count_verified_parks(work)),
        seed=hashlib.sha256(f"{park_id}\0{asked}".encode()).hexdigest(),
    )


def take_places(work: Work, *, run_id: UUID, park_id: UUID, leads: Sequence[Lead], given: Openings) -> None:
    """Take the places of a list; a park keeps the place that it has. Needs a reach over all parks.

    Raises PlacesTakenError when a company is no longer open to it: then the transaction must be undone.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    codes = [lead.company.uscc for lead in leads]
    lock_companies(work, codes)
    found = _standings(work, park_id, codes)
    if not all(is_open(each, ahead=given.ahead) for each in found.values()):
        raise PlacesTakenError
    known = {code: found.get(code, Standing(code)) for code in codes}
    # Places are taken in turn and never given back, so the next one follows from their number.
    places = [
        {"uscc": each.uscc, "place": each.others + 1, "park_id": park_id, "listed_at": work.now}
        for each in known.values()
        if not each.mine
    ]
    if places:
        work.session.execute(insert(LeadPlace), places)
    listed = [
        {
            "tenant_id": park_id,
            "run_id": run_id,
            "uscc": each.company.uscc,
            "position": each.rank,
            "explored": each.explored,
            "score": Decimal(str(each.score)) if math.isfinite(each.score) else None,
        }
        for each in leads
    ]
    if listed:
        work.session.execute(insert(ListedLead), listed)


def lock_companies(work: Work, codes: Sequence[str]) -> None:
    """Let nobody else list, claim or suppress these companies until the transaction ends."""
    work.session.execute(_LOCK, {"codes": list(codes)})


def _standings(work: Work, park_id: UUID, codes: Sequence[str] | None = None) -> dict[str, Standing]:
    """Return how the companies stand that anybody has anything with; only some where ``codes`` are given."""
    placed = select(
        LeadPlace.uscc,
        func.count().filter(LeadPlace.park_id != park_id).label("others"),
        func.bool_or(LeadPlace.park_id == park_id).label("mine"),
    ).group_by(LeadPlace.uscc)
    claimed = select(LeadClaim.uscc).where(
        LeadClaim.park_id != park_id, LeadClaim.claimed_at <= work.now, LeadClaim.ends_at > work.now
    )
    silent = select(LeadSuppression.uscc).where(LeadSuppression.lifted_at.is_(None))
    if codes is not None:
        placed = placed.where(LeadPlace.uscc.in_(codes))
        claimed = claimed.where(LeadClaim.uscc.in_(codes))
        silent = silent.where(LeadSuppression.uscc.in_(codes))
    places = {row.uscc: row for row in work.session.execute(placed)}
    claims, suppressed = set(work.session.scalars(claimed)), set(work.session.scalars(silent))
    return {
        code: Standing(
            code,
            places[code].others if code in places else 0,
            mine=code in places and places[code].mine,
            claimed_by_other=code in claims,
            suppressed=code in suppressed,
        )
        for code in sorted({*places, *claims, *suppressed})
    }
