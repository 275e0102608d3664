"""What always holds of the carbon ledger, its certificates, reports and editions of factors."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

INVARIANTS_CARBON = (
    Invariant(
        "carbon-evidence",
        "A record, certificate or import bears the hash of the very file that proves it.",
        """
        SELECT r.tenant_id, r.id FROM carbon_records r JOIN artefacts a ON a.tenant_id = r.tenant_id
            AND a.id = r.evidence_id WHERE a.sha256 <> r.evidence_sha256
        UNION ALL
        SELECT c.tenant_id, c.id FROM green_certificates c JOIN artefacts a ON a.tenant_id = c.tenant_id
            AND a.id = c.evidence_id WHERE a.sha256 <> c.evidence_sha256
        UNION ALL
        SELECT i.tenant_id, i.id FROM carbon_imports i JOIN artefacts a ON a.tenant_id = i.tenant_id
            AND a.id = i.artefact_id WHERE a.sha256 <> i.sha256
        """,
    ),
    Invariant(
        "carbon-correction",
        "A correction is not older than what it replaces.",
        """
        SELECT r.tenant_id, r.id, r.replaces_id FROM carbon_records r JOIN carbon_records o
            ON o.tenant_id = r.tenant_id AND o.id = r.replaces_id WHERE r.created_at < o.created_at
        """,
    ),
    Invariant(
        "carbon-import-rows",
        "An import has as many records as it says it kept.",
        """
        SELECT i.tenant_id, i.id, i.rows_kept FROM carbon_imports i WHERE i.rows_kept <> (SELECT count(*)
            FROM carbon_records r WHERE r.tenant_id = i.tenant_id AND r.import_id = i.id)
        """,
    ),
    Invariant(
        "carbon-frozen-factor",
        "A record with an imported edition bears a factor that this edition, published before, gives.",
        """
        SELECT r.tenant_id, r.id, r.edition FROM carbon_records r JOIN factor_editions e ON e.code = r.edition
        WHERE e.status <> 'published' OR e.decided_at > r.created_at OR NOT EXISTS
            (SELECT FROM jsonb_array_elements(e.factors) f WHERE f->>'item' = r.item AND f->>'region' = r.region
                AND (f->>'kg')::numeric = r.factor_kg AND f->>'base' = r.base_unit)
        """,
    ),
    Invariant(
        "factor-edition-file",
        "An imported edition's file is the one of its hash.",
        "SELECT code FROM factor_editions WHERE encode(sha256(content), 'hex') <> sha256",
    ),
    Invariant(
        "certificate-number",
        "Every certificate's number is registered in the province by its own park, and no number without one.",
        """
        SELECT c.tenant_id, c.number FROM green_certificates c WHERE NOT EXISTS (SELECT FROM certificate_numbers n
            WHERE n.number = c.number AND n.tenant_id = c.tenant_id)
        UNION ALL
        SELECT n.tenant_id, n.number FROM certificate_numbers n WHERE NOT EXISTS (SELECT FROM green_certificates c
            WHERE c.tenant_id = n.tenant_id AND c.number = n.number)
        """,
    ),
    Invariant(
        "certificate-used",
        "A certificate is retired for no year before its power was made, and within two years; only own ones are sold.",
        """
        SELECT e.tenant_id, e.certificate_id, e.kind, e.year FROM certificate_ends e JOIN green_certificates c
            ON c.tenant_id = e.tenant_id AND c.id = e.certificate_id
        WHERE e.year < extract(year FROM c.month)
           OR (e.kind = 'retired' AND (e.ended_at AT TIME ZONE 'Asia/Shanghai')::date >= c.month + interval '24 months')
           OR (e.kind = 'sold' AND c.origin = 'purchased')
        """,
    ),
    Invariant(
        "carbon-report-files",
        "A report's manifest is kept with the hash that it bears.",
        """
        SELECT r.tenant_id, r.id FROM carbon_reports r WHERE NOT EXISTS (SELECT FROM artefacts a
            WHERE a.tenant_id = r.tenant_id AND a.source_id = r.id AND a.name = 'manifest.json'
              AND a.sha256 = r.manifest_sha256)
        """,
    ),
)
"""Checked over the whole database by ``marketplace check``. What a record emits is a constraint of its row."""
