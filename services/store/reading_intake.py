"""Taking readings in by the thousand: one binary COPY, then two statements. And reading them as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

EPOCH_2000 = 946_684_800
"""Seconds from 1970 to 2000, from which PostgreSQL counts its microseconds."""
COUNTED = {"preserve_rowcount": True}
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("meter_size", ">i4"), ("meter", "V16"),
        ("at_size", ">i4"), ("at", ">i8"),
        ("value_size", ">i4"), ("value", ">f8"),
        ("estimated_size", ">i4"), ("estimated", "u1"),
    ]
)  # fmt: skip
_TABLE = """
    CREATE TEMPORARY TABLE incoming_readings (meter_id uuid, at timestamptz, value double precision, estimated boolean)
    ON COMMIT DROP
"""
_LOCK = """
    SELECT id FROM site_meters WHERE tenant_id = :tenant AND id = ANY(:meters) ORDER BY id FOR NO KEY UPDATE
"""
_KEEP = """
    INSERT INTO reading_versions (tenant_id, meter_id, at, version, value, estimated, received_at, replaced_at)
    SELECT r.tenant_id, r.meter_id, r.at, r.version, r.value, r.estimated, r.received_at, :now
    FROM incoming_readings i JOIN readings r ON r.tenant_id = :tenant AND r.meter_id = i.meter_id AND r.at = i.at
    WHERE (r.value, r.estimated) <> (round(CAST(i.value AS numeric), 6), i.estimated)
"""
_TAKE = """
    INSERT INTO readings AS r (tenant_id, meter_id, at, value, estimated, version, received_at)
    SELECT :tenant, meter_id, at, round(CAST(value AS numeric), 6), estimated, 1, :now FROM incoming_readings
    ON CONFLICT (tenant_id, meter_id, at) DO UPDATE
    SET value = excluded.value, estimated = excluded.estimated, version = r.version + 1, received_at = excluded.received_at
    WHERE (r.value, r.estimated) <> (excluded.value, excluded.estimated)
"""
_LAST = """
    UPDATE site_meters m SET last_received_at = :now,
        last_at = greatest(m.last_at, n.at),
        last_value = CASE WHEN m.last_at IS NULL OR n.at >= m.last_at THEN round(CAST(n.value AS numeric), 6)
                     ELSE m.last_value END
    FROM (SELECT DISTINCT ON (meter_id) meter_id, at, value FROM incoming_readings ORDER BY meter_id, at DESC) n
    WHERE m.tenant_id = :tenant AND m.id = n.meter_id
"""
_SAMPLES = """
    SELECT array_agg(CAST(extract(epoch FROM at) AS double precision) ORDER BY at),
           array_agg(CAST(value AS double precision) ORDER BY at), array_agg(estimated ORDER BY at)
    FROM readings WHERE tenant_id = :tenant AND meter_id = :meter AND at >= :since AND at < :until
"""


@dataclass(frozen=True)
class TakenReadings:
    """How many readings were new, how many replaced one that stood, and how many changed nothing."""

    accepted: int
    replaced: int
    unchanged: int


def take_readings(
    connection: Connection,
    tenant_id: UUID,
    meters: Sequence[UUID],
    meter: NDArray[np.int64],
    at: NDArray[np.int64],
    values: NDArray[np.float64],
    estimated: NDArray[np.bool_],
    now: datetime,
) -> TakenReadings:
    """Write readings, at most one for each meter and stamp; ``meter`` counts in ``meters``, ``at`` is in µs since 1970.

    The meters' rows are locked first, in one order: of two batches of one meter the later one sees what the first wrote.
    """
    given = {"tenant": tenant_id, "now": now}
    connection.execute(text(_LOCK), {"tenant": tenant_id, "meters": list(meters)})
    connection.exec_driver_sql(_TABLE)
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy("COPY incoming_readings FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(_SIGNATURE)
        copy.write(_rows(meters, meter, at, values, estimated).tobytes())
        copy.write(_TRAILER)
    replaced = connection.execute(text(_KEEP), given, execution_options=COUNTED).rowcount
    written = connection.execute(text(_TAKE), given, execution_options=COUNTED).rowcount
    connection.execute(text(_LAST), given)
    connection.exec_driver_sql("DROP TABLE incoming_readings")
    return TakenReadings(accepted=written - replaced, replaced=replaced, unchanged=len(at) - written)


def samples_of(
    connection: Connection, tenant_id: UUID, meter_id: UUID, since: datetime, until: datetime
) -> tuple[list[float], list[float], list[bool]]:
    """Return stamps (seconds since 1970), values and marks of a meter's readings in ``[since, until)``, in order."""
    given = {"tenant": tenant_id, "meter": meter_id, "since": since, "until": until}
    at, values, estimated = connection.execute(text(_SAMPLES), given).one()
    return at or [], values or [], estimated or []


def _rows(
    meters: Sequence[UUID],
    meter: NDArray[np.int64],
    at: NDArray[np.int64],
    values: NDArray[np.float64],
    estimated: NDArray[np.bool_],
) -> NDArray[Any]:
    """Return the rows of a binary COPY (PostgreSQL's manual, COPY, "Binary Format")."""
    rows = np.zeros(len(at), dtype=_ROW)
    rows["fields"] = 4
    rows["meter_size"], rows["at_size"], rows["value_size"], rows["estimated_size"] = 16, 8, 8, 1
    keys = np.frombuffer(b"".join(each.bytes for each in meters), dtype="V16")
    rows["meter"] = keys[meter]
    rows["at"] = at - EPOCH_2000 * 1_000_000
    rows["value"] = values
    rows["estimated"] = estimated
    return rows
