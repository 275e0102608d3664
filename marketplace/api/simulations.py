"""Policy versions tried on past orders: what they would have cost, and who would have gained and lost."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Instant, Moment
from marketplace.api.programmes import VersionPath
from marketplace.doors.identity import working
from marketplace.doors.simulation_files import simulation_csv
from marketplace.usecases import simulations as use_cases

simulations = noun("simulations", "Policy versions tried on past orders.")


class NewSimulation(Body):
    """The period whose orders are tried, and whether funds run short as they did."""

    from_: Instant = Field(alias="from")
    to: Instant
    with_funds: bool = Field(True, description="false: money is no limit")


class SimulationSums(Answer):
    """Public money before and after: of the programme, and of all programmes together (``all_``)."""

    orders: int
    before_fen: Amount
    after_fen: Amount
    all_before_fen: Amount
    all_after_fen: Amount
    change_fen: int = Field(description="Fen that parks get more from all programmes; negative: less")


class FundBurn(Answer):
    """What a fund gave in a month, and would have given."""

    fund: str
    before_fen: Amount
    after_fen: Amount


class MonthSums(SimulationSums):
    """A month."""

    month: str
    funds: list[FundBurn]


class GroupSums(SimulationSums):
    """The parks of a size or class of region."""

    key: str
    parks: int
    gaining: int
    losing: int


class Groups(Answer):
    """The parks by class of region and by size."""

    region_class: list[GroupSums]
    park_size: list[GroupSums]


class ReasonCount(Answer):
    """On how many lines the programme named a reason."""

    reason: str
    before: int
    after: int


class ParkSums(SimulationSums):
    """A park."""

    park_id: UUID
    region: str
    region_class: str
    park_size: str


class SimulationResult(SimulationSums):
    """What the version would have changed. Parks come with the greatest gain first."""

    lines: int
    gross_fen: Amount
    parks: int
    gaining: int
    losing: int
    by_month: list[MonthSums]
    by_group: Groups
    reasons: list[ReasonCount]
    by_park: list[ParkSums]


class Simulation(Answer):
    """A simulation; ``result`` is there once its status is ``done``."""

    id: UUID
    programme_id: UUID
    version: int
    period_from: Moment
    period_to: Moment
    with_funds: bool
    status: str
    orders_total: int
    orders_done: int
    result: SimulationResult | None
    requested_by: UUID | None
    requested_at: Moment
    finished_at: Moment | None


class Simulations(Answer):
    """Simulations of a version, newest first."""

    items: list[Simulation]
    next_cursor: str | None = None


@simulations.post("/programmes/<id>/versions/<version>/simulate", **call(Simulation))
def simulate_version(path: VersionPath, body: NewSimulation, header: Idempotent) -> Response:
    """Try a version on a period's orders: at once for a short period, as a job for a long one (status ``queued``)."""
    return command(
        "policy.simulate",
        header,
        body,
        lambda work: Simulation.of(
            use_cases.simulate_version(
                work,
                programme_id=path.id,
                version=path.version,
                from_=body.from_,
                to=body.to,
                with_funds=body.with_funds,
            )
        ),
        about=path.about(),
    )


@simulations.get("/programmes/<id>/versions/<version>/simulations", **call(Simulations))
def list_simulations(path: VersionPath) -> Response:
    """List the simulations of a version."""
    with working() as work:
        found = use_cases.list_simulations(work, programme_id=path.id, version=path.version)
        return show(Simulations(items=[Simulation.of(each) for each in found]))


@simulations.get("/simulations/<id>", **call(Simulation))
def read_simulation(path: ById) -> Response:
    """Read a simulation as far as it is."""
    return read(Simulation, lambda work: use_cases.read_simulation(work, simulation_id=path.id))


@simulations.get("/simulations/<id>/parks.csv", **call(files=["text/csv"]))
def export_simulation(path: ById) -> Response:
    """Export what each park gains and loses."""
    with working() as work:
        found = use_cases.read_finished(work, simulation_id=path.id)
    return simulation_csv(found)
