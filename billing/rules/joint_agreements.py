"""Agreements on joint facilities: what the parties sign, when it is sound, and what each is entitled to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from uuid import UUID

from billing.rules.cost_sharing import Agreement, Settlement, settle
from billing.rules.money import MAX_FEN, WHOLE_BP, allocate
from tenants.kernel.messages import msg
from tenants.rules.faults import Faults

MOST_PARTIES = 50
YEAR_MINUTES = 366 * 24 * 60
"""The minutes of a leap year: no instrument runs longer."""
MOST_PREMIUM_BP = 100 * WHOLE_BP
MOST_LIFE_YEARS = 100
MOST_NOTICE_DAYS = 366
FEWEST = 2
"""A facility of one park is not a joint one."""


class PartyRole(StrEnum):
    """What a party answers for: the lead runs the facility, a participant funds it, a supervisor only watches over it."""

    LEAD = "lead"
    PARTICIPANT = "participant"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Share:
    """A party: its park, what it answers for, and its share of the capital in basis points; a supervisor's is zero."""

    park_id: UUID
    role: PartyRole
    share_bp: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed for every year of ``[valid_from, valid_to)``. Times of use are whole minutes a year.

    ``reserve_minutes`` for the public and ``maintenance_minutes`` come off the top before the rest is shared.
    ``lending_notice_days``: unused hours are lent for starts that are at most so many days ahead. ``overdraw_minutes``: how
    much a park may use above its entitlement; ``carry_over_minutes``: how much unused entitlement the next year takes over.
    """

    title: str
    valid_from: date
    valid_to: date
    capital_fen: int
    life_years: int
    year_minutes: int
    reserve_minutes: int
    maintenance_minutes: int
    variable_fen_per_hour: int
    premium_bp: int
    outsider_premium_bp: int
    lending_notice_days: int
    overdraw_minutes: int
    carry_over_minutes: int

    @property
    def shared_minutes(self) -> int:
        """Return the minutes of a year that the parties share."""
        return self.year_minutes - self.reserve_minutes - self.maintenance_minutes


def check_terms(terms: Terms, parties: Sequence[Share]) -> None:
    """Refuse terms that nobody could settle by. Raises Invalid with the field of every fault and the nearest valid choice."""
    with Faults() as faults:
        _check_numbers(faults, terms)
        if terms.valid_to <= terms.valid_from:
            faults.add("valid_to", "joint.period", msg("截止日须晚于起始日。请改正。"))
        off = terms.reserve_minutes + terms.maintenance_minutes
        if terms.year_minutes > 0 and off >= terms.year_minutes:
            wrong = msg("公共预留与维护合计须少于全年机时 {hours} 小时。请减少。", hours=terms.year_minutes // 60)
            faults.add("reserve_minutes", "joint.reserve_too_large", wrong)
        elif terms.overdraw_minutes > terms.shared_minutes:
            wrong = msg("透支上限不能超过可分配的 {hours} 小时。请减少。", hours=terms.shared_minutes // 60)
            faults.add("overdraw_minutes", "joint.overdraw_too_large", wrong)
        _check_parties(faults, parties)


def _check_numbers(faults: Faults, terms: Terms) -> None:
    bounds: Mapping[str, tuple[int, int]] = {
        "capital_fen": (1, MAX_FEN),
        "life_years": (1, MOST_LIFE_YEARS),
        "year_minutes": (1, YEAR_MINUTES),
        "reserve_minutes": (0, YEAR_MINUTES),
        "maintenance_minutes": (0, YEAR_MINUTES),
        "variable_fen_per_hour": (0, MAX_FEN),
        "premium_bp": (0, MOST_PREMIUM_BP),
        "outsider_premium_bp": (0, MOST_PREMIUM_BP),
        "lending_notice_days": (0, MOST_NOTICE_DAYS),
        "overdraw_minutes": (0, YEAR_MINUTES),
        "carry_over_minutes": (0, YEAR_MINUTES),
    }
    for name, (least, most) in bounds.items():
        value = getattr(terms, name)
        if not least <= value <= most:
            nearest = min(max(value, least), most)
            wrong = msg(
                "须在 {least} 至 {most} 之间，最接近的有效值为 {nearest}。", least=least, most=most, nearest=nearest
            )
            faults.add(name, "joint.out_of_bounds", wrong)


def _check_parties(faults: Faults, parties: Sequence[Share]) -> None:
    funding = [each for each in parties if each.role is not PartyRole.SUPERVISOR]
    if len(funding) < FEWEST:
        faults.add("parties", "joint.too_few", msg("共建至少需要两家出资园区。请增加园区。"))
    if len(parties) > MOST_PARTIES:
        faults.add("parties", "joint.too_many", msg("最多 {most} 家园区。请减少园区。", most=MOST_PARTIES))
    if len({each.park_id for each in parties}) < len(parties):
        faults.add("parties", "joint.twice", msg("同一园区只能列一次。请合并其份额。"))
    if sum(each.role is PartyRole.LEAD for each in parties) != 1:
        faults.add("parties", "joint.one_lead", msg("须有且只有一家主导方。请指定。"))
    for place, each in enumerate(parties):
        if each.role is PartyRole.SUPERVISOR and each.share_bp:
            faults.add(f"parties.{place}.share_bp", "joint.supervisor", msg("监督方不出资，份额须为 0。"))
        elif each.role is not PartyRole.SUPERVISOR and not 0 < each.share_bp <= WHOLE_BP:
            faults.add(f"parties.{place}.share_bp", "joint.share", msg("出资园区的份额须大于 0，且不超过 10000。"))
    total = sum(each.share_bp for each in parties)
    if total != WHOLE_BP:
        wrong = msg("各园区份额合计为 {total}，须为 10000（即 100%）。请调整份额。", total=total)
        faults.add("parties", "joint.shares_do_not_sum", wrong)


def seal(terms: Terms, parties: Iterable[Share]) -> str:
    """Return the SHA-256 of terms and parties, in hex: what a signature is under. Parties count in any order."""
    written = {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(terms).items()}
    written["parties"] = sorted([str(each.park_id), each.role.value, each.share_bp] for each in parties)
    text = json.dumps(written, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def entitlements(terms: Terms, parties: Sequence[Share]) -> dict[UUID, int]:
    """Return the minutes a year that each party is entitled to: its share of what is left; they sum to it exactly."""
    shares = [each.share_bp for each in parties]
    minutes = allocate(terms.shared_minutes, shares)
    return {each.park_id: part for each, part in zip(parties, minutes, strict=True)}


def capital_parts(terms: Terms, parties: Sequence[Share]) -> dict[UUID, int]:
    """Return what of the capital each party funds, in fen; they sum to it exactly."""
    parts = allocate(terms.capital_fen, [each.share_bp for each in parties])
    return {each.park_id: part for each, part in zip(parties, parts, strict=True)}


def foreseen(terms: Terms, parties: Sequence[Share]) -> Settlement:
    """Return a year in which everybody uses just what it is entitled to: its prices, and what each would pay."""
    funding = [each for each in parties if each.share_bp]
    hours = Fraction(terms.shared_minutes, 60)
    return settle(
        Agreement(
            capital_fen=terms.capital_fen,
            life_years=terms.life_years,
            hours=Fraction(terms.year_minutes, 60),
            variable_fen_per_hour=Fraction(terms.variable_fen_per_hour),
            shares_bp={str(each.park_id): each.share_bp for each in funding},
            use_hours={str(each.park_id): hours * each.share_bp / WHOLE_BP for each in funding},
            premium_bp=terms.premium_bp,
            outsider_premium_bp=terms.outsider_premium_bp,
            reserve_hours=Fraction(terms.reserve_minutes + terms.maintenance_minutes, 60),
        )
    )
