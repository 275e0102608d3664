"""The operator's price list: what each service costs whom, since when, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.rules.prices import EVERYBODY, PriceScope
from billing.usecases import pricing
from services.usecases import catalogue
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class PriceHistory:
    """A service and every price that it had, has or will have: scope by scope, the newest first."""

    offering: catalogue.OfferingView
    prices: tuple[pricing.PriceView, ...]


def list_current_prices(work: Work) -> tuple[tuple[catalogue.OfferingView, pricing.PriceView | None], ...]:
    """Return every service with its price for everybody now, None where it has none."""
    work.actor.require(Permission.READ_CATALOGUE)
    offerings = catalogue.list_offerings(work)
    now = pricing.list_prices(work, offerings=[each.slug for each in offerings], at=work.now)
    return tuple((each, now.get(each.slug)) for each in offerings)


def read_price_history(work: Work, *, offering: str) -> PriceHistory:
    """Return a service with its prices; NotFound when there is no such service."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = catalogue.read_offering(work, slug=offering)
    return PriceHistory(found, pricing.price_history(work, offering=offering))


def set_price(
    work: Work,
    *,
    offering: str,
    charge: Mapping[str, Any],
    vat_bp: int,
    valid_from: datetime | None = None,
    scope: PriceScope = EVERYBODY,
) -> pricing.PriceView:
    """Let a service that is listed cost ``charge`` from a moment on (None: from now on), as ``pricing.set_price`` does.

    Raises NotFound when there is no such service.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    found = catalogue.read_offering(work, slug=offering)
    begin = work.now if valid_from is None else valid_from
    return pricing.set_price(
        work, offering=found.slug, charge=charge, vat_bp=vat_bp, valid_from=begin, scope=scope
    )  # fmt: skip
