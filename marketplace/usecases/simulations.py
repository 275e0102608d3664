"""Trying a version of a programme on the orders of a past period, before anybody approves it.

A short period is worked out at once. A long one is a job: its figures come when they are ready, its progress before.
The replay reads in a transaction that cannot write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from billing.usecases import simulations as billing
from marketplace.store.past_orders import count_orders, lines_of_orders, orders_in
from marketplace.store.simulations import Simulation
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work, WorkShop, read_only
from tenants.usecases import audit, onboarding

MOST_AT_ONCE = 1_000
"""Orders that are tried while the asker waits: about a second."""
CLOSED = frozenset(("failed", "cancelled"))


@dataclass(frozen=True)
class SimulationView:
    """A simulation: what was asked for, how far it is, and its result as ``Tally.document`` gives it."""

    id: UUID
    programme_id: UUID
    version: int
    period_from: datetime
    period_to: datetime
    with_funds: bool
    status: str
    orders_total: int
    orders_done: int
    result: Mapping[str, Any] | None
    requested_by: UUID | None
    requested_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class FinishedView:
    """A simulation that is done, and the names of its parks by id."""

    simulation: SimulationView
    result: Mapping[str, Any]
    names: Mapping[str, str]


def simulate_version(
    work: Work, *, programme_id: UUID, version: int, from_: datetime, to: datetime, with_funds: bool = True
) -> SimulationView:
    """Try a version on the orders placed from ``from_`` until before ``to``, as if it had counted then.

    ``with_funds`` lets the funds run short as they did; without it, money is no limit. Raises Invalid for a period
    that is none or not over, NotFound for a version that does not exist.
    """
    work.actor.require(Permission.SIMULATE_PROGRAMME)
    _check_period(work.now, from_, to)
    total = count_orders(work.session, from_, to)
    row = Simulation(
        id=new_id(),
        programme_id=programme_id,
        version=version,
        period_from=from_,
        period_to=to,
        with_funds=with_funds,
        status="queued",
        orders_total=total,
        orders_done=0,
        result=None,
        requested_by=work.actor.user_id,
        requested_at=work.now,
        finished_at=None,
    )
    if total <= MOST_AT_ONCE:
        with read_only(work):
            row.result = _replayed(work, row)
        row.status, row.orders_done, row.finished_at = "done", total, work.now
    else:
        billing.check_version_exists(work, programme_id=programme_id, version=version)
        work.emit(Event("simulation.queued", None, {"simulation_id": str(row.id)}, Priority.BACKGROUND))
    work.session.add(row)
    work.session.flush()
    audit.record(work, "policy.simulate", "programme", programme_id, version=version, orders=total)
    return _view(row)


def run_simulation(workshop: WorkShop, actor: Actor, *, simulation_id: UUID) -> None:
    """Work a queued simulation out. Done once: a repeat finds it done; one that was cut off starts anew."""
    with workshop.work(actor) as work:
        work.actor.require(Permission.SIMULATE_PROGRAMME)
        row = _row(work, simulation_id)
        if row.status != "queued":
            return

    def told(done: int) -> None:
        _write(workshop, actor, simulation_id, orders_done=min(done, row.orders_total))

    with workshop.work(actor) as work, read_only(work):
        result = _replayed(work, row, told)
    _write(workshop, actor, simulation_id, result=result, status="done", orders_done=row.orders_total)


def read_simulation(work: Work, *, simulation_id: UUID) -> SimulationView:
    """Return a simulation as far as it is. Raises NotFound."""
    work.actor.require(Permission.SIMULATE_PROGRAMME)
    return _view(_row(work, simulation_id))


def read_finished(work: Work, *, simulation_id: UUID) -> FinishedView:
    """Return a finished simulation with its parks' names. Raises NotFound, and Conflict while it is worked out."""
    work.actor.require(Permission.SIMULATE_PROGRAMME)
    found = _view(_row(work, simulation_id))
    if found.result is None:
        raise Conflict("simulation.not_done", msg("试算尚未完成。请稍后再试。"))
    parks = [UUID(row["park_id"]) for row in found.result["by_park"]]
    names = onboarding.park_names(work, park_ids=parks)
    return FinishedView(found, found.result, {str(park): name for park, name in names.items()})


def list_simulations(work: Work, *, programme_id: UUID, version: int, limit: int = 20) -> tuple[SimulationView, ...]:
    """Return the simulations of a version, newest first."""
    work.actor.require(Permission.SIMULATE_PROGRAMME)
    query = select(Simulation).where(Simulation.programme_id == programme_id, Simulation.version == version)
    rows = work.session.execute(query.order_by(Simulation.requested_at.desc(), Simulation.id.desc()).limit(limit))
    return tuple(_view(row) for row in rows.scalars())


def _check_period(now: datetime, from_: datetime, to: datetime) -> None:
    if to <= from_:
        wrong = msg("结束时间须晚于开始时间。请改正时段。")
        raise Invalid("simulation.period", wrong, errors=[FieldError("to", "simulation.period", wrong)])
    if from_ >= now:
        wrong = msg("试算用的是已有订单，时段须已开始。请改为过去的时段。")
        raise Invalid("simulation.future", wrong, errors=[FieldError("from", "simulation.future", wrong)])


def _replayed(work: Work, row: Simulation, progress: Callable[[int], None] = lambda _done: None) -> dict[str, Any]:
    return billing.simulate(
        work,
        programme_id=row.programme_id,
        version=row.version,
        since=row.period_from,
        until=row.period_to,
        with_funds=row.with_funds,
        orders=_past(work, row.period_from, row.period_to),
        progress=progress,
    )


def _past(work: Work, since: datetime, until: datetime) -> Iterator[Sequence[billing.PastOrder]]:
    """Return the orders of a period in batches, with what their lines were really given."""
    for rows in orders_in(work.session, since, until):
        lines: dict[UUID, list[billing.PastLine]] = {}
        ends = {row.id: row.closed_at for row in rows}
        for line in lines_of_orders(work.session, rows):
            closed_at = ends[line.order_id] if line.status in CLOSED else None
            past = billing.PastLine(line.id, line.offering, line.gross_fen, line.vat_bp, line.awards, closed_at)
            lines.setdefault(line.order_id, []).append(past)
        yield [
            billing.PastOrder(row.id, row.tenant_id, row.quote_id, row.placed_at, tuple(lines[row.id])) for row in rows
        ]


def _write(workshop: WorkShop, actor: Actor, simulation_id: UUID, **values: Any) -> None:
    """Note how far a simulation is in a transaction of its own; one that is done stays as it is."""
    with workshop.work(actor) as work:
        finished = {"finished_at": work.now} if "result" in values else {}
        still = (Simulation.id == simulation_id, Simulation.status == "queued")
        work.session.execute(update(Simulation).where(*still).values(**values, **finished))


def _row(work: Work, simulation_id: UUID) -> Simulation:
    row = work.session.get(Simulation, simulation_id)
    if row is None:
        raise NotFound("simulation.not_found", msg("没有找到该次试算。请从政策版本页重新打开。"))
    return row


def _view(row: Simulation) -> SimulationView:
    return SimulationView(**{name: getattr(row, name) for name in SimulationView.__dataclass_fields__})
