"""What a plan gives, as a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from billing.formats.documents import Document, read_document
from billing.rules.plans import Entitlements, Support
from tenants.kernel.vocabulary import Tier

Slug = Annotated[str, Field(min_length=1, max_length=64)]
Units = Annotated[int, Field(ge=0, le=1_000_000)]


class EntitlementsDocument(Document):
    """The document of a plan's entitlements; what is left out is none."""

    offering_tiers: list[Literal["basic", "enhanced", "leading"]] = Field(default_factory=list, max_length=3)
    deliveries: list[Slug] = Field(default_factory=list, max_length=20)
    offerings: list[Slug] = Field(default_factory=list, max_length=200)
    included: dict[Slug, Units] = Field(default_factory=dict, max_length=200)
    limits: dict[Slug, Units] = Field(default_factory=dict, max_length=200)
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    support: Literal["standard", "priority", "dedicated"] = "standard"


def read_entitlements(document: Mapping[str, Any]) -> Entitlements:
    """Return what a document says. Raises Invalid with every fault."""
    read = read_document(EntitlementsDocument, dict(document))
    return Entitlements(
        offering_tiers=frozenset(Tier(tier) for tier in read.offering_tiers),
        deliveries=frozenset(read.deliveries),
        offerings=frozenset(read.offerings),
        included=read.included,
        limits=read.limits,
        priority=read.priority,
        support=Support(read.support),
    )
