"""What is shown of a fund: its balances, what was asked for it, its register."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.store import fund_queries
from billing.store.funds import PLACES, Appropriation, AppropriationPart, Envelope, Fund, FundEntry
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


@dataclass(frozen=True)
class EnvelopeView:
    """The balances of a part of a fund; ``envelope`` is '' for the general part, else what it is allotted to.

    ``transferred_fen`` and ``carried_fen`` are net: negative when more went to other envelopes, or to another year,
    than came from there. So is ``appropriated_fen`` where money carried in was returned to the treasury.
    """

    envelope: str
    appropriated_fen: int
    transferred_fen: int
    carried_fen: int
    held_fen: int
    captured_fen: int
    disbursed_fen: int
    returned_fen: int
    available_fen: int

    @property
    def given_fen(self) -> int:
        """Return what came into the envelope in all: the sum of all other places."""
        return self.appropriated_fen + self.transferred_fen + self.carried_fen


@dataclass(frozen=True)
class FundView:
    """A fund with its balances, the sums over its envelopes. ``status_*`` say who set its status, when and why."""

    id: UUID
    slug: str
    name: str
    name_en: str
    year: int
    status: str
    status_reason: str | None
    status_by: UUID | None
    status_at: datetime | None
    low_share_bp: int | None
    low_days: int | None
    appropriated_fen: int
    carried_fen: int
    held_fen: int
    captured_fen: int
    disbursed_fen: int
    returned_fen: int
    available_fen: int
    envelopes: tuple[EnvelopeView, ...]
    created_at: datetime

    @property
    def budget_fen(self) -> int:
        """Return what the fund was given: by the treasury, and by another year's fund."""
        return self.appropriated_fen + self.carried_fen


@dataclass(frozen=True)
class PartView:
    """A share of an appropriation that is reserved for a region."""

    envelope: str
    share_bp: int
    amount_fen: int


@dataclass(frozen=True)
class AppropriationView:
    """Money asked of the treasury for a fund, and who decided. ``envelope`` gets what ``split`` leaves."""

    id: UUID
    fund_id: UUID
    envelope: str
    amount_fen: int
    document_no: str
    split: tuple[PartView, ...]
    status: str
    requested_by: UUID
    requested_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None
    ended_reason: str | None

    @property
    def rest_fen(self) -> int:
        """Return what goes to ``envelope``."""
        return self.amount_fen - sum(part.amount_fen for part in self.split)


@dataclass(frozen=True)
class FundEntryView:
    """One movement of a fund's money; ``counterpart_id`` is the entry of the other envelope or year, where it has one."""

    id: UUID
    envelope: str
    source: str
    destination: str
    amount_fen: int
    hold_id: UUID | None
    tenant_id: UUID | None
    reason: str
    user_id: UUID | None
    at: datetime
    counterpart_id: UUID | None


def not_found() -> NotFound:
    """Return the refusal of a fund that is not there."""
    return NotFound("fund.not_found", msg("没有找到该资金池。请核对编号。"))


def not_open() -> Conflict:
    """Return the refusal of money that should come into a fund that takes none."""
    return Conflict("fund.not_open", msg("资金池已冻结或关闭，不能拨入资金。请先解冻，或选择其他资金池。"))


def find_fund(work: Work, fund_id: UUID, *, lock: bool = False) -> Fund:
    """Return a fund's row, under lock where asked. Raises NotFound.

    Whoever changes what a fund may do, or brings money into it, takes this lock before any envelope: a fund that is
    being closed cannot be filled at the same time. Draws do not take it.
    """
    fund = fund_queries.fund_of(work.session, fund_id, lock=lock)
    if fund is None:
        raise not_found()
    return fund


def find_open_fund(work: Work, fund_id: UUID) -> Fund:
    """Return an open fund's row, under lock. Raises NotFound, and Conflict for one that is frozen or closed."""
    fund = find_fund(work, fund_id, lock=True)
    if fund.status != "open":
        raise not_open()
    return fund


def fund_view(work: Work, fund_id: UUID) -> FundView:
    """Return a fund as it is. Raises NotFound."""
    return fund_views(work, [find_fund(work, fund_id)])[0]


def fund_views(work: Work, funds: Iterable[Fund]) -> tuple[FundView, ...]:
    """Return funds as they are, with the balances of their envelopes."""
    shown = list(funds)
    by_fund: dict[UUID, list[EnvelopeView]] = {}
    for row in fund_queries.envelopes_of(work.session, [fund.id for fund in shown]):
        by_fund.setdefault(row.fund_id, []).append(_envelope_view(row))
    return tuple(_joined(fund, tuple(by_fund.get(fund.id, ()))) for fund in shown)


def _joined(fund: Fund, envelopes: tuple[EnvelopeView, ...]) -> FundView:
    sums = {
        f"{place}_fen": sum(getattr(each, f"{place}_fen") for each in envelopes)
        for place in PLACES
        if place != "transferred"
    }
    return FundView(
        id=fund.id,
        slug=fund.slug,
        name=fund.name,
        name_en=fund.name_en,
        year=fund.year,
        status=fund.status,
        status_reason=fund.status_reason,
        status_by=fund.status_by,
        status_at=fund.status_at,
        low_share_bp=fund.low_share_bp,
        low_days=fund.low_days,
        envelopes=envelopes,
        created_at=fund.created_at,
        **sums,
    )


def _envelope_view(row: Envelope) -> EnvelopeView:
    return EnvelopeView(row.envelope, **{f"{place}_fen": getattr(row, f"{place}_fen") for place in PLACES})


def appropriation_view(row: Appropriation, parts: Sequence[AppropriationPart]) -> AppropriationView:
    """Return an appropriation with its parts, by envelope."""
    shown = sorted(parts, key=lambda part: part.envelope)
    return AppropriationView(
        id=row.id,
        fund_id=row.fund_id,
        envelope=row.envelope,
        amount_fen=row.amount_fen,
        document_no=row.document_no,
        split=tuple(PartView(each.envelope, each.share_bp, each.amount_fen) for each in shown),
        status=row.status,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
        ended_reason=row.ended_reason,
    )


def entry_view(row: FundEntry) -> FundEntryView:
    """Return one movement."""
    return FundEntryView(
        id=row.id,
        envelope=row.envelope,
        source=row.source,
        destination=row.destination,
        amount_fen=row.amount_fen,
        hold_id=row.hold_id,
        tenant_id=row.tenant_id,
        reason=row.reason,
        user_id=row.user_id,
        at=row.at,
        counterpart_id=row.counterpart_id,
    )
