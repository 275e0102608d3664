"""Reading a year of a joint facility: its version's terms, the parties' accounts and what it comes to so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from fractions import Fraction
from uuid import UUID

from billing.rules.cost_sharing import Settlement, settle
from billing.rules.joint_agreements import PartyRole, Share, Terms
from billing.rules.joint_years import HOUR, Account, Opening, Part, open_accounts, part_of, year_of_use, years_of
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import joint_agreements as agreements
from billing.store import joint_true_ups
from billing.store import joint_uses as store
from billing.store.joint_agreements import JointAgreement
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class JointYear:
    """A year of a version as the rules take it. ``outsider_minutes`` were used by others than the parties."""

    row: JointAgreement
    terms: Terms
    parties: tuple[Share, ...]
    names: Mapping[UUID, str]
    lead_id: UUID
    part: Part
    accounts: tuple[Account, ...]
    outsider_minutes: int
    is_closed: bool

    @property
    def used_minutes(self) -> int:
        """Return what all have used."""
        return self.outsider_minutes + sum(each.used_minutes for each in self.accounts)

    @property
    def shared_minutes(self) -> int:
        """Return what there is to use."""
        return sum(each.opening.entitled_minutes for each in self.accounts)

    @property
    def borrowed_minutes(self) -> int:
        """Return what was used out of others' entitlements."""
        return self.outsider_minutes + sum(each.borrowed_minutes for each in self.accounts)

    @property
    def released_minutes(self) -> int:
        """Return what the parties released for lending."""
        return sum(each.released_minutes for each in self.accounts)

    def account(self, park_id: UUID) -> Account | None:
        """Return a party's account; None for a park that has none."""
        return next((each for each in self.accounts if each.opening.park_id == park_id), None)

    def settlement(self) -> Settlement:
        """Return what the year comes to by what was used so far."""
        return settle(year_of_use(self.terms, self.parties, self.part, self.accounts, self.outsider_minutes))


@dataclass(frozen=True)
class HoursView:
    """A party's hours in whole minutes, lent and borrowed so far, and its fen: ``net_fen`` has its part of the capital."""

    park_id: UUID
    name: str
    role: str
    share_bp: int
    entitled_minutes: int
    carried_minutes: int
    used_minutes: int
    lent_minutes: int
    borrowed_minutes: int
    released_minutes: int
    left_minutes: int
    most_minutes: int
    due_fen: int
    received_fen: int
    capital_fen: int
    net_fen: int


@dataclass(frozen=True)
class YearView:
    """A year of a joint facility on ``[start, end)``. Prices of one hour, rounded half up to the fen."""

    agreement_id: UUID
    title: str
    version: int
    year: int
    years: tuple[int, ...]
    start: date
    end: date
    lead_id: UUID
    shared_minutes: int
    used_minutes: int
    outsider_minutes: int
    free_minutes: int
    lending_notice_days: int
    overdraw_minutes: int
    inside_fen_per_hour: int
    above_fen_per_hour: int
    outsider_fen_per_hour: int
    outsiders_fen: int
    cost_fen: int
    is_closed: bool
    parks: tuple[HoursView, ...]


def read_year(work: Work, *, agreement_id: UUID, year: int | None = None) -> YearView:
    """Return a year's hours; without ``year`` this one, or the nearest that the version covers.

    Raises NotFound for an agreement of others, Invalid at ``year`` for one that it does not cover, Conflict for a
    version that is not registered.
    """
    work.actor.require(Permission.READ_JOINT)
    return view_of(year_at(work, agreement_id, year))


def year_at(work: Work, agreement_id: UUID, year: int | None = None, *, lock: bool = False) -> JointYear:
    """Return a year as the rules take it; under ``lock`` nobody else changes its hours until the transaction ends."""
    row = agreements.agreement(work.session, agreement_id)
    if row is None:
        raise NotFound("joint.not_found", msg("没有找到该共建协议。请从列表中重新打开。"))
    if row.registered_at is None:
        raise Conflict("joint.not_in_force", msg("该版本尚未备案生效，还没有机时账户。"))
    terms = Terms(**{each.name: getattr(row, each.name) for each in fields(Terms)})
    covered = years_of(terms)
    if not covered:
        raise Conflict("joint.not_in_force", msg("该版本未曾生效，没有机时账户。"))
    wanted = year if year is not None else _nearest(covered, local_day(work.now, DEFAULT_ZONE).year)
    if wanted not in covered:
        wrong = msg("该版本只涵盖 {first} 至 {last} 年。请改选年份。", first=str(covered[0]), last=str(covered[-1]))
        raise Invalid("joint.year", wrong, errors=[FieldError("year", "joint.year", wrong)])
    part = part_of(terms, wanted)
    if part is None:
        raise Conflict("joint.not_in_force", msg("该版本未曾生效，没有机时账户。"))
    if lock:
        store.lock_year(work.session, row.id, wanted)
    parties = agreements.parties_of(work.session, [row.id])
    shares = tuple(Share(each.park_id, PartyRole(each.role), each.share_bp) for each in parties)
    used = store.used_minutes(work.session, row.id, wanted)
    released = store.released_minutes(work.session, row.id, wanted)
    return JointYear(
        row=row,
        terms=terms,
        parties=shares,
        names={each.park_id: each.name for each in parties},
        lead_id=next(each.park_id for each in shares if each.role is PartyRole.LEAD),
        part=part,
        accounts=tuple(
            Account(each, used.get(each.park_id, 0), released.get(each.park_id, 0))
            for each in _openings(work, row, terms, shares, part)
        ),
        outsider_minutes=used.get(None, 0),
        is_closed=joint_true_ups.is_closed(work.session, row.id, wanted),
    )


def open_year(work: Work, found: JointYear) -> None:
    """Open the accounts of a year before the first entry; those that are open stay."""
    store.open_accounts(work.session, account_rows(found.row, found.part, [each.opening for each in found.accounts]))


def refit_ended(work: Work, ended: Sequence[UUID], day: date) -> None:
    """Give the open accounts of versions that now end at ``day`` the hours of the days that are left to them.

    Raises Conflict where uses are recorded on later days, or more was used than is left.
    """
    for agreement_id in ended:
        used_to = store.last_day_of_use(work.session, agreement_id)
        if used_to is not None and used_to >= day:
            wrong = msg("原版本已登记 {day} 的使用。请先由主导方更正，或改用更晚的起始日。", day=used_to.isoformat())
            raise Conflict("joint.used_later", wrong)
        row = agreements.agreement(work.session, agreement_id)
        if row is None:
            continue
        terms = Terms(**{each.name: getattr(row, each.name) for each in fields(Terms)})
        part = part_of(terms, day.year)
        if part is None or not store.accounts_of(work.session, agreement_id, day.year):
            continue
        found = year_at(work, agreement_id, day.year, lock=True)
        carried = {each.opening.park_id: each.opening.carried_minutes for each in found.accounts}
        fitted = open_accounts(terms, found.parties, part, carried)
        given = {each.opening.park_id: each for each in found.accounts}
        for each in fitted:
            had = given[each.park_id]
            if had.used_minutes + had.released_minutes > each.entitled_minutes + each.overdraw_minutes:
                wrong = msg(
                    "{park} 已使用的机时超过原版本剩余日期的上限。请改用更晚的起始日。", park=found.names[each.park_id]
                )
                raise Conflict("joint.used_more", wrong)
        if found.used_minutes > sum(each.entitled_minutes for each in fitted):
            wrong = msg("已使用的机时超过原版本剩余日期的总量。请改用更晚的起始日。")
            raise Conflict("joint.used_more", wrong)
        store.refit_accounts(work.session, account_rows(row, part, fitted))


def account_rows(row: JointAgreement, part: Part, openings: Sequence[Opening]) -> list[dict[str, object]]:
    """Return accounts as they are kept."""
    return [
        {
            "agreement_id": row.id,
            "year": part.year,
            "park_id": each.park_id,
            "members": row.members,
            "entitled_minutes": each.entitled_minutes,
            "carried_minutes": each.carried_minutes,
            "overdraw_minutes": each.overdraw_minutes,
        }
        for each in openings
    ]


def _openings(work: Work, row: JointAgreement, terms: Terms, shares: Sequence[Share], part: Part) -> Sequence[Opening]:
    kept = {each.park_id: each for each in store.accounts_of(work.session, row.id, part.year)}
    if not kept:
        return open_accounts(terms, shares, part)
    return [
        Opening(each.park_id, kept[each.park_id].entitled_minutes, kept[each.park_id].carried_minutes,
                kept[each.park_id].overdraw_minutes)
        for each in shares if each.share_bp
    ]  # fmt: skip


def view_of(found: JointYear) -> YearView:
    """Return a year for its parties to read."""
    settled = found.settlement()
    shares = {each.park_id: each for each in found.parties}
    hours = []
    for account in found.accounts:
        park_id = account.opening.park_id
        money = settled.parks[str(park_id)]
        hours.append(
            HoursView(
                park_id=park_id,
                name=found.names[park_id],
                role=shares[park_id].role.value,
                share_bp=shares[park_id].share_bp,
                entitled_minutes=account.opening.entitled_minutes,
                carried_minutes=account.opening.carried_minutes,
                used_minutes=account.used_minutes,
                lent_minutes=_half_up(money.lent_hours * HOUR),
                borrowed_minutes=account.borrowed_minutes,
                released_minutes=account.released_minutes,
                left_minutes=account.left_minutes,
                most_minutes=min(account.most_minutes, found.shared_minutes - found.used_minutes),
                due_fen=money.due_fen,
                received_fen=money.received_fen,
                capital_fen=money.capital_fen,
                net_fen=money.net_fen,
            )
        )
    return YearView(
        agreement_id=found.row.id,
        title=found.row.title,
        version=found.row.version,
        year=found.part.year,
        years=tuple(years_of(found.terms)),
        start=found.part.start,
        end=found.part.end,
        lead_id=found.lead_id,
        shared_minutes=found.shared_minutes,
        used_minutes=found.used_minutes,
        outsider_minutes=found.outsider_minutes,
        free_minutes=found.shared_minutes - found.used_minutes,
        lending_notice_days=found.terms.lending_notice_days,
        overdraw_minutes=found.part.of(found.terms.overdraw_minutes),
        inside_fen_per_hour=_half_up(settled.inside_fen_per_hour),
        above_fen_per_hour=_half_up(settled.above_fen_per_hour),
        outsider_fen_per_hour=_half_up(settled.outsider_fen_per_hour),
        outsiders_fen=settled.outsiders_fen,
        cost_fen=settled.cost_fen,
        is_closed=found.is_closed,
        parks=tuple(hours),
    )


def _nearest(covered: range, year: int) -> int:
    return min(max(year, covered[0]), covered[-1])


def _half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
