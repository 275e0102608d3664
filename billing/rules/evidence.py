"""What a file proves, and where one file may prove one thing once."""

from __future__ import annotations

from enum import StrEnum


class EvidenceKind(StrEnum):
    """What a file proves. Of each kind one content proves one thing in the whole province.

    A file that many applications rightly share, such as a business licence, is kept without being put into the register.
    """

    CONTRACT = "contract"
    INVOICE = "invoice"
    PAYMENT_PROOF = "payment_proof"
    ACCEPTANCE = "acceptance"
    REPORT = "report"
    USAGE_LOG = "usage_log"
    DECISION = "decision"
