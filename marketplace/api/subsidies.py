"""A park's own subsidies: what is left of its ceilings, what it was given, and for which orders."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, show
from marketplace.api.explanations import Ceiling
from marketplace.api.fields import Amount, Answer, Instant, Moment, Parameters
from marketplace.doors.identity import working
from marketplace.usecases import subsidies as use_cases

subsidies = noun("subsidies", "A park's own subsidies.")


class SubsidiesQuestion(Parameters):
    """Over which period."""

    from_: Instant = Field(alias="from")
    to: Instant


class ProgrammeCeilings(Answer):
    """A programme in force, and the park's and its controller's ceilings in it, as of now."""

    programme: str
    name: str
    name_en: str
    ceilings: list[Ceiling]


class ProgrammeAid(Answer):
    """What a programme gave in the period."""

    programme: str
    lines: int
    reserved_fen: Amount
    held_fen: Amount
    captured_fen: Amount = Field(description="Spent on delivered services, less what came back")
    paid_fen: Amount = Field(description="Paid out by the fund")


class Grant(Answer):
    """One reservation of public money for one order line, and what became of it."""

    id: UUID
    order_id: UUID | None
    order_number: str | None
    title: str | None
    programme: str
    version: int
    fund: str
    amount_fen: Amount
    captured_fen: Amount
    paid_fen: Amount
    status: str
    created_at: Moment
    settled_at: Moment | None

    @classmethod
    def of(cls, view: object) -> Grant:
        """Return the answer that shows ``view``, a SubsidyRow."""
        assert isinstance(view, use_cases.SubsidyRow)  # noqa: S101 - for the type checker
        return cls(
            **{name: value for name, value in vars(view.hold).items() if name in cls.model_fields},
            order_id=view.order.order_id if view.order else None,
            order_number=view.order.number if view.order else None,
            title=view.order.title if view.order else None,
        )


class Subsidies(Answer):
    """The park's ceilings, sums by programme, and its newest grants."""

    ceilings: list[ProgrammeCeilings]
    programmes: list[ProgrammeAid]
    items: list[Grant]
    next_cursor: str | None = None


@subsidies.get("/subsidies", **call(Subsidies))
def read_subsidies(query: SubsidiesQuestion) -> Response:
    """Show the calling park's subsidies."""
    with working() as work:
        found = use_cases.read_my_subsidies(work, from_=query.from_, to=query.to)
    return show(
        Subsidies(
            ceilings=[ProgrammeCeilings.of(each) for each in found.ceilings],
            programmes=[ProgrammeAid.of(each) for each in found.programmes],
            items=[Grant.of(each) for each in found.history],
        )
    )
