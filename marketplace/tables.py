"""Every table, imported once: the one place that knows them all (for migrations, checks and architecture tests)."""

from sqlalchemy.orm import configure_mappers

from billing.store import (
    adjustments,
    aid,
    alerts,
    attendance_disputes,
    attendance_fees,
    budgets,
    claims,
    clawbacks,
    credit_notes,
    discounts,
    e_invoices,
    entitlements,
    evidence,
    exemptions,
    fund_transfers,
    funds,
    invoices,
    issuers,
    joint_agreements,
    joint_true_ups,
    joint_uses,
    ledger,
    metered,
    minimums,
    payments,
    plan_uses,
    plans,
    programmes,
    quotes,
    returns,
    rollups,
    set_offs,
    usage,
    wallets,
)
from marketplace.store import invoice_batches, orders, simulations, standing_orders
from services.store import (
    attendance,
    booking_changes,
    booking_series,
    bookings,
    calendar_feeds,
    carbon,
    catalogue,
    companies,
    company_imports,
    company_withdrawals,
    lead_allocation,
    lead_contacts,
    lead_editions,
    lead_outcomes,
    measures,
    quotas,
    readings,
    reference_tables,
    runs,
    samples,
    site_alarms,
    sites,
    slot_holds,
    suspensions,
    watching,
)
from tenants.kernel import idempotency
from tenants.kernel.database import Base
from tenants.store import audit, organisations, people, standing, subscriptions

STORES = (
    audit,
    organisations,
    people,
    standing,
    subscriptions,
    idempotency,
    attendance,
    bookings,
    booking_series,
    booking_changes,
    calendar_feeds,
    catalogue,
    quotas,
    carbon,
    companies,
    company_imports,
    company_withdrawals,
    lead_allocation,
    lead_contacts,
    lead_editions,
    lead_outcomes,
    measures,
    runs,
    samples,
    slot_holds,
    adjustments,
    sites,
    readings,
    reference_tables,
    site_alarms,
    suspensions,
    watching,
    aid,
    alerts,
    attendance_disputes,
    attendance_fees,
    budgets,
    claims,
    entitlements,
    clawbacks,
    credit_notes,
    discounts,
    e_invoices,
    evidence,
    exemptions,
    fund_transfers,
    funds,
    invoices,
    issuers,
    joint_agreements,
    joint_true_ups,
    joint_uses,
    ledger,
    metered,
    minimums,
    payments,
    plan_uses,
    plans,
    programmes,
    quotes,
    returns,
    rollups,
    set_offs,
    usage,
    wallets,
    orders,
    simulations,
    invoice_batches,
    standing_orders,
)
"""Named so that no clean-up takes an import for unused; a test counts that no store is left out."""

metadata = Base.metadata
"""The schema of the whole system."""


def resolve() -> None:
    """Connect every mapping and foreign key.

    Each process calls it at its start: one that knew only some tables would fail at its first write to a table whose
    foreign key points to another.
    """
    configure_mappers()
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            key.column  # noqa: B018 - looked up for its error
