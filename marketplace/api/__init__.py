"""The JSON API, one file per noun: parse, call one use case, show."""

from __future__ import annotations

from importlib import import_module

from flask_openapi3.openapi import OpenAPI

NOUNS = (
    "oauth",
    "parks",
    "control_groups",
    "credit_blocks",
    "aid_registers",
    "subscriptions",
    "plans",
    "api_keys",
    "offerings",
    "prices",
    "prechecks",
    "measures",
    "cost_sharing",
    "joint_agreements",
    "joint_hours",
    "joint_true_ups",
    "briefs",
    "leads",
    "lead_models",
    "reference_tables",
    "company_imports",
    "twin_estimates",
    "twin_models",
    "quotes",
    "orders",
    "clawbacks",
    "runs",
    "artefacts",
    "bookings",
    "rebooking",
    "instruments",
    "attendance",
    "suspensions",
    "quotas",
    "workdays",
    "calendar_feeds",
    "samples",
    "sites",
    "carbon_records",
    "carbon_metering",
    "certificates",
    "carbon_reports",
    "factor_editions",
    "site_meters",
    "monitoring",
    "events",
    "meters",
    "meter_charges",
    "usage",
    "traces",
    "wallets",
    "budgets",
    "invoices",
    "invoice_batches",
    "issuers",
    "e_invoices",
    "invoice_runs",
    "credit_notes",
    "adjustments",
    "discounts",
    "books",
    "claims",
    "ledger",
    "programmes",
    "exemptions",
    "simulations",
    "funds",
    "fund_transfers",
    "fund_life",
    "statistics",
    "entitlements",
    "subsidies",
)


def register(app: OpenAPI) -> None:
    """Add every call to ``app``."""
    for name in NOUNS:
        module = import_module(f"marketplace.api.{name}")
        app.register_api(getattr(module, name))
