"""Delivered services that were returned, wholly or in part. Rows are added and never changed."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, SmallInteger, String, UniqueConstraint, column, func
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference

DAYS = "num_nulls(from_day, until_day) IN (0, 2) AND (from_day IS NULL OR from_day < until_day)"


class LineReturn(TenantOwned, Base):
    """A return: who gets back how much of what, and where the park's part went.

    Numbered within its order line, so that of two at once one finds its number taken. What was returned before is
    noted with it: no chain of returns passes the price, nor the park's part of it.
    """

    __tablename__ = "line_returns"
    __table_args__ = (
        UniqueConstraint("tenant_id", "order_line_id", "number"),
        ForeignKeyConstraint(["tenant_id", "rated_usage_id"], ["rated_usage.tenant_id", "rated_usage.id"]),
        owned_reference("invoice_id", "invoices"),
        owned_reference("evidence_id", "evidence_files"),
        one_of("cause", ("returned", "undelivered", "wrong")),
        CheckConstraint("amount_fen > 0 AND amount_fen = park_fen + public_fen", name="two_payers"),
        CheckConstraint(
            "least(park_fen, public_fen, to_invoice_fen, to_wallet_fen, waiting_fen, withdrawn_fen, recalled_fen) >= 0",
            name="not_negative",
        ),
        CheckConstraint("park_fen = to_invoice_fen + to_wallet_fen + waiting_fen", name="park_part"),
        CheckConstraint("public_fen = withdrawn_fen + recalled_fen", name="public_part"),
        CheckConstraint("before_fen >= 0 AND before_fen + amount_fen <= gross_fen", name="at_most_the_price"),
        CheckConstraint(
            "park_before_fen >= 0 AND park_before_fen + park_fen <= payable_fen", name="at_most_the_parks_part"
        ),
        CheckConstraint("vat_fen BETWEEN 0 AND amount_fen", name="vat"),
        CheckConstraint("(to_invoice_fen > 0) <= (invoice_id IS NOT NULL)", name="invoice"),
        CheckConstraint(DAYS, name="days"),
        ExcludeConstraint(
            ("tenant_id", "="),
            ("order_line_id", "="),
            (func.daterange(column("from_day"), column("until_day")), "&&"),
            where=column("from_day").is_not(None),
            using="gist",
            name="ex_line_returns_each_day_once",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_line_id: Mapped[UUID]
    rated_usage_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(SmallInteger)
    gross_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    before_fen: Mapped[Fen]
    park_before_fen: Mapped[Fen]
    amount_fen: Mapped[Fen]
    park_fen: Mapped[Fen]
    public_fen: Mapped[Fen]
    vat_fen: Mapped[Fen]
    """VAT contained in ``amount_fen``."""
    to_invoice_fen: Mapped[Fen]
    to_wallet_fen: Mapped[Fen]
    waiting_fen: Mapped[Fen]
    """The park's part of a service that stood on no invoice yet: its invoice is paid with it when it is issued."""
    withdrawn_fen: Mapped[Fen]
    """The public part that had not been paid out: back in its funds."""
    recalled_fen: Mapped[Fen]
    """The public part that had been paid out: a clawback asks it of the provider."""
    from_day: Mapped[date | None] = mapped_column(Date)
    until_day: Mapped[date | None] = mapped_column(Date)
    """The days of a subscription's fee that come back, the last one excluded; none where an amount does."""
    invoice_id: Mapped[UUID | None]
    cause: Mapped[Code]
    reason: Mapped[str] = mapped_column(String(500))
    agreement: Mapped[Name]
    """Who agreed for the provider, or the document that says so."""
    evidence_id: Mapped[UUID | None]
    returned_by: Mapped[UUID]
    returned_at: Mapped[datetime]
