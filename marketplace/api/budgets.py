"""Budgets and quotas: limits on a park's orders, counted before an order is accepted."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.budgets import DEFAULT_SHARES_BP, BudgetMeasure, BudgetPeriod, BudgetScope
from billing.usecases import budgets as use_cases
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import LARGEST_FEN, Answer, Body, ById, Idempotent, Moment, PathParameters
from marketplace.doors.identity import working

budgets = noun("budgets", "Limits on a park's orders.")

Share = Annotated[int, Field(strict=True, ge=1, le=20_000)]


class NewBudget(Body):
    """A limit: fen for amounts, units for ``quantity``. ``key`` is the offering's slug or the person's id."""

    limit: Annotated[int, Field(strict=True, ge=0, le=LARGEST_FEN)]
    scope: BudgetScope = BudgetScope.PARK
    key: Annotated[str, Field(max_length=64)] = ""
    measure: BudgetMeasure = BudgetMeasure.PAYABLE_FEN
    period: BudgetPeriod = BudgetPeriod.MONTH
    hard_stop: Annotated[bool, Field(description="Refuse an order that would pass the limit, instead of warning")] = (
        True
    )
    shares_bp: Annotated[
        tuple[Share, ...], Field(max_length=10, description="Shares of the limit the park is told of")
    ] = DEFAULT_SHARES_BP


class Budget(Answer):
    """A limit and what of it is used in the running period ``label``; ``imposed`` by the platform."""

    id: UUID
    scope: str
    key: str
    measure: str
    period: str
    label: str
    limit: int
    used: int
    hard_stop: bool
    shares_bp: list[int]
    imposed: bool
    set_at: Moment


class Budgets(Answer):
    """The limits that run."""

    items: list[Budget]
    next_cursor: str | None = None


class ParkBudgetPath(PathParameters):
    """A limit of a park."""

    id: UUID
    budget_id: UUID


@budgets.get("/budgets", **call(Budgets))
def list_budgets() -> Response:
    """List the limits on the acting park's orders."""
    with working() as work:
        return show(Budgets(items=[Budget.of(each) for each in use_cases.list_budgets(work)]))


@budgets.post("/budgets", **call(Budget, status=201))
def set_budget(body: NewBudget, header: Idempotent) -> Response:
    """Set a limit on the acting park's orders; it replaces one of its sort."""
    return command(
        "budget.set", header, body, lambda work: Budget.of(use_cases.set_budget(work, **body.model_dump())), status=201
    )


@budgets.delete("/budgets/<id>", **call(status=204))
def end_budget(path: ById) -> Response:
    """End a limit that the park has set."""
    with working() as work:
        use_cases.end_budget(work, budget_id=path.id)
    return Response(status=204)


@budgets.get("/parks/<id>/budgets", **call(Budgets))
def list_park_budgets(path: ById) -> Response:
    """List the limits on a park's orders."""
    with working() as work:
        return show(Budgets(items=[Budget.of(each) for each in use_cases.list_budgets(work, park_id=path.id)]))


@budgets.post("/parks/<id>/budgets", **call(Budget, status=201))
def impose_budget(path: ById, body: NewBudget, header: Idempotent) -> Response:
    """Set a quota for a park, which it sees and cannot end."""
    return command(
        "budget.set",
        header,
        body,
        lambda work: Budget.of(use_cases.set_budget(work, park_id=path.id, **body.model_dump())),
        status=201,
        about={"park": str(path.id)},
    )


@budgets.delete("/parks/<id>/budgets/<budget_id>", **call(status=204))
def end_park_budget(path: ParkBudgetPath) -> Response:
    """End a limit of a park."""
    with working() as work:
        use_cases.end_budget(work, budget_id=path.budget_id, park_id=path.id)
    return Response(status=204)
