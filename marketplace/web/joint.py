"""The negotiation table of a joint facility: parks move shares and use, and see who pays what before anyone signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Response, request
from werkzeug.datastructures import MultiDict

from billing.usecases.alone import settle_document
from marketplace.doors.language import reader_language
from marketplace.doors.texts import ENGLISH
from marketplace.web.amounts import hundredfold
from marketplace.web.charts import sharing_chart
from marketplace.web.pages import page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import say, show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission

pages = page_group("joint")

MOST_PARKS = 12
EXAMPLE: Mapping[str, str] = {
    "capital": "100000000", "life_years": "10", "hours": "5000", "variable": "600", "premium": "20",
    "outsider_premium": "50", "outsider_hours": "0", "reserve_hours": "0",
}  # fmt: skip
"""One hundred million yuan over ten years, five thousand hours a year, six hundred yuan an hour."""
EXAMPLE_PARKS = (("40", "3000"), ("30", "1000"), ("30", "1000"))
"""Share in per cent and hours a year of each."""
STEMS = ("甲乙丙丁戊己庚辛壬癸子丑寅", "ABCDEFGHIJKLM")
"""How places are counted in Chinese and in English: one more than there may be parks."""
METHODS = {
    "agreement": msg("按协议"),
    "shares": msg("按出资比例"),
    "use": msg("按使用机时"),
    "serial": msg("序列分摊"),
    "shapley": msg("沙普利值"),
}
"""Ways of sharing, the agreement's own first."""


@dataclass(frozen=True)
class Partner:
    """A park at the table as it was typed: its name, its share in per cent, its hours a year."""

    name: str
    share: str
    use: str


@pages.get("/joint/table")
def table() -> Response:
    """Show the table. The address holds all that was set, so a proposal can be passed on; parts come for htmx."""
    with page_work() as work:
        work.actor.require(Permission.READ_CATALOGUE)
    asked = request.args
    typed = {name: asked.get(name, value)[:20] for name, value in EXAMPLE.items()}
    partners = _partners(asked)
    settlement: dict[str, Any] | None = None
    refusal: Refusal | None = None
    try:
        settlement = settle_document(_document(typed, partners))
    except Problem as problem:
        refusal = refusal_of(problem, lambda path: _field_of(path, partners))
    return show(
        "joint/table.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        partners=partners,
        settlement=settlement,
        names=[each.name for each in partners],
        methods=METHODS,
        rows=_comparison(settlement) if settlement else {},
        chart=sharing_chart([each.name for each in partners], _comparison(settlement), METHODS) if settlement else None,
        most=MOST_PARKS,
        whole=sum(_share_or_zero(each.share) for each in partners),
    )


def _partners(asked: MultiDict[str, str]) -> tuple[Partner, ...]:
    names = [name.strip()[:40] for name in asked.getlist("park")][:MOST_PARKS]
    if not names:
        return tuple(Partner(_name(number), *each) for number, each in enumerate(EXAMPLE_PARKS))
    shares, uses = asked.getlist("share"), asked.getlist("use")
    found = [
        Partner(name, shares[i][:10] if i < len(shares) else "0", uses[i][:10] if i < len(uses) else "0")
        for i, name in enumerate(names)
        if name
    ]
    gone = asked.get("without", "")
    found = [each for each in found if each.name != gone] or found
    if "add" in asked and len(found) < MOST_PARKS:
        found.append(Partner(_next_name({each.name for each in found}), "0", "0"))
    return tuple(found)


def _next_name(taken: set[str]) -> str:
    return next(name for number in range(MOST_PARKS + 1) if (name := _name(number)) not in taken)


def _name(number: int) -> str:
    """Return what the park at a place is called until its name is typed in: 甲园区, or Park A."""
    return say(msg("{stem}园区", stem=STEMS[reader_language() == ENGLISH][number]))


def _document(typed: Mapping[str, str], partners: Sequence[Partner]) -> dict[str, Any]:
    names = [each.name for each in partners]
    if len(set(names)) < len(names):
        raise _wrong("park", msg("两个园区同名。请改用不同的名称。"))
    return {
        "capital_fen": _hundredfold("capital", typed["capital"]),
        "life_years": _whole("life_years", typed["life_years"]),
        "hours": _plain(typed["hours"]),
        "variable_fen_per_hour": _hundredfold("variable", typed["variable"]),
        "shares_bp": {each.name: _hundredfold(f"share-{i}", each.share) for i, each in enumerate(partners)},
        "use_hours": {each.name: _plain(each.use) for each in partners},
        "premium_bp": _hundredfold("premium", typed["premium"]),
        "outsider_premium_bp": _hundredfold("outsider_premium", typed["outsider_premium"]),
        "outsider_hours": _plain(typed["outsider_hours"]),
        "reserve_hours": _plain(typed["reserve_hours"]),
    }


def _comparison(settlement: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return what each park's year costs it, by the ways of sharing."""
    own = {name: park["net_fen"] for name, park in settlement["parks"].items()}
    return {"agreement": own, **settlement["alternatives"]}


def _hundredfold(field: str, text: str) -> int:
    return hundredfold(field, _plain(text), msg("须为数字。请改正。"), msg("最多两位小数，且不能过大。请改正。"))


def _whole(field: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 3:
        raise _wrong(field, msg("须为整数年数。请改正。"))
    return int(text)


def _plain(text: str) -> str:
    return text.strip().replace(",", "").replace("，", "") or "0"


def _share_or_zero(text: str) -> Decimal:
    try:
        share = Decimal(_plain(text))
    except InvalidOperation:
        return Decimal(0)
    return share if share.is_finite() and share.adjusted() < 6 else Decimal(0)


_FIELDS = {
    "capital_fen": "capital", "variable_fen_per_hour": "variable", "premium_bp": "premium",
    "outsider_premium_bp": "outsider_premium",
}  # fmt: skip


def _field_of(path: str, partners: Sequence[Partner]) -> str | None:
    """Return the field of a document's path: ``share-1`` for the second park's share."""
    head, _, name = path.partition(".")
    place = next((i for i, each in enumerate(partners) if each.name == name), None)
    if place is not None:
        return f"{'share' if head == 'shares_bp' else 'use'}-{place}"
    if head == "shares_bp":
        return "shares"
    return _FIELDS.get(head, head)


def _wrong(field: str, message: Message) -> Invalid:
    return Invalid(f"joint.{field.partition('-')[0]}", message, errors=[FieldError(field, "joint.field", message)])
