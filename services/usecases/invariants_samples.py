"""What always holds of submitted samples and their chains of custody."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

SAMPLES = (
    Invariant(
        "sample-custody",
        "A sample's chain begins when it is registered, and holds each step of its request once, in order.",
        """
        SELECT s.tenant_id, s.id, b.status FROM samples s
        JOIN sample_batches b ON b.tenant_id = s.tenant_id AND b.id = s.batch_id
        CROSS JOIN LATERAL (SELECT
            count(*) FILTER (WHERE step = 'registered') AS registered,
            count(*) FILTER (WHERE step = 'received') AS received,
            count(*) FILTER (WHERE step = 'testing') AS begun,
            count(*) FILTER (WHERE step = 'reported') AS reported,
            min(at) AS first,
            min(at) FILTER (WHERE step = 'registered') AS entered,
            max(at) FILTER (WHERE step = 'received') AS came,
            max(at) FILTER (WHERE step = 'testing') AS tested,
            max(at) FILTER (WHERE step = 'reported') AS told
            FROM sample_custody c WHERE c.tenant_id = s.tenant_id AND c.sample_id = s.id) k
        WHERE k.registered <> 1 OR k.first <> k.entered
           OR k.received <> (b.received_at IS NOT NULL)::int OR k.begun <> (b.begun_at IS NOT NULL)::int
           OR k.reported <> (b.status = 'reported')::int OR k.came > k.tested OR k.tested > k.told
        """,
    ),
    Invariant(
        "sample-batch",
        "A test request has samples, and a retest follows a reported one of the same park and provider.",
        """
        SELECT b.tenant_id, b.id, b.round FROM sample_batches b
        LEFT JOIN sample_batches e ON e.tenant_id = b.tenant_id AND e.id = b.retest_of
        WHERE NOT EXISTS (SELECT FROM samples s WHERE s.tenant_id = b.tenant_id AND s.batch_id = b.id)
           OR (b.retest_of IS NOT NULL AND (e.provider_id <> b.provider_id OR e.offering <> b.offering
                OR e.round + 1 <> b.round OR e.status <> 'reported'))
        """,
    ),
    Invariant(
        "sample-report",
        "A reported test request has its result as a file of the hash it bears; no other has a file.",
        """
        SELECT b.tenant_id, b.id, b.status FROM sample_batches b WHERE (b.status = 'reported') <> EXISTS
            (SELECT FROM artefacts a WHERE a.tenant_id = b.tenant_id AND a.source_id = b.id)
           OR (b.status = 'reported' AND NOT EXISTS (SELECT FROM artefacts a WHERE a.tenant_id = b.tenant_id
                AND a.source_id = b.id AND a.sha256 = b.report_sha256))
        """,
    ),
)
"""Checked over the whole database by ``marketplace check``."""
