"""Funds: opened by one person, filled by two, and never overspent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.rules import ledger
from billing.rules.fund_alerts import USUAL
from billing.rules.money import MAX_FEN
from billing.rules.naming import check_envelope, check_reason, check_slug
from billing.rules.splits import Share, split_amount
from billing.store import fund_queries
from billing.store.books import post_journal
from billing.store.fund_queries import GENERAL, EntryFilter
from billing.store.funds import Appropriation, AppropriationPart, Fund
from billing.usecases.fund_register import Amount, in_order, move
from billing.usecases.fund_views import (
    AppropriationView,
    FundEntryView,
    FundView,
    appropriation_view,
    entry_view,
    find_open_fund,
    fund_view,
    fund_views,
    not_open,
)
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

__all__ = ["EntryFilter", "FundView", "Share"]


@dataclass(frozen=True)
class FundName:
    """What a fund is called."""

    name: str
    name_en: str


def open_fund(work: Work, *, slug: str, name: str, name_en: str, year: int) -> FundView:
    """Open a fund without money. Raises Invalid with every unusable name, and Conflict when ``slug`` is taken."""
    work.actor.require(Permission.MANAGE_FUND)
    with Faults() as faults:
        faults.take("slug", check_slug, slug)
        faults.take("name", check_name, name)
        faults.take("name_en", check_name, name_en)
    fund_id = new_id()
    made = insert(Fund).values(
        id=fund_id,
        slug=slug,
        name=name,
        name_en=name_en,
        year=year,
        status="open",
        low_share_bp=USUAL.low_share_bp,
        low_days=USUAL.low_days,
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    if not rows_written(work.session, made.on_conflict_do_nothing()):
        raise Conflict("fund.slug_taken", msg("资金池代码 {slug} 已被使用。请换一个代码。", slug=slug))
    fund_queries.ensure_envelope(work.session, fund_id, GENERAL)
    audit.record(work, "fund.open", "fund", fund_id, slug=slug, year=year)
    return fund_view(work, fund_id)


def request_appropriation(
    work: Work,
    *,
    fund_id: UUID,
    amount_fen: int,
    document_no: str,
    envelope: str = GENERAL,
    split: Sequence[Share] = (),
) -> AppropriationView:
    """Ask that ``amount_fen`` be put into a fund, under the number of the document that grants it.

    ``split`` reserves shares for cities, counties or classes of regions; what it leaves goes to ``envelope``. A further
    appropriation tops the fund up. Nothing moves before another person approves. Raises Invalid with every wrong field.
    """
    work.actor.require(Permission.MANAGE_FUND)
    requester = work.actor.require_person()
    if not 0 < amount_fen <= MAX_FEN:
        message = msg("拨款金额须大于零。请改正金额。")
        raise Invalid("appropriation.amount", message, errors=[FieldError("amount_fen", "field.range", message)])
    with Faults() as faults:
        faults.take("document_no", check_name, document_no)
        faults.take("envelope", check_envelope, envelope)
    amounts = split_amount(amount_fen, envelope, split)
    find_open_fund(work, fund_id)
    row = Appropriation(
        id=new_id(),
        fund_id=fund_id,
        envelope=envelope,
        amount_fen=amount_fen,
        document_no=document_no,
        status="requested",
        requested_by=requester,
        requested_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    parts = [
        AppropriationPart(
            appropriation_id=row.id,
            envelope=share.envelope,
            share_bp=share.share_bp,
            amount_fen=amounts[share.envelope],
        )
        for share in split
    ]
    work.session.add_all(parts)
    work.session.flush()
    audit.record(
        work,
        "appropriation.request",
        "appropriation",
        row.id,
        fund_id=fund_id,
        amount_fen=amount_fen,
        document_no=document_no,
        split=amounts,
    )
    return appropriation_view(row, parts)


def approve_appropriation(work: Work, *, appropriation_id: UUID) -> FundView:
    """Approve an appropriation asked by somebody else; the money is in the fund from then on, each share in its region.

    Raises Conflict for the person who asked, and for one that is decided already.
    """
    work.actor.require(Permission.APPROVE_FUND)
    approver = work.actor.require_person()
    row = _undecided(work, appropriation_id)
    if row.requested_by == approver:
        raise Conflict("appropriation.same_person", msg("申请人不能批准自己的拨款申请。请由另一位人员批准。"))
    find_open_fund(work, row.fund_id)
    parts = fund_queries.parts_of(work.session, [row.id])
    row.status, row.approved_by, row.approved_at = "approved", approver, work.now
    work.session.flush()
    audit.record(work, "appropriation.approve", "appropriation", row.id, amount_fen=row.amount_fen)
    draft = ledger.appropriation(
        fund_id=row.fund_id, source_id=str(row.id), occurred_at=work.now, amount_fen=row.amount_fen
    )
    post_journal(work.session, draft, user_id=approver)
    amounts = {part.envelope: part.amount_fen for part in parts}
    amounts[row.envelope] = row.amount_fen - sum(amounts.values())
    for envelope in amounts:
        fund_queries.ensure_envelope(work.session, row.fund_id, envelope)
    for fund_id, envelope in in_order((row.fund_id, envelope) for envelope in amounts):
        moved = move(
            work,
            fund_id=fund_id,
            envelope=envelope,
            source="appropriated",
            destination="available",
            amounts=[Amount(amounts[envelope])],
            reason=f"appropriation {row.document_no}",
            only_open=True,
        )
        if not moved:
            raise not_open()
    return fund_view(work, row.fund_id)


def reject_appropriation(work: Work, *, appropriation_id: UUID, reason: str) -> AppropriationView:
    """Refuse an appropriation that somebody else asked, with the reason. Raises Conflict for one that is decided."""
    work.actor.require(Permission.APPROVE_FUND)
    row = _undecided(work, appropriation_id)
    if row.requested_by == work.actor.require_person():
        raise Conflict("appropriation.same_person", msg("申请人不能批准自己的拨款申请。请由另一位人员批准。"))
    return _end(work, row, "rejected", reason)


def withdraw_appropriation(work: Work, *, appropriation_id: UUID, reason: str) -> AppropriationView:
    """Take back an appropriation that is not decided yet, with the reason. Raises Conflict for one that is."""
    work.actor.require(Permission.MANAGE_FUND)
    return _end(work, _undecided(work, appropriation_id), "withdrawn", reason)


def read_fund(work: Work, *, fund_id: UUID) -> FundView:
    """Return a fund with its balances. Raises NotFound."""
    work.actor.require(Permission.READ_FUND)
    return fund_view(work, fund_id)


def list_funds(work: Work) -> tuple[FundView, ...]:
    """Return all funds with their balances, the newest year first."""
    work.actor.require(Permission.READ_FUND)
    return fund_views(work, fund_queries.all_funds(work.session))


def name_funds(work: Work, *, slugs: Collection[str]) -> dict[str, FundName]:
    """Return what funds are called, by slug: for everybody who reads which funds pay, not what is in them."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = fund_queries.funds_by_slug(work.session, slugs)
    return {slug: FundName(fund.name, fund.name_en) for slug, fund in found.items()}


def list_appropriations(work: Work, *, fund_id: UUID) -> tuple[AppropriationView, ...]:
    """Return a fund's appropriations, newest first."""
    work.actor.require(Permission.READ_FUND)
    rows = fund_queries.appropriations_of(work.session, fund_id)
    parts = fund_queries.parts_of(work.session, [row.id for row in rows])
    return tuple(appropriation_view(row, [each for each in parts if each.appropriation_id == row.id]) for row in rows)


def list_fund_entries(
    work: Work, *, fund_id: UUID, wanted: EntryFilter | None = None, limit: int = 50, cursor: str | None = None
) -> Page[FundEntryView]:
    """Return the movements of a fund, newest first: to a park those of its own holds.

    ``wanted`` narrows them to a place, an envelope and a half-open time.
    """
    work.actor.require(Permission.READ_FUND)
    before = decode_cursor(cursor)
    rows = fund_queries.entry_page(work.session, fund_id, wanted or EntryFilter(), before, check_limit(limit) + 1)
    return page_of(rows, limit, entry_view, lambda row: (row.at, row.id))


def _undecided(work: Work, appropriation_id: UUID) -> Appropriation:
    row = fund_queries.lock_appropriation(work.session, appropriation_id)
    if row is None:
        raise NotFound("appropriation.not_found", msg("没有找到该拨款申请。请核对编号。"))
    if row.status != "requested":
        raise Conflict("appropriation.decided", msg("该拨款申请已处理，不能再次批准。请刷新查看结果。"))
    return row


def _end(work: Work, row: Appropriation, status: str, reason: str) -> AppropriationView:
    with Faults() as faults:
        kept = faults.take("reason", check_reason, reason)
    row.status, row.ended_by, row.ended_at, row.ended_reason = status, work.actor.require_person(), work.now, kept
    work.session.flush()
    verb = {"rejected": "reject", "withdrawn": "withdraw"}[status]
    audit.record(work, f"appropriation.{verb}", "appropriation", row.id, amount_fen=row.amount_fen, reason=kept)
    return appropriation_view(row, fund_queries.parts_of(work.session, [row.id]))
