"""What a fund or a programme may be called, and where a fund's money may be allotted."""

from __future__ import annotations

import re

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.rules.regions import Level, RegionClass, regions

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
MOST_REASON = 200
_DRAWN_ON = frozenset({Level.CITY, Level.COUNTY})


def check_slug(text: str) -> str:
    """Return the code by which policies and reports name a thing; Invalid ``input.bad_slug`` when it cannot be one."""
    if not _SLUG.fullmatch(text):
        raise Invalid(
            "input.bad_slug",
            msg("代码须以小写字母或数字开头，只含小写字母、数字、连字符和下划线，最多 64 个字符。请改正代码。"),
        )
    return text


def check_envelope(text: str) -> str:
    """Return the part of a fund that money is put into: '' for all, a city, a county, or a class of regions.

    Raises Invalid ``appropriation.envelope`` for anything else: no park could ever draw on it.
    """
    region = regions().get(text)
    if text == "" or text in set(RegionClass) or (region is not None and region.level in _DRAWN_ON):
        return text
    raise Invalid(
        "appropriation.envelope",
        msg(
            "定向范围须为市、县的六位区划代码，或 {classes} 之一；面向全部园区时请留空。请改正。",
            classes="、".join(RegionClass),
        ),
    )


def check_reason(text: str) -> str:
    """Return why something is done to a fund, trimmed; Invalid ``fund.reason`` for none, or one that is too long."""
    reason = text.strip()
    if not reason or len(reason) > MOST_REASON or not reason.isprintable():
        raise Invalid("fund.reason", msg("请写明原因，最多 {most} 个字。", most=MOST_REASON))
    return reason
