"""A park's own subsidies: how much of its ceilings is left, what it was given, and for which orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.usecases import programmes
from billing.usecases.park_aid import AidHold, ProgrammeAid, ProgrammeCeilings, read_park_aid
from marketplace.store.order_queries import LinePlace, places_of_lines
from marketplace.usecases.order_facts import park_facts
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


@dataclass(frozen=True)
class SubsidyRow:
    """One reservation of public money and the order it was for; None for one that no order line stands behind."""

    hold: AidHold
    order: LinePlace | None


@dataclass(frozen=True)
class MySubsidies:
    """The acting park's subsidies. ``names`` are the programmes' names by slug, in Chinese and English."""

    ceilings: tuple[ProgrammeCeilings, ...]
    programmes: tuple[ProgrammeAid, ...]
    history: tuple[SubsidyRow, ...]
    names: dict[str, tuple[str, str]]

    @property
    def held_fen(self) -> int:
        """What is reserved for services not delivered yet."""
        return sum(each.held_fen for each in self.programmes)

    @property
    def captured_fen(self) -> int:
        """What paid for delivered services."""
        return sum(each.captured_fen for each in self.programmes)

    @property
    def paid_fen(self) -> int:
        """What the funds have paid out of it."""
        return sum(each.paid_fen for each in self.programmes)


def read_my_subsidies(work: Work, *, from_: datetime, to: datetime) -> MySubsidies:
    """Return the acting park's ceilings now, and its subsidies reserved from ``from_`` until just before ``to``."""
    work.actor.require(Permission.READ_USAGE)
    tenant_id: UUID = work.actor.require_tenant()
    park = onboarding.read_park(work, park_id=tenant_id)
    aid = read_park_aid(work, facts=park_facts(park), from_=from_, to=to)
    places = places_of_lines(work.session, tenant_id, {hold.order_line_id for hold in aid.holds})
    return MySubsidies(
        ceilings=aid.ceilings,
        programmes=aid.programmes,
        history=tuple(SubsidyRow(hold, places.get(hold.order_line_id)) for hold in aid.holds),
        names={each.slug: (each.name, each.name_en) for each in programmes.list_programmes(work)},
    )
