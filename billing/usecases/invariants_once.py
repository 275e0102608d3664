"""What must always be true of proofs and contracts that count once."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

INVARIANTS_ONCE = (
    Invariant(
        "evidence-uses-are-files",
        "What a file is said to prove is proven by a file of that park with that content.",
        """
        SELECT u.id, u.sha256, u.evidence_id FROM evidence_uses u
        LEFT JOIN evidence_files f ON f.tenant_id = u.tenant_id AND f.id = u.evidence_id
        WHERE u.evidence_id IS NOT NULL AND f.sha256 IS DISTINCT FROM u.sha256
        """,
    ),
    Invariant(
        "proofs-count-once",
        "One content proves one thing of a kind, and one contract is subsidised for one thing.",
        """
        SELECT 'evidence' AS register, kind || ' ' || sha256 AS what, count(*) FROM evidence_uses
        WHERE released_at IS NULL GROUP BY kind, sha256 HAVING count(*) > 1
        UNION ALL
        SELECT 'contract', contract_key || ' ' || counterparty_uscc, count(*) FROM subsidised_contracts
        WHERE released_at IS NULL GROUP BY contract_key, counterparty_uscc HAVING count(*) > 1
        """,
    ),
)
