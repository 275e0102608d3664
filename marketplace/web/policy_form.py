"""The form of a policy version: rows of rates, ceilings, funders and conditions, to and from the policy's document.

Every field's name is the path of what it holds, ``rates.0.when.1.fact``. What the form does not know (and a tree of
conditions too deep for rows) stays in the document: it is shown as JSON, and may be edited there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.rules.known_facts import KNOWN_FACTS, FactKind
from tenants.kernel.errors import FieldError
from tenants.kernel.messages import Message, msg
from tenants.rules.regions import Level, regions

PLAIN = ("mode", "base", "year_starts", "shortfall", "payee")
_ROWS = {"rates": ("rate", "reason"), "caps": ("scope", "amount"), "funders": ("fund", "share")}
_FORM_KEYS = frozenset((*PLAIN, "window", "price_limit_fen", "eligible", "stacking", "rolling", "claim_days", *_ROWS))
_SCALE = {
    "rate": 100, "share": 100, "cap_percent": 100, "amount": 100, "cap_yuan": 100, "price_limit": 100,
    "years": 1, "claim_days": 1,
}  # fmt: skip
"""Fields with numbers: how many basis points or fen one per cent or yuan is; years and days are typed as they are."""
_DEFAULTS: Mapping[str, Any] = {
    "mode": "instant", "base": "gross", "year_starts": "01-01", "shortfall": "partial", "payee": "provider",
}  # fmt: skip
_EMPTY_ROW: Mapping[str, Mapping[str, Any]] = {
    "rates": {"rate": "", "reason": "", "when": []},
    "caps": {"scope": "entity_year", "amount": "", "when": []},
    "funders": {"fund": "", "share": ""},
}
_STEP = re.compile(r"(add|remove):([a-z]+)(?:\.(\d+))?(?:\.(when))?(?:\.(\d+))?")

State = dict[str, Any]


def state_of(document: Mapping[str, Any]) -> State:
    """Return what the form shows for a policy's document; an empty one gives an empty form with usual choices."""
    window, stacking = document.get("window") or {}, document.get("stacking") or {}
    state: State = {name: document.get(name, default) for name, default in _DEFAULTS.items()}
    state |= {"from": window.get("from") or "", "to": window.get("to") or ""}
    state["price_limit"] = _shown(document.get("price_limit_fen"))
    state["rates"] = [
        {"rate": _shown(row["rate_bp"]), "reason": row.get("reason") or "", "when": _conditions(row.get("when"))}
        for row in document.get("rates") or []
    ] or [_empty("rates")]
    state["caps"] = [
        {"scope": row["scope"], "amount": _shown(row["amount_fen"]), "when": _conditions(row.get("when"))}
        for row in document.get("caps") or []
    ]
    state["funders"] = [
        {"fund": row["fund"], "share": _shown(row["share_bp"])} for row in document.get("funders") or []
    ] or [_empty("funders")]
    state["stacking"] = {
        "group": stacking.get("group") or "",
        "mode": stacking.get("mode") or "SUM",
        "cap_percent": _shown(stacking.get("combined_cap_bp")),
        "cap_yuan": _shown(stacking.get("combined_cap_fen")),
    }
    rolling = document.get("rolling") or {}
    state["rolling"] = {
        "register": rolling.get("register") or "",
        "years": str(rolling.get("years") or ""),
        "amount": _shown(rolling.get("amount_fen")),
    }
    state["claim_days"] = str(document.get("claim_days") or "")
    others = {k: v for k, v in document.items() if k not in _FORM_KEYS and k not in {"programme", "version"}}
    eligible = document.get("eligible") or {"all": []}
    if "all" in eligible and all("fact" in member for member in eligible["all"]):
        state["eligible"] = _conditions(eligible["all"])
    else:
        state["eligible"], others["eligible"] = [], eligible
    state["other"] = json.dumps(others, ensure_ascii=False, indent=2) if others else ""
    return state


def state_from(form: Mapping[str, str], many: Mapping[str, list[str]]) -> State:
    """Return what was typed into the form. ``many`` are all values of each field: of a choice several may be ticked."""
    state: State = {name: form.get(name, "").strip() for name in (*PLAIN, *_SINGLE)}
    for group, names in _GROUPS.items():
        state[group] = {name: form.get(f"{group}.{name}", "").strip() for name in names}
    state["eligible"] = _typed_conditions(form, many, "eligible")
    for rows, names in _ROWS.items():
        state[rows] = []
        for index in _indices(form, rows):
            row: dict[str, Any] = {name: form.get(f"{rows}.{index}.{name}", "").strip() for name in names}
            if rows != "funders":
                row["when"] = _typed_conditions(form, many, f"{rows}.{index}.when")
            state[rows].append(row)
    return state


_SINGLE = ("from", "to", "price_limit", "claim_days", "other")
_GROUPS = {"stacking": ("group", "mode", "cap_percent", "cap_yuan"), "rolling": ("register", "years", "amount")}


def step(state: State, what: str) -> None:
    """Add or remove a row: ``add:rates``, ``remove:rates.0``, ``add:caps.1.when``, ``remove:rates.0.when.2``."""
    found = _STEP.fullmatch(what)
    if found is None or found[2] not in {*_ROWS, "eligible"}:
        return
    verb, rows = found[1], state[found[2]]
    index = None if found[3] is None else int(found[3])
    if found[4] is not None and index is not None and index < len(rows) and "when" in rows[index]:
        rows, index = rows[index]["when"], None if found[5] is None else int(found[5])
        conditions = True
    else:
        conditions = found[2] == "eligible"
    if verb == "remove" and index is not None and index < len(rows):
        del rows[index]
    elif verb == "add":
        rows.append({"fact": "park_size", "is": "in", "values": []} if conditions else _empty(found[2]))


def document_of(state: State) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the policy's document, and what cannot be read of the form, each at the form's own field."""
    faults: list[FieldError] = []
    document: dict[str, Any] = {name: state[name] for name in PLAIN}
    document["window"] = {"from": state["from"], "to": state["to"] or None}
    document["price_limit_fen"] = _number(state, "price_limit", "price_limit", faults)
    document["eligible"] = {"all": [_condition(each) for each in state["eligible"]]}
    document["rates"] = [
        {
            "rate_bp": _number(row, "rate", f"rates.{index}.rate", faults, required=True),
            "reason": row["reason"] or None,
            "when": [_condition(each) for each in row["when"]],
        }
        for index, row in enumerate(state["rates"])
    ]
    document["caps"] = [
        {
            "scope": row["scope"],
            "amount_fen": _number(row, "amount", f"caps.{index}.amount", faults, required=True),
            "when": [_condition(each) for each in row["when"]],
        }
        for index, row in enumerate(state["caps"])
    ]
    document["funders"] = [
        {"fund": row["fund"], "share_bp": _number(row, "share", f"funders.{index}.share", faults, required=True)}
        for index, row in enumerate(state["funders"])
    ]
    stacking = state["stacking"]
    document["stacking"] = None
    if stacking["group"]:
        document["stacking"] = {
            "group": stacking["group"],
            "mode": stacking["mode"],
            "combined_cap_bp": _number(stacking, "cap_percent", "stacking.cap_percent", faults),
            "combined_cap_fen": _number(stacking, "cap_yuan", "stacking.cap_yuan", faults),
        }
    rolling = state["rolling"]
    document["rolling"] = None
    if any(rolling.values()):
        document["rolling"] = {
            "register": rolling["register"],
            "years": _number(rolling, "years", "rolling.years", faults, required=True),
            "amount_fen": _number(rolling, "amount", "rolling.amount", faults, required=True),
        }
    if state["claim_days"]:
        document["claim_days"] = _number(state, "claim_days", "claim_days", faults)
    document |= _others(state["other"], faults)
    return document, faults


def place(path: str) -> str | None:
    """Return the form's field that a path of the policy's document belongs to."""
    name = re.sub(r"\[(\d+)\]", r".\1", path)
    name = re.sub(r"^eligible\.(all|any)\.", "eligible.", name)
    name = re.sub(r"\.(value|is)$", ".fact", name)
    for long, short in _PLACES:
        name = re.sub(long, short, name)
    known = re.match(
        r"(rates|caps|funders|eligible|stacking|rolling|from|to|price_limit|claim_days|" + "|".join(PLAIN) + r")(\.|$)",
        name,
    )
    return name if known else "other"


_PLACES = (
    (r"^window\.from$", "from"),
    (r"^window(\.to)?$", "to"),
    (r"^price_limit_fen$", "price_limit"),
    (r"\.rate_bp$", ".rate"),
    (r"\.share_bp$", ".share"),
    (r"\.amount_fen$", ".amount"),
    (r"combined_cap_bp$", "cap_percent"),
    (r"combined_cap_fen$", "cap_yuan"),
)


def _empty(rows: str) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, list) else value for name, value in _EMPTY_ROW[rows].items()}


def _shown(number: int | None) -> str:
    return "" if number is None else f"{(Decimal(number) / 100).normalize():f}"


def _conditions(found: Any) -> list[dict[str, Any]]:
    return [
        {
            "fact": each["fact"],
            "is": "in" if each["is"] == "eq" and _is_choice(each["fact"]) else each["is"],
            "values": _values(each["fact"], each["value"]),
        }
        for each in found or []
    ]


def _is_choice(fact: str) -> bool:
    return fact in KNOWN_FACTS and KNOWN_FACTS[fact].kind is FactKind.CHOICE


def _values(fact: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if fact in KNOWN_FACTS and KNOWN_FACTS[fact].kind is FactKind.FEN:
        return [_shown(each) if isinstance(each, int) else str(each) for each in values]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in values]


def _typed_conditions(form: Mapping[str, str], many: Mapping[str, list[str]], path: str) -> list[dict[str, Any]]:
    found = []
    for index in _indices(form, path):
        at = f"{path}.{index}"
        typed = [part.strip() for each in many.get(f"{at}.value", []) for part in re.split(r"[,，、;；\s]+", each)]
        values = [each for each in typed if each]
        found.append({"fact": form.get(f"{at}.fact", ""), "is": form.get(f"{at}.is", "in"), "values": values})
    return found


def _indices(form: Mapping[str, str], path: str) -> list[int]:
    pattern = re.compile(re.escape(path) + r"\.(\d{1,3})\.")
    return sorted({int(found[1]) for name in form if (found := pattern.match(name))})


def _condition(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition as the document writes it; one value of a choice is written as an equality."""
    fact, comparison = typed["fact"], typed["is"]
    values = [_value(fact, each) for each in typed["values"]]
    if comparison == "in" and len(values) == 1:
        comparison = "eq"
    if comparison == "in":
        return {"fact": fact, "is": "in", "value": values}
    # Several values where one is meant are left as a list: the document's reader refuses them at this field.
    return {"fact": fact, "is": comparison, "value": values[0] if len(values) == 1 else values or ""}


def _value(fact: str, text: str) -> Any:
    kind = KNOWN_FACTS[fact].kind if fact in KNOWN_FACTS else FactKind.FLAG
    if kind is FactKind.FLAG and text in {"true", "false"}:
        return text == "true"
    if kind is FactKind.COUNTY and not text.isdigit():
        named = [each.code for each in regions().values() if each.level is Level.COUNTY and each.county == text]
        return named[0] if len(named) == 1 else text
    if kind is FactKind.FEN:
        fen = scaled(text, 100)
        return text if fen is None else fen
    return text


def _number(
    row: Mapping[str, Any], name: str, path: str, faults: list[FieldError], *, required: bool = False
) -> int | None:
    text = row[name]
    if not text and not required:
        return None
    found = scaled(text, _SCALE[name])
    if found is None:
        faults.append(FieldError(path, "form.number", _wrong_number()))
    return found


def _wrong_number() -> Message:
    return msg("须为不小于零、最多两位小数的数字。请改正。")


def scaled(text: str, scale: int) -> int | None:
    """Return a typed number as whole basis points or fen, None for what is none."""
    try:
        number = Decimal(text.replace(",", "").replace("，", "").removesuffix("%"))
    except InvalidOperation:
        return None
    if not number.is_finite() or number < 0 or number >= 10**13:
        return None
    whole = number * scale
    return int(whole) if whole == whole.to_integral_value() else None


def _others(text: str, faults: list[FieldError]) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        faults.append(FieldError("other", "form.json", msg("须为一个 JSON 对象。请改正。")))
        return {}
    return found
