"""Captured money after its capture: paid out of its fund, or back into it, in whole or part and each fen once.

What is not paid out yet goes ``captured -> available``; what was paid out goes ``disbursed -> returned`` when somebody
has paid it back. Both give the ceilings back to the cap year they came from. A hold's own limits hold the sums: no
more is recalled than was captured, however many ask at once. These are steps of other use cases, which have asked for
their own permission. Rows are taken in the order of every transaction: holds, rolling registers, ceilings, envelopes;
journals, wallets and invoices come between holds and registers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.rules.ledger import JournalDraft
from billing.rules.money import format_yuan
from billing.store import hold_queries
from billing.store.books import post_journal
from billing.store.ceiling_queries import CounterKey
from billing.store.funds import Hold
from billing.usecases import aid_register
from billing.usecases.ceilings import counters_of, give_back_all
from billing.usecases.fund_register import Amount, in_order, move
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


@dataclass(frozen=True)
class Cause:
    """What money comes back for: the kind of the document and its id. Each hold gives back once for it."""

    kind: str
    id: UUID


@dataclass(frozen=True)
class Spent:
    """Captured money of one hold that nobody asks back yet, under lock: where it is, and whose it was."""

    hold_id: UUID
    tenant_id: UUID
    order_line_id: UUID
    fund_id: UUID
    envelope: str
    programme: str
    captured_fen: int
    unpaid_fen: int
    """Not paid out yet: it can be withdrawn."""
    disbursed_fen: int
    """Paid out, and asked back by nobody: it can be recalled."""

    @property
    def open_fen(self) -> int:
        """Return what may still be asked back."""
        return self.unpaid_fen + self.disbursed_fen


@dataclass(frozen=True)
class Taken:
    """What one hold gave back."""

    hold_id: UUID
    fund_id: UUID
    amount_fen: int


@dataclass(frozen=True)
class GivenBack:
    """What is paid back for one cause, in fen by hold."""

    cause: Cause
    amounts: Mapping[UUID, int]


@dataclass(frozen=True)
class Way:
    """Where money comes back from and goes to, and where its hold notes it."""

    source: str
    destination: str
    column: str


WITHDRAWAL = Way("captured", "available", "withdrawn_fen")
REPAYMENT = Way("disbursed", "returned", "returned_fen")

JournalOf = Callable[[Sequence[Taken]], JournalDraft | None]
"""Makes the journal of what is given back; None where the books are not touched."""


def lock_spent(
    work: Work, *, hold_ids: Collection[UUID] = (), order_line_ids: Collection[UUID] = ()
) -> tuple[Spent, ...]:
    """Lock captured holds, given by id or order line, and tell what of each may still be asked back.

    A transaction does this first of all, and once: holds are the first rows that everybody takes.
    """
    found = (
        hold_queries.lock_holds(work.session, hold_ids)
        if hold_ids
        else hold_queries.lock_holds_of_lines(work.session, order_line_ids)
    )
    return tuple(_spent(hold) for hold in found if hold.captured_fen)


def uncapture(
    work: Work, *, cause: Cause, amounts: Mapping[UUID, int], reason: str, journal: JournalOf | None = None
) -> tuple[Taken, ...]:
    """Take captured money of holds (fen by hold id) back into their funds before it is paid out; a repeat for the same
    cause changes nothing and returns the first result.

    ``journal`` makes the entry in the books, which is posted before any ceiling or fund is touched. Raises Conflict
    ``hold.too_little_left`` when a hold has less that is neither paid out nor recalled; nothing is then to be kept.
    """
    return _give_back(work, cause, amounts, reason, journal, WITHDRAWAL)


def uncapture_each(work: Work, *, causes: Mapping[UUID, Cause], amounts: Mapping[UUID, int], reason: str) -> None:
    """Take captured money of several order lines' holds (fen by hold id) back, each hold for a cause of its own, with
    the rows of all of them taken in the order of every transaction. The causes are new; the journals are the caller's.

    Raises Conflict ``hold.too_little_left`` as ``uncapture`` does.
    """
    _take_back(work, _locked(work, amounts), causes, amounts, reason, None, WITHDRAWAL)


def recall(work: Work, *, amounts: Mapping[UUID, int]) -> None:
    """Note that money of holds (fen by hold id) that was paid out is asked back, so that nobody asks it back again.

    Raises Conflict ``hold.too_little_left`` when a hold has less.
    """
    for hold in _locked(work, amounts):
        if _spent(hold).disbursed_fen < amounts[hold.id] or not hold_queries.add_to(
            work.session, hold, recalled_fen=amounts[hold.id]
        ):
            raise too_little(amounts[hold.id], _spent(hold).disbursed_fen)


def give_up(work: Work, *, amounts: Mapping[UUID, int]) -> None:
    """Take a ``recall`` off again: what was not paid back yet may be asked back by somebody else.

    Raises RuntimeError for more than is recalled and outstanding.
    """
    for hold in _locked(work, amounts):
        if not hold_queries.add_to(work.session, hold, recalled_fen=-amounts[hold.id]):
            raise RuntimeError(f"hold {hold.id} has less recalled than is given up")


def take_repaid(
    work: Work, *, cause: Cause, amounts: Mapping[UUID, int], reason: str, journal: JournalOf | None = None
) -> tuple[Taken, ...]:
    """Note that recalled money of holds (fen by hold id) was paid back to their funds; a repeat for the same cause
    changes nothing and returns the first result.

    Raises Conflict ``hold.too_little_left`` when less of a hold was paid out and is still outstanding.
    """
    return _give_back(work, cause, amounts, reason, journal, REPAYMENT)


def disburse(
    work: Work, *, hold_ids: Collection[UUID], reason: str, repaid: Sequence[GivenBack] = ()
) -> tuple[Taken, ...]:
    """Pay out what holds captured and did not give back, and return what that was, in the order of the holds.

    What was paid out before is not paid again. ``repaid`` is recalled money of other holds that the payment pays back to
    their funds, for new causes; the rows of all are taken in the order of every transaction. The journals are the caller's.
    """
    back_ids = {hold_id for each in repaid for hold_id in each.amounts}
    holds = {hold.id: hold for hold in hold_queries.lock_holds(work.session, {*hold_ids, *back_ids})}
    paid = [(holds[hold_id], _spent(holds[hold_id]).unpaid_fen) for hold_id in sorted(holds) if hold_id in {*hold_ids}]
    paid = [(hold, amount) for hold, amount in paid if amount]
    for hold, amount in paid:
        if not hold_queries.add_to(work.session, hold, disbursed_fen=amount):
            raise RuntimeError(f"hold {hold.id} changed while it was under lock")
    back = [(holds[hold_id], fen, each.cause) for each in repaid for hold_id, fen in each.amounts.items() if fen]
    for hold, fen, cause in back:
        _note_back(work, hold, cause, fen, REPAYMENT)
    given = [(hold, fen) for hold, fen, _ in back]
    _give_ceilings_back(work, given, reason)
    _move_all(work, [(paid, "captured", "disbursed"), (given, REPAYMENT.source, REPAYMENT.destination)], reason)
    return tuple(Taken(hold.id, hold.fund_id, amount) for hold, amount in paid)


def _give_back(
    work: Work,
    cause: Cause,
    amounts: Mapping[UUID, int],
    reason: str,
    journal: JournalOf | None,
    way: Way,
) -> tuple[Taken, ...]:
    """Take money back for one cause, unless it was before."""
    holds = _locked(work, amounts)
    before = hold_queries.returns_for(work.session, cause.kind, cause.id, way.source)
    if before:
        return tuple(Taken(*each) for each in before)
    return _take_back(work, holds, dict.fromkeys(amounts, cause), amounts, reason, journal, way)


def _take_back(
    work: Work,
    holds: Sequence[Hold],
    causes: Mapping[UUID, Cause],
    amounts: Mapping[UUID, int],
    reason: str,
    journal: JournalOf | None,
    way: Way,
) -> tuple[Taken, ...]:
    """Note each hold's return, post the journal, then give ceilings and money back, in that order."""
    parts = [(hold, amounts[hold.id]) for hold in holds]
    for hold, amount in parts:
        _note_back(work, hold, causes[hold.id], amount, way)
    taken = tuple(Taken(hold.id, hold.fund_id, amount) for hold, amount in parts)
    draft = journal(taken) if journal is not None and taken else None
    if draft is not None:
        post_journal(work.session, draft, user_id=work.actor.user_id)
    _give_ceilings_back(work, parts, reason)
    _move_all(work, [(parts, way.source, way.destination)], reason)
    return taken


def _note_back(work: Work, hold: Hold, cause: Cause, amount: int, way: Way) -> None:
    """Note on a hold what it gives back, and for what."""
    is_withdrawal = way is WITHDRAWAL
    added = {way.column: amount, "recalled_fen": amount} if is_withdrawal else {way.column: amount}
    left = _spent(hold).unpaid_fen if is_withdrawal else hold.disbursed_fen - hold.returned_fen
    if amount > left or not hold_queries.add_to(work.session, hold, **added):
        raise too_little(amount, left)
    if not hold_queries.insert_return(work.session, _return(work, hold, cause, way.source, amount)):
        raise RuntimeError(f"hold {hold.id} gave back for {cause} while it was under lock")


def _give_ceilings_back(work: Work, parts: Sequence[tuple[Hold, int]], reason: str) -> None:
    """Give back to registers and ceilings what comes back to the funds."""
    counted: dict[CounterKey, int] = {}
    for hold, amount in parts:
        for counter, back in counters_of(hold.programme, hold.ceilings, amount).items():
            counted[counter] = counted.get(counter, 0) + back
    aid_register.give_back(
        work, [aid_register.Returned(hold.order_line_id, hold.programme, amount) for hold, amount in parts], reason
    )
    give_back_all(work, counted)


def _locked(work: Work, amounts: Mapping[UUID, int]) -> Sequence[Hold]:
    """Lock the holds whose amounts are not zero."""
    if any(amount < 0 for amount in amounts.values()):
        raise ValueError("what comes back is not negative")
    wanted = {hold_id for hold_id, amount in amounts.items() if amount}
    holds = hold_queries.lock_holds(work.session, wanted)
    if len(holds) != len(wanted):
        raise RuntimeError(f"some of the holds {sorted(wanted)} are not there")
    return holds


def _move_all(work: Work, moves: Sequence[tuple[Sequence[tuple[Hold, int]], str, str]], reason: str) -> None:
    """Move parts of holds from one place of their envelopes to another, envelope by envelope, each (parts, from, to)."""
    places = {(hold.fund_id, hold.envelope) for parts, _, _ in moves for hold, _ in parts}
    for place in in_order(places):
        for parts, source, destination in moves:
            here = [
                Amount(amount, hold.id, hold.tenant_id)
                for hold, amount in parts
                if (hold.fund_id, hold.envelope) == place
            ]
            if here and not move(
                work,
                fund_id=place[0],
                envelope=place[1],
                source=source,
                destination=destination,
                amounts=here,
                reason=reason[:200],
            ):
                raise RuntimeError(f"envelope {place} has less {source} than its holds")


def _return(work: Work, hold: Hold, cause: Cause, source: str, amount_fen: int) -> dict[str, object]:
    return {
        "tenant_id": hold.tenant_id,
        "id": new_id(),
        "hold_id": hold.id,
        "cause": cause.kind,
        "cause_id": cause.id,
        "source": source,
        "amount_fen": amount_fen,
        "user_id": work.actor.user_id,
        "at": work.now,
    }


def too_little(wanted_fen: int, left_fen: int) -> Conflict:
    """Return the refusal of asking more back than may still be asked back."""
    return Conflict(
        "hold.too_little_left",
        msg(
            "需退回 {wanted} 元，可退回的补贴只有 {left} 元：其余已退回、已列入追回或尚未拨付。请刷新后核对金额。",
            wanted=format_yuan(wanted_fen),
            left=format_yuan(max(left_fen, 0)),
        ),
    )


def _spent(hold: Hold) -> Spent:
    """Return what of a hold nobody has asked back. What is recalled beyond the withdrawn part is paid-out money."""
    return Spent(
        hold_id=hold.id,
        tenant_id=hold.tenant_id,
        order_line_id=hold.order_line_id,
        fund_id=hold.fund_id,
        envelope=hold.envelope,
        programme=hold.programme,
        captured_fen=hold.captured_fen,
        unpaid_fen=hold.captured_fen - hold.withdrawn_fen - hold.disbursed_fen,
        disbursed_fen=hold.disbursed_fen - (hold.recalled_fen - hold.withdrawn_fen),
    )
