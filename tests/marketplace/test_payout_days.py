"""How long the province takes to pay: from the claim batch to the bank, over real claims."""

from datetime import UTC, datetime, timedelta

from marketplace.rules.statistics import GroupBy
from marketplace.usecases.statistics import read_statistics
from tenants.kernel.clock import ManualClock
from tenants.kernel.work import WorkShop
from tests.support.billing_world import make_world
from tests.support.claims import FINANCE, claimed


def test_days_are_counted_from_the_submission_to_the_banks_day(workshop: WorkShop, clock: ManualClock) -> None:
    story = claimed(make_world(workshop, clock))
    submitted = clock.instant.date()
    story.after_notice()
    clock.advance(timedelta(days=3))
    (payout,) = story.prepare()
    paid_on = clock.instant.date()
    story.pay(payout.id, "P-1", on=paid_on)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with workshop.work(FINANCE) as work:
        found = read_statistics(
            work, from_=start, to=start + timedelta(days=365), group_by=[GroupBy.PROGRAMME, GroupBy.SERVICE]
        )
        before = read_statistics(work, from_=start, to=clock.now() - timedelta(days=1), group_by=[GroupBy.SERVICE])
    days = (paid_on - submitted).days
    assert days >= 8
    assert (found.total.paid_lines, found.total.paid_fen, found.total.payout_days) == (2, 12_000_00, days)
    assert [(each.key, each.paid_fen) for each in found.groups[GroupBy.PROGRAMME]] == [("tech", 12_000_00)]
    assert [(each.key, each.payout_days) for each in found.groups[GroupBy.SERVICE]] == [("twin", days)]
    assert before.total.payout_days is None
