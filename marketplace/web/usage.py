"""What a park used this year, and its wallet."""

from __future__ import annotations

from flask import Response

from billing.usecases import wallets
from marketplace.web.charts import spend_chart
from marketplace.web.pages import page_group, page_work
from marketplace.web.rendering import show
from marketplace.web.spending import months_of_year, spent_by
from services.usecases import catalogue
from tenants.kernel.vocabulary import Permission
from tenants.usecases import onboarding

pages = page_group("usage")


@pages.get("/usage")
def usage() -> Response:
    """Show the year's use by month and by service, and the wallet."""
    with page_work() as work:
        park = onboarding.read_park(work, park_id=work.actor.require_tenant())
        by_month = spent_by(work, "month")
        by_offering = spent_by(work, "offering")
        offerings = {each.slug: each for each in catalogue.list_offerings(work)}
        wallet = wallets.read_wallet(work, park_id=park.id) if work.actor.may(Permission.READ_WALLET) else None
        months = months_of_year(work.now)
    chart = spend_chart(
        months,
        [by_month[month].subsidy_fen if month in by_month else 0 for month in months],
        [by_month[month].payable_fen if month in by_month else 0 for month in months],
    )
    return show(
        "usage.html",
        park=park,
        by_month=by_month,
        by_offering=by_offering,
        offerings=offerings,
        wallet=wallet,
        chart=chart,
    )
