"""Hours that a closed year of a joint facility hands over: put on the accounts of the next one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from billing.rules.joint_true_ups import carried_openings
from billing.store import joint_true_ups as store
from billing.store import joint_uses
from billing.store.joint_agreements import JointAgreement
from billing.usecases.joint_years import account_rows, year_at
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


def carry_into_version(work: Work, row: JointAgreement) -> None:
    """Put what the year before handed over on the accounts of a version that was registered after it was closed."""
    year = row.valid_from.year
    first = store.first_version(work.session, row.series_id, year)
    carried = store.carried_out_of(work.session, row.series_id, year - 1)
    if carried and first is not None and first.id == row.id:
        carry_on(work, row.series_id, year, carried)


def carry_on(work: Work, series_id: UUID, year: int, carried: Mapping[UUID, int]) -> None:
    """Give a year's accounts what was carried over into it; nothing where no version covers it yet.

    Raises Conflict where the year is closed, or the hours that go back were used already.
    """
    row = store.first_version(work.session, series_id, year)
    if row is None:
        return
    found = year_at(work, row.id, year, lock=True)
    before = {each.opening.park_id: each.opening.carried_minutes for each in found.accounts}
    if found.is_closed:
        if {park: minutes for park, minutes in before.items() if minutes} == dict(carried):
            return
        wrong = msg("{year} 年已关账，不能再改变其结转机时。请先冲回 {year} 年的结算。", year=str(year))
        raise Conflict("joint.next_closed", wrong)
    openings = carried_openings(found.terms, found.parties, found.part, found.accounts, carried)
    if openings is None:
        raise Conflict("joint.carried_used", msg("结转到下一年的机时已被使用，不能收回。请先更正下一年的使用。"))
    joint_uses.refit_accounts(work.session, account_rows(row, found.part, openings))


def reaches_year_end(ends: date, year: int) -> bool:
    """Tell whether a version's part of a year is its last: what is left of it is carried into the next year."""
    return ends == date(year + 1, 1, 1)
