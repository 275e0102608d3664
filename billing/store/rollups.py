"""Roll-ups of meters: sums kept by park, meter, quarter of an hour or day, subject and group; and how far they go.

They can always be made anew from the events, so a row may be changed; ``marketplace check`` compares the two.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.usage import TransactionId
from tenants.kernel.database import Base, TenantOwned

QUARTER, DAY = 15, 1440
"""The grains, in minutes."""


class MeterProgress(Base):
    """How far a meter's roll-ups go: they hold exactly the events of transactions before ``upto``.

    A database restored from a dump counts its transactions anew; then the roll-ups begin a new epoch.
    """

    __tablename__ = "meter_progress"
    __table_args__ = ({"info": {"shared": "roll-ups of all parks go equally far"}},)

    meter: Mapped[str] = mapped_column(String(64), ForeignKey("meters.slug"), primary_key=True)
    epoch: Mapped[int] = mapped_column(SmallInteger)
    upto: Mapped[int] = mapped_column(TransactionId())
    rolled_at: Mapped[datetime]
    checked_upto: Mapped[int] = mapped_column(TransactionId(), server_default=text("'0'"))
    """Days that no transaction has touched since this one were found to be what their events add up to."""


class MeterRollup(TenantOwned, Base):
    """What a meter read in one bucket. ``key`` is the hash of subject, groups and, where values are told apart, value.

    The bucket of a correction is worked out anew; where nothing is left of it, ``events`` is 0.
    """

    __tablename__ = "meter_rollups"
    __table_args__ = (
        CheckConstraint("grain IN (15, 1440)", name="grain"),
        CheckConstraint("events >= 0", name="events"),
        Index(None, "meter", "epoch", "grain", "bucket"),
    )

    meter: Mapped[str] = mapped_column(String(64), ForeignKey("meters.slug"), primary_key=True)
    epoch: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    bucket: Mapped[datetime] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200))
    groups: Mapped[list[str | None]] = mapped_column(ARRAY(Text))
    events: Mapped[int]
    total: Mapped[Decimal | None] = mapped_column(Numeric)
    least: Mapped[Decimal | None] = mapped_column(Numeric)
    greatest: Mapped[Decimal | None] = mapped_column(Numeric)
    value: Mapped[str | None] = mapped_column(Text)
    latest: Mapped[Decimal | None] = mapped_column(Numeric)
    latest_time: Mapped[datetime | None]
    latest_received: Mapped[datetime | None]
    latest_source: Mapped[str | None] = mapped_column(String(200))
    latest_event: Mapped[str | None] = mapped_column(String(200))
