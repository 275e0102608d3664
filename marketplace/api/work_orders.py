"""Work orders: what was found at a site, who looks after it, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Paged
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from marketplace.usecases import monitoring as use_cases
from services.usecases import work_orders as orders

work_orders = noun("work-orders", "What was found at sites, and who looks after it.")

Line = Annotated[str, Field(max_length=500)]


class WorkOrderStep(Answer):
    """A step of a work order."""

    number: int
    kind: str
    person: UUID | None
    note: str
    at: Moment


class WorkOrderRow(Answer):
    """A work order. ``excess`` is in the meter's unit, ``share_bp`` over the expected use.

    A sudden deviation, found within hours, has ``surge_from`` and ``surge_found``; one found over days has neither.
    """

    id: UUID
    park_id: UUID
    number: str
    site_id: UUID
    site_name: str
    meter_id: UUID
    meter_name: str
    unit: str
    direction: str
    cause: str
    cause_text: str
    advice: list[str]
    first_day: date
    found_day: date
    surge_from: Moment | None
    surge_found: Moment | None
    excess: float
    share_bp: int
    status: str
    found_at: Moment
    respond_by: Moment
    level: int
    holder: UUID | None
    accepted_at: Moment | None
    closed_at: Moment | None
    outcome: str | None
    saving: Mapping[str, Any] | None = Field(description="saved ± uncertainty over days, in the meter's unit")
    verified_at: Moment | None

    @classmethod
    def of(cls, view: object) -> WorkOrderRow:
        """Return the answer that shows ``view``, a WorkOrderView."""
        assert isinstance(view, orders.WorkOrderView)  # noqa: S101 - for the type checker
        language = reader_language()
        given = {name: value for name, value in vars(view).items() if name in cls.model_fields}
        return cls(
            **given
            | {
                "cause": view.cause.code,
                "cause_text": translate(view.cause.text, language),
                "advice": [translate(each, language) for each in view.cause.advice],
                "excess": float(view.excess),
                "surge_from": view.surge_from,
                "surge_found": view.surge_found,
            }
        )


class WorkOrders(Answer):
    """Work orders, the newest first, a part of the list."""

    items: list[WorkOrderRow]
    next_cursor: str | None


class WorkOrderSteps(Answer):
    """The steps of a work order, first to last."""

    items: list[WorkOrderStep]
    next_cursor: str | None = None


class OrdersQuery(Paged):
    """Which work orders or alarms."""

    site_id: UUID | None = None
    open: bool = Field(False, description="Only those that nobody has closed, or acknowledged")


class NoteBody(Body):
    """What there is to say."""

    note: Line = ""


class HandOverBody(NoteBody):
    """Who takes it over."""

    person: UUID


class CloseBody(Body):
    """How a work order ended."""

    outcome: Literal["fixed", "no_fault", "accepted_change"]
    note: Line


@work_orders.get("/work-orders", **call(WorkOrders))
def list_work_orders(query: OrdersQuery) -> Response:
    """List work orders."""
    with working() as work:
        page = orders.list_orders(
            work, site_id=query.site_id, open_only=query.open, limit=query.limit, cursor=query.cursor
        )
        return show(WorkOrders(items=[WorkOrderRow.of(each) for each in page.items], next_cursor=page.next_cursor))


@work_orders.get("/work-orders/<id>", **call(WorkOrderRow))
def read_work_order(path: ById) -> Response:
    """Read a work order."""
    return read(WorkOrderRow, lambda work: orders.read(work, work_order_id=path.id))


@work_orders.get("/work-orders/<id>/steps", **call(WorkOrderSteps))
def list_work_order_steps(path: ById) -> Response:
    """List what was done about a work order."""
    with working() as work:
        found = orders.read_steps(work, work_order_id=path.id)
        return show(WorkOrderSteps(items=[WorkOrderStep.of(each) for each in found]))


@work_orders.post("/work-orders/<id>/acceptance", **call(WorkOrderRow))
def accept_work_order(path: ById, body: NoteBody, header: Idempotent) -> Response:
    """Answer a work order: the clock stops."""
    return _change(
        "accept", path, body, header, lambda work: orders.accept(work, work_order_id=path.id, note=body.note)
    )


@work_orders.post("/work-orders/<id>/hand-over", **call(WorkOrderRow))
def hand_work_order_over(path: ById, body: HandOverBody, header: Idempotent) -> Response:
    """Give a work order to a colleague."""
    return _change(
        "hand_over",
        path,
        body,
        header,
        lambda work: use_cases.hand_over(work, work_order_id=path.id, person=body.person, note=body.note),
    )


@work_orders.post("/work-orders/<id>/notes", **call(WorkOrderRow))
def note_work_order(path: ById, body: NoteBody, header: Idempotent) -> Response:
    """Write down what was done or found."""
    return _change(
        "note", path, body, header, lambda work: orders.add_note(work, work_order_id=path.id, note=body.note)
    )


@work_orders.post("/work-orders/<id>/closing", **call(WorkOrderRow))
def close_work_order(path: ById, body: CloseBody, header: Idempotent) -> Response:
    """End a work order. The saving of a fixed one is measured two weeks later."""
    return _change(
        "close",
        path,
        body,
        header,
        lambda work: orders.close(work, work_order_id=path.id, outcome=body.outcome, note=body.note),
    )


def _change(name: str, path: ById, body: Body, header: Idempotent, do: Any) -> Response:
    return command(
        f"work_order.{name}",
        header,
        body,
        lambda work: WorkOrderRow.of(do(work)),
        about={"work_order": str(path.id)},
    )
