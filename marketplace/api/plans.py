"""Plans: what each tier costs and includes, version by version."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import plans as use_cases
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Amount, Answer, Body, Document, Fen, Idempotent, Instant, Moment, Name
from marketplace.doors.identity import working
from tenants.kernel.vocabulary import Tier

plans = noun("plans", "What the tiers cost and include.")


class PlanWish(Body):
    """A tier's next version, in force from a moment on (null: from now on)."""

    tier: Tier
    name: Name
    name_en: Name
    monthly_fee_fen: Fen
    yearly_fee_fen: Fen
    monthly_minimum_fen: Fen = 0
    vat_bp: Annotated[int, Field(strict=True)] = 600
    entitlements: Document = Field(
        description="offering_tiers, deliveries, offerings; included and limits: units per period by offering;"
        " priority 0 to 100; support: standard, priority or dedicated"
    )
    valid_from: Instant | None = None


class Plan(Answer):
    """A version of a tier's plan. Fees are of a whole month or year, VAT included."""

    id: UUID
    tier: Tier
    version: int
    name: str
    name_en: str
    monthly_fee_fen: Amount
    yearly_fee_fen: Amount
    monthly_minimum_fen: Amount = Field(description="What a month's charges come to at least, by the day")
    vat_bp: int
    offering_tiers: list[Tier]
    deliveries: list[str]
    offerings: list[str]
    included: dict[str, int]
    limits: dict[str, int]
    priority: int
    support: str
    valid_from: Moment

    @classmethod
    def of(cls, view: object) -> Plan:
        """Return the answer that shows ``view``, a PlanView."""
        assert isinstance(view, use_cases.PlanView)  # noqa: S101 - for the type checker
        given = view.entitlements
        own: dict[str, Any] = {
            name: value for name, value in vars(view).items() if name not in {"entitlements", "document"}
        }
        return cls(
            **own,
            offering_tiers=sorted(given.offering_tiers, key=lambda tier: tier.rank),
            deliveries=sorted(given.deliveries),
            offerings=sorted(given.offerings),
            included=dict(given.included),
            limits=dict(given.limits),
            priority=given.priority,
            support=given.support.value,
        )


class Plans(Answer):
    """Every version of every plan, the newest of each tier first."""

    items: list[Plan]
    next_cursor: str | None = None


@plans.get("/plans", **call(Plans))
def list_plans() -> Response:
    """List what the tiers cost and include, with every version."""
    with working() as work:
        return show(Plans(items=[Plan.of(each) for each in use_cases.list_plans(work)]))


@plans.post("/plans", **call(Plan, status=201))
def set_plan(body: PlanWish, header: Idempotent) -> Response:
    """Set a tier's next version; a version is never edited."""
    return command("plan.set", header, body, lambda work: Plan.of(use_cases.set_plan(work, **dict(body))), status=201)
