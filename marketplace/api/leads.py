"""Leads: the companies that were listed to a park, claiming one for itself, and companies that want no contact."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Paged, Parameters
from marketplace.doors.identity import working
from services.rules.lead_allocation import ClaimStage, LeadStatus
from services.rules.lead_outcomes import LostReason, Outcome
from services.usecases import lead_claims, lead_contacts, lead_outcomes, lead_suppressions
from services.usecases.company_withdrawals import withdrawn_since

leads = noun("leads", "Companies listed to a park, and who has claimed them.")

Uscc = Annotated[str, Field(pattern=r"^[0-9A-Z]{18}$", description="Unified social credit code (GB 32100)")]


class ByUscc(Parameters):
    """Which company."""

    uscc: Uscc


class LeadsQuery(Parameters):
    """Of which list; without it of all, in pages."""

    run_id: UUID | None = None
    limit: int = Field(lead_claims.MOST_SHOWN, ge=1, le=lead_claims.MOST_SHOWN)
    cursor: str | None = Field(None, max_length=500, description="next_cursor of the part before")


class WithdrawnSource(Answer):
    """A source of the registry that was withdrawn after it was used: its name, why, and when."""

    name: str
    reason: str
    withdrawn_at: Moment


class ListedLead(Answer):
    """A company that was listed to the park. ``lease_ends_at``: until when it is the park's alone.

    ``outcome`` is what the park has recorded last; null before it has, and after it took that back.
    """

    uscc: str
    name: str
    listed_at: Moment
    status: LeadStatus
    lease_ends_at: Moment | None
    outcome: Outcome | None
    lost_reason: LostReason | None
    outcome_at: Moment | None
    contact: str | None = Field(description="The company's switchboard, masked")
    withdrawn: WithdrawnSource | None = Field(description="The source that a list had it from, if withdrawn since")


class ListedLeads(Answer):
    """Companies: of one list in its order, otherwise the newest list first; a thousand at most, then ``next_cursor`` goes on.

    ``withdrawn``: of one list, the sources that it stands on and that were withdrawn since.
    """

    items: list[ListedLead]
    next_cursor: str | None
    withdrawn: list[WithdrawnSource]


class LeadStep(Body):
    """How far it is. ``released`` and ``lost`` free the company for other parks at once."""

    stage: ClaimStage


class OutcomeRecord(Body):
    """What came of a company. ``reason`` goes with ``lost`` and with nothing else; ``withdrawn`` takes the last record back."""

    outcome: Outcome
    reason: LostReason | None = None


class LeadOutcome(Answer):
    """A record, with what the park had been shown: the newest list that named the company, its place and score there.

    ``model`` is the card of what ranked that list; null where expansions and distance alone did.
    """

    number: int
    outcome: Outcome
    reason: LostReason | None
    recorded_by: UUID
    recorded_at: Moment
    run_id: UUID | None
    position: int | None
    explored: bool | None
    score: Decimal | None
    model: dict[str, Any] | None


class LeadOutcomes(Answer):
    """Records, the newest first; it counts, and the others stay."""

    items: list[LeadOutcome]


class SuppressionWish(Body):
    """A company that asked not to be contacted."""

    uscc: Uscc
    asked_on: date
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Suppression(Answer):
    """A company's wish; ``name`` is null where the registry does not know it."""

    id: UUID
    uscc: str
    name: str | None
    asked_on: date
    reason: str
    recorded_by: UUID
    recorded_at: Moment
    lifted_at: Moment | None


class Suppressions(Answer):
    """Wishes, the newest first, lifted ones too."""

    items: list[Suppression]


class ShownContact(Answer):
    """A company's number, as of when the registry has it, and how many of the day's numbers the park was shown."""

    uscc: str
    name: str
    number: str
    as_of: date
    shown_today: int
    per_day: int


class ContactShowing(Answer):
    """That a park was shown a company's number: who saw it first that day, when, and on which claim."""

    id: UUID
    park_id: UUID
    uscc: str
    name: str
    claim_id: UUID
    day: date
    shown_by: UUID
    shown_at: Moment


class ContactShowings(Answer):
    """Showings, the newest first."""

    items: list[ContactShowing]
    next_cursor: str | None


class ContactLimit(Answer):
    """How many numbers a park may be shown a day; ``set_by`` is null where nobody has set it."""

    per_day: int
    set_by: UUID | None
    set_at: Moment | None


class ContactLimitWish(Body):
    """How many numbers a park may be shown a day; 0 shows none."""

    per_day: Annotated[int, Field(ge=0, le=1000)]


@leads.get("/leads", **call(ListedLeads))
def list_leads(query: LeadsQuery) -> Response:
    """List the companies that were listed to the park, and where each stands."""
    with working() as work:
        found = lead_claims.page_leads(
            work,
            run_id=query.run_id,
            limit=query.limit if query.run_id is None else lead_claims.MOST_SHOWN,
            cursor=query.cursor if query.run_id is None else None,
        )
        gone = [] if query.run_id is None else withdrawn_since(work, run_id=query.run_id)
        return show(
            ListedLeads(
                items=[ListedLead.of(each) for each in found.items],
                next_cursor=found.next_cursor,
                withdrawn=[WithdrawnSource.of(each) for each in gone],
            )
        )


@leads.post("/leads/<uscc>/claim", **call(ListedLead))
def claim_lead(path: ByUscc, header: Idempotent) -> Response:
    """Claim a company for the park alone, for 30 days; one that it has already stays as it is."""
    return command(
        "leads.claim",
        header,
        None,
        lambda work: ListedLead.of(lead_claims.claim_lead(work, uscc=path.uscc)),
        about={"uscc": path.uscc},
    )


@leads.post("/leads/<uscc>/stage", **call(ListedLead))
def move_lead(path: ByUscc, body: LeadStep, header: Idempotent) -> Response:
    """Say how far a claimed company is."""
    return command(
        "leads.move",
        header,
        body,
        lambda work: ListedLead.of(lead_claims.move_lead(work, uscc=path.uscc, stage=body.stage)),
        about={"uscc": path.uscc},
    )


@leads.post("/leads/<uscc>/outcomes", **call(ListedLead))
def record_outcome(path: ByUscc, body: OutcomeRecord, header: Idempotent) -> Response:
    """Record what came of a company, claimed or not; a further record corrects a wrong one, and none is ever removed."""
    return command(
        "leads.outcome",
        header,
        body,
        lambda work: ListedLead.of(
            lead_claims.record_outcome(work, uscc=path.uscc, outcome=body.outcome, reason=body.reason)
        ),
        about={"uscc": path.uscc},
    )


@leads.get("/leads/<uscc>/outcomes", **call(LeadOutcomes))
def list_outcomes(path: ByUscc) -> Response:
    """List what the park has recorded of a company, corrected records too."""
    with working() as work:
        found = lead_outcomes.list_outcomes(work, uscc=path.uscc)
        return show(LeadOutcomes(items=[LeadOutcome.of(each) for each in found]))


@leads.post("/leads/<uscc>/contact", **call(ShownContact))
def show_lead_contact(path: ByUscc) -> Response:
    """Show the switchboard of a company that the park has claimed; who saw it is noted, and the day's are limited.

    The same company on the same claim counts once a day. The answer is kept nowhere, so there is no key for it.
    """
    return read(ShownContact, lambda work: lead_contacts.show_contact(work, uscc=path.uscc))


@leads.get("/lead-contacts", **call(ContactShowings))
def list_lead_contacts(query: Paged) -> Response:
    """List which numbers were shown: to the park, for operators to all parks."""
    return read(ContactShowings, lambda work: lead_contacts.list_showings(work, limit=query.limit, cursor=query.cursor))


@leads.get("/lead-contact-limit", **call(ContactLimit))
def read_lead_contact_limit() -> Response:
    """Read how many numbers a park may be shown a day."""
    return read(ContactLimit, lead_contacts.read_contact_limit)


@leads.post("/lead-contact-limit", **call(ContactLimit))
def set_lead_contact_limit(body: ContactLimitWish, header: Idempotent) -> Response:
    """Set how many numbers a park may be shown a day (operators)."""
    return command(
        "leads.set_contact_limit",
        header,
        body,
        lambda work: ContactLimit.of(lead_contacts.set_contact_limit(work, per_day=body.per_day)),
    )


@leads.get("/lead-suppressions", **call(Suppressions))
def list_lead_suppressions() -> Response:
    """List the companies that asked not to be contacted (operators)."""
    with working() as work:
        found = lead_suppressions.list_suppressions(work)
        return show(Suppressions(items=[Suppression.of(each) for each in found]))


@leads.post("/lead-suppressions", **call(Suppression, status=201))
def suppress_company(body: SuppressionWish, header: Idempotent) -> Response:
    """Note that a company wants no contact: no list names it from now on, and a running claim ends (operators)."""
    return command(
        "leads.suppress",
        header,
        body,
        lambda work: Suppression.of(
            lead_suppressions.suppress_company(work, uscc=body.uscc, asked_on=body.asked_on, reason=body.reason)
        ),
        status=201,
    )


@leads.post("/lead-suppressions/<id>/lift", **call(Suppression))
def lift_suppression(path: ById, header: Idempotent) -> Response:
    """Let a company be listed again (operators)."""
    return command(
        "leads.lift_suppression",
        header,
        None,
        lambda work: Suppression.of(lead_suppressions.lift_suppression(work, suppression_id=path.id)),
        about={"id": str(path.id)},
    )
