"""Discounts, where they meet the catalogue: one of an offering names a service that there is."""

from __future__ import annotations

from billing.usecases import discounts
from billing.usecases.discounts import DiscountView, DiscountWish
from services.usecases import catalogue
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def ask_discount(work: Work, *, wish: DiscountWish) -> DiscountView:
    """Put a discount in force, or ask for it where it takes two. Raises as ``billing.usecases.discounts`` does, and
    Invalid for a service that the catalogue does not know.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    if wish.offering and wish.offering not in {each.slug for each in catalogue.list_offerings(work)}:
        unknown = msg("没有这项服务。请从列表中选择，或留空表示整张账单。")
        raise Invalid(
            "discount.offering", unknown, errors=[FieldError("offering", "discount.offering", unknown)]
        )  # fmt: skip
    return discounts.ask_discount(work, wish=wish)
