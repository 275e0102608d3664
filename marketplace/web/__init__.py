"""The pages, one file per page group. ``register`` adds them all to the web application."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Flask

from marketplace.doors.faults import FaultPages, show_pages_with
from marketplace.web import (
    account,
    adjustments,
    aid,
    books,
    budgets,
    calendar_feeds,
    carbon,
    carbon_certificates,
    carbon_hours,
    carbon_ledger,
    carbon_paths,
    catalogue,
    claims,
    clawbacks,
    company_imports,
    credit_notes,
    dashboard,
    discounts,
    drafts,
    e_invoices,
    entitlements,
    events,
    exemptions,
    factors,
    fault_pages,
    fund_life,
    fund_register,
    fund_transfers,
    funds,
    home,
    instruments,
    invoice_batches,
    invoice_runs,
    invoices,
    issuers,
    joint,
    joint_agreements,
    joint_hours,
    keys,
    ledger,
    matching,
    measures,
    meter_charges,
    meters,
    monitoring,
    notices,
    ordering,
    orders,
    park_file,
    parks,
    plans,
    prechecks,
    prices,
    programmes,
    provider,
    reference_tables,
    runs,
    samples,
    site_alarms,
    sites,
    standing,
    subscription,
    subsidies,
    traces,
    usage,
    work_orders,
)
from marketplace.web.pages import guard_forms
from marketplace.web.rendering import dress

if TYPE_CHECKING:
    from marketplace.composition import Marketplace

SESSION_LIFE = timedelta(hours=12)
GROUPS = (
    account.pages,
    prechecks.pages,
    joint.pages,
    joint_agreements.pages,
    joint_hours.pages,
    matching.pages,
    measures.pages,
    home.pages,
    dashboard.pages,
    subscription.pages,
    catalogue.pages,
    prices.pages,
    plans.pages,
    ordering.pages,
    park_file.pages,
    sites.pages,
    monitoring.pages,
    work_orders.pages,
    site_alarms.pages,
    orders.pages,
    runs.pages,
    samples.pages,
    clawbacks.pages,
    entitlements.pages,
    invoice_runs.pages,
    adjustments.pages,
    discounts.pages,
    credit_notes.pages,
    invoices.pages,
    invoice_batches.pages,
    issuers.pages,
    e_invoices.pages,
    subsidies.pages,
    usage.pages,
    events.pages,
    meters.pages,
    meter_charges.pages,
    budgets.pages,
    traces.pages,
    carbon.pages,
    carbon_ledger.pages,
    carbon_hours.pages,
    carbon_certificates.pages,
    carbon_paths.pages,
    factors.pages,
    reference_tables.pages,
    company_imports.pages,
    calendar_feeds.pages,
    keys.pages,
    parks.pages,
    standing.pages,
    aid.pages,
    funds.pages,
    fund_transfers.pages,
    fund_register.pages,
    fund_life.pages,
    programmes.pages,
    exemptions.pages,
    drafts.pages,
    books.pages,
    claims.pages,
    notices.pages,
    ledger.pages,
    provider.pages,
    instruments.pages,
)
"""Every page group."""


def register(app: Flask, market: Marketplace) -> None:
    """Add the pages to ``app``: sessions, forms that cannot be forged, error pages and every page group."""
    app.config.update(
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=not market.settings.is_demo,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFE,
    )
    guard_forms(app)
    dress(app)
    show_pages_with(app, FaultPages(meet=fault_pages.meet, render=fault_pages.render))
    for group in GROUPS:
        app.register_blueprint(group)
