"""Green electricity certificates (绿证, GEC): one is 1 MWh of renewable power, and counts once, for one year.

A certificate is used by retiring it for a year's consumption, or given away by selling it. Power of the site's own
sun that it used itself is green until the certificate of that very power is sold: then somebody else has the claim.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.rules.days import add_months

NUMBER = re.compile(r"[A-Z0-9][A-Z0-9-]{5,39}", re.ASCII)
VALID_MONTHS = 24
"""A certificate can be used for two years from the month of its power: 《可再生能源绿色电力证书核发和交易规则》
(国能发新能规〔2024〕67号)."""
MOST_MWH = 1_000_000


class Origin(StrEnum):
    """Whose power a certificate is of."""

    PURCHASED = "purchased"
    OWN_USED = "own_used"
    """Of the site's own power that it used itself."""
    OWN_FED_IN = "own_fed_in"
    """Of the site's own power that went to the grid."""


class End(StrEnum):
    """What became of a certificate, once."""

    RETIRED = "retired"
    SOLD = "sold"


@dataclass(frozen=True)
class Certificate:
    """A certificate: ``month`` is the first day of the month of its power, ``year`` the one it was retired for."""

    number: str
    origin: Origin
    mwh: int
    month: date
    end: End | None = None
    year: int | None = None


@dataclass(frozen=True)
class Cover:
    """What certificates do to a year's electricity, in kWh.

    ``offered`` is what was retired for the year, ``used`` as much of it as there is consumption; ``given_away`` is the
    site's own power whose certificates were sold, which therefore counts as bought from the rest of the grid.
    """

    offered: Decimal
    used: Decimal
    given_away: Decimal


def check_number(number: str) -> str:
    """Return a certificate's number in capitals; Invalid at ``number``."""
    plain = number.strip().upper()
    if not NUMBER.fullmatch(plain):
        raise _wrong("number", msg("绿证编号须为 6 至 40 位字母、数字或连字符。"))
    return plain


def check_month(month: date, today: date) -> None:
    """Refuse a month that is not over, or not the first of one; Invalid at ``month``."""
    if month.day != 1 or add_months(month, 1, 1) > today:
        raise _wrong("month", msg("须为已经结束的电量生产月份。"))


def check_retirement(month: date, year: int, today: date) -> None:
    """Refuse to use a certificate that has lapsed, or for a year before its power was made; Invalid at ``year``."""
    if today >= add_months(month, VALID_MONTHS, 1):
        raise _wrong("year", msg("该绿证自电量生产月份起已满两年，不能再用于抵扣。"))
    if not month.year <= year <= today.year:
        text = msg("只能用于 {first} 至 {last} 年的用电。", first=month.year, last=today.year)
        raise _wrong("year", text)


def cover(year: int, certificates: list[Certificate], bought_kwh: Decimal, own_kwh: Decimal) -> Cover:
    """Work out what certificates cover of a year's bought power and what own power they took away.

    A retired certificate of own power that was used on site covers nothing more: that power is not bought.
    """
    sold = Decimal(1000 * sum(c.mwh for c in certificates if _sold_own(c, year)))
    given_away = min(sold, own_kwh)
    retired = [
        c.mwh for c in certificates if c.end is End.RETIRED and c.year == year and c.origin is not Origin.OWN_USED
    ]
    offered = Decimal(1000 * sum(retired))
    return Cover(offered=offered, used=min(offered, bought_kwh + given_away), given_away=given_away)


def _sold_own(certificate: Certificate, year: int) -> bool:
    own = certificate.origin is Origin.OWN_USED and certificate.end is End.SOLD
    return own and certificate.month.year == year


def _wrong(field: str, message: Message) -> Invalid:
    code = f"certificate.{field}"
    return Invalid(code, message, errors=[FieldError(field, code, message)])
