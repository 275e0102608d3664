"""The form of a lead list's brief: what it says as a request, and from the request's paths back to its fields."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from marketplace.web.amounts import fen_of
from marketplace.web.pages import field
from services.rules.limits import RULED_OUT, Limit
from tenants.kernel.messages import Message, msg

LIMITS = {
    Limit.HIGH_ENERGY: msg("不接受高耗能"),
    Limit.HIGH_WATER: msg("不接受高耗水"),
    Limit.CHEMICALS: msg("不接受化工"),
    Limit.HEAVY_METALS: msg("不接受重金属污染"),
    Limit.DUST: msg("不接受扬尘"),
}
DISTANCES = {
    "motorway_km": msg("到高速公路入口（公里）"),
    "rail_freight_km": msg("到铁路货场（公里）"),
    "port_km": msg("到港口（公里）"),
    "airport_km": msg("到机场（公里）"),
}
AMOUNTS = {"land_price": "land_price_fen_per_mu", "rent": "rent_fen_per_m2_month", "budget": "budget_fen"}
"""The form's fields in yuan, and what the request calls them."""
_FIELDS = {name: typed for typed, name in AMOUNTS.items()}
_BETWEEN = re.compile(r"[\s,，、;；]+")


def brief_choices() -> dict[str, Any]:
    """Return what the form lets choose from: limits with the industry codes that each rules out, and distances."""
    limits: list[tuple[str, Message, str]] = [
        (limit.value, title, "、".join(RULED_OUT[limit])) for limit, title in LIMITS.items()
    ]
    return {"limits": limits, "distances": DISTANCES}


def brief_request() -> dict[str, Any]:
    """Return the brief that the form says; what is left empty is not said. Raises Invalid at a field that is no amount."""
    return {
        "region_code": field("region_code"),
        "industries": list(dict.fromkeys(request.form.getlist("industries"))),  # chosen in the list and by a suggestion
        "exclusions": [*request.form.getlist("exclusions"), *_parts("exclusion_codes")],
        "limits": request.form.getlist("limits"),
        "keywords": _parts("keywords"),
        **{name: _number(field(name)) for name in ("area_mu", "power_kva") if field(name)},
        **({"count": _whole(field("count"))} if field("count") else {}),
        **({"electricity_yuan_per_kwh": field("electricity")} if field("electricity") else {}),
        **{name: fen_of(typed) for typed, name in AMOUNTS.items() if field(typed)},
        "logistics": {name: _number(field(name)) for name in DISTANCES if field(name)},
        "exclude_own_region": field("own_region") != "yes",
    }


def brief_place(path: str) -> str | None:
    """Return the form's field for a path of the request, None for one that is not about offers of land and supplies."""
    rest = path.rpartition("request.")[2]
    if rest.startswith("logistics."):
        return rest.removeprefix("logistics.")
    if rest == "electricity_yuan_per_kwh":
        return "electricity"
    return _FIELDS.get(rest)


def _parts(name: str) -> list[str]:
    """Return the words or codes typed into one field, however they are set apart."""
    return [part for part in _BETWEEN.split(field(name)) if part]


def _number(text: str) -> float | str:
    """Return a number, or the text as it is, for the use case to refuse."""
    return float(text) if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", text) else text


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else text
