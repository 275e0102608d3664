"""Funds: opened by one person, filled by two, and never overspent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.rules.money import MAX_FEN
from billing.rules.naming import check_envelope, check_slug
from billing.store import fund_queries
from billing.store.fund_queries import GENERAL
from billing.store.funds import Appropriation, Envelope, Fund, FundEntry
from billing.usecases.fund_register import Amount, move
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


@dataclass(frozen=True)
class EnvelopeView:
    """The balances of a part of a fund; ``envelope`` is '' for the general part, else what it is allotted to."""

    envelope: str
    appropriated_fen: int
    held_fen: int
    captured_fen: int
    disbursed_fen: int
    returned_fen: int
    available_fen: int


@dataclass(frozen=True)
class FundView:
    """A fund with its balances, the sums over its envelopes."""

    id: UUID
    slug: str
    name: str
    name_en: str
    year: int
    status: str
    appropriated_fen: int
    held_fen: int
    captured_fen: int
    disbursed_fen: int
    returned_fen: int
    available_fen: int
    envelopes: tuple[EnvelopeView, ...]


@dataclass(frozen=True)
class AppropriationView:
    """Money asked of the treasury for a fund, and who decided."""

    id: UUID
    fund_id: UUID
    envelope: str
    amount_fen: int
    document_no: str
    status: str
    requested_by: UUID
    requested_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None


@dataclass(frozen=True)
class FundEntryView:
    """One movement of a fund's money."""

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
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    if not rows_written(work.session, made.on_conflict_do_nothing()):
        raise Conflict("fund.slug_taken", msg("资金池代码 {slug} 已被使用。请换一个代码。", slug=slug))
    _ensure_envelope(work, fund_id, GENERAL)
    audit.record(work, "fund.open", "fund", fund_id, slug=slug, year=year)
    return _fund_view(work, fund_id)


def request_appropriation(
    work: Work, *, fund_id: UUID, amount_fen: int, document_no: str, envelope: str = GENERAL
) -> AppropriationView:
    """Ask that ``amount_fen`` be put into a fund, under the number of the document that grants it.

    ``envelope`` allots the money to a city or county (its code) or a class of regions. Nothing moves before another
    person approves. Raises Invalid with every wrong field.
    """
    work.actor.require(Permission.MANAGE_FUND)
    requester = work.actor.require_person()
    if not 0 < amount_fen <= MAX_FEN:
        message = msg("拨款金额须大于零。请改正金额。")
        raise Invalid("appropriation.amount", message, errors=[FieldError("amount_fen", "field.range", message)])
    with Faults() as faults:
        faults.take("document_no", check_name, document_no)
        faults.take("envelope", check_envelope, envelope)
    _open_fund(work, fund_id)
    row = Appropriation(
        id=new_id(),
        fund_id=fund_id,
        envelope=envelope,
        amount_fen=amount_fen,
        document_no=document_no,
        status="requested",
        requested_by=requester,
        requested_at=work.now,
        approved_by=None,
        approved_at=None,
    )
    work.session.add(row)
    work.session.flush()
    audit.record(work, "appropriation.request", "appropriation", row.id, amount_fen=amount_fen, document_no=document_no)
    return _appropriation_view(row)


def approve_appropriation(work: Work, *, appropriation_id: UUID) -> FundView:
    """Approve an appropriation asked by somebody else; the money is in the fund from then on.

    Raises Conflict for the person who asked, and for one that is decided already.
    """
    work.actor.require(Permission.APPROVE_FUND)
    approver = work.actor.require_person()
    row = fund_queries.lock_appropriation(work.session, appropriation_id)
    if row is None:
        raise NotFound("appropriation.not_found", msg("没有找到该拨款申请。请核对编号。"))
    if row.status != "requested":
        raise Conflict("appropriation.decided", msg("该拨款申请已处理，不能再次批准。请刷新查看结果。"))
    if row.requested_by == approver:
        raise Conflict("appropriation.same_person", msg("申请人不能批准自己的拨款申请。请由另一位人员批准。"))
    _open_fund(work, row.fund_id)
    row.status, row.approved_by, row.approved_at = "approved", approver, work.now
    work.session.flush()
    _ensure_envelope(work, row.fund_id, row.envelope)
    audit.record(work, "appropriation.approve", "appropriation", row.id, amount_fen=row.amount_fen)
    moved = move(
        work,
        fund_id=row.fund_id,
        envelope=row.envelope,
        source="appropriated",
        destination="available",
        amounts=[Amount(row.amount_fen)],
        reason=f"appropriation {row.document_no}"[:200],
        only_open=True,
    )
    if not moved:
        raise _not_open()
    return _fund_view(work, row.fund_id)


def freeze_fund(work: Work, *, fund_id: UUID) -> FundView:
    """Let a fund give nothing from now on. What is held stays held, and can be captured or released."""
    return _set_status(work, fund_id, "frozen")


def unfreeze_fund(work: Work, *, fund_id: UUID) -> FundView:
    """Let a frozen fund give again."""
    return _set_status(work, fund_id, "open")


def read_fund(work: Work, *, fund_id: UUID) -> FundView:
    """Return a fund with its balances. Raises NotFound."""
    work.actor.require(Permission.READ_FUND)
    return _fund_view(work, fund_id)


def list_funds(work: Work) -> tuple[FundView, ...]:
    """Return all funds with their balances, the newest year first."""
    work.actor.require(Permission.READ_FUND)
    return _views(work, fund_queries.all_funds(work.session))


def list_appropriations(work: Work, *, fund_id: UUID) -> tuple[AppropriationView, ...]:
    """Return a fund's appropriations, newest first."""
    work.actor.require(Permission.READ_FUND)
    return tuple(_appropriation_view(row) for row in fund_queries.appropriations_of(work.session, fund_id))


def list_fund_entries(work: Work, *, fund_id: UUID, limit: int = 50, cursor: str | None = None) -> Page[FundEntryView]:
    """Return the movements of a fund, newest first: to a park those of its own holds."""
    work.actor.require(Permission.READ_FUND)
    rows = fund_queries.entry_page(work.session, fund_id, decode_cursor(cursor), check_limit(limit) + 1)
    return page_of(rows, limit, _entry_view, lambda row: (row.at, row.id))


def _set_status(work: Work, fund_id: UUID, status: str) -> FundView:
    work.actor.require(Permission.APPROVE_FUND)
    fund = fund_queries.fund_of(work.session, fund_id, lock=True)
    if fund is None:
        raise _not_found()
    if fund.status == "closed":
        raise Conflict("fund.closed", msg("资金池已关闭，不能再改变状态。请另行设立资金池。"))
    fund.status = status
    work.session.flush()
    audit.record(work, f"fund.{'freeze' if status == 'frozen' else 'unfreeze'}", "fund", fund_id)
    return _fund_view(work, fund_id)


def _open_fund(work: Work, fund_id: UUID) -> Fund:
    fund = fund_queries.fund_of(work.session, fund_id)
    if fund is None:
        raise _not_found()
    if fund.status != "open":
        raise _not_open()
    return fund


def _not_found() -> NotFound:
    return NotFound("fund.not_found", msg("没有找到该资金池。请核对编号。"))


def _not_open() -> Conflict:
    return Conflict("fund.not_open", msg("资金池已冻结或关闭，不能拨入资金。请先解冻，或选择其他资金池。"))


def _ensure_envelope(work: Work, fund_id: UUID, envelope: str) -> None:
    empty = dict.fromkeys(
        ("appropriated_fen", "available_fen", "held_fen", "captured_fen", "disbursed_fen", "returned_fen"), 0
    )
    row = insert(Envelope).values(fund_id=fund_id, envelope=envelope, **empty)
    work.session.execute(row.on_conflict_do_nothing())


def _fund_view(work: Work, fund_id: UUID) -> FundView:
    fund = fund_queries.fund_of(work.session, fund_id)
    if fund is None:
        raise _not_found()
    return _views(work, [fund])[0]


def _views(work: Work, funds: Iterable[Fund]) -> tuple[FundView, ...]:
    shown = list(funds)
    by_fund: dict[UUID, list[EnvelopeView]] = {}
    for row in fund_queries.envelopes_of(work.session, [fund.id for fund in shown]):
        by_fund.setdefault(row.fund_id, []).append(_envelope_view(row))
    return tuple(_joined(fund, tuple(by_fund.get(fund.id, ()))) for fund in shown)


def _joined(fund: Fund, envelopes: tuple[EnvelopeView, ...]) -> FundView:
    return FundView(
        id=fund.id,
        slug=fund.slug,
        name=fund.name,
        name_en=fund.name_en,
        year=fund.year,
        status=fund.status,
        appropriated_fen=sum(each.appropriated_fen for each in envelopes),
        held_fen=sum(each.held_fen for each in envelopes),
        captured_fen=sum(each.captured_fen for each in envelopes),
        disbursed_fen=sum(each.disbursed_fen for each in envelopes),
        returned_fen=sum(each.returned_fen for each in envelopes),
        available_fen=sum(each.available_fen for each in envelopes),
        envelopes=envelopes,
    )


def _envelope_view(row: Envelope) -> EnvelopeView:
    return EnvelopeView(
        envelope=row.envelope,
        appropriated_fen=row.appropriated_fen,
        held_fen=row.held_fen,
        captured_fen=row.captured_fen,
        disbursed_fen=row.disbursed_fen,
        returned_fen=row.returned_fen,
        available_fen=row.available_fen,
    )


def _appropriation_view(row: Appropriation) -> AppropriationView:
    return AppropriationView(
        id=row.id,
        fund_id=row.fund_id,
        envelope=row.envelope,
        amount_fen=row.amount_fen,
        document_no=row.document_no,
        status=row.status,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
    )


def _entry_view(row: FundEntry) -> FundEntryView:
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
    )
