"""Agreements on joint facilities: the list, one version with its signatures, and for the province the form for the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from billing.rules.joint_agreements import PartyRole, Share, Terms
from billing.usecases import joint_agreements as use_cases
from billing.usecases.joint_agreements import AgreementView
from marketplace.web.amounts import fen_of, hundredfold
from marketplace.web.joint import METHODS
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_fields import parse_day
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

pages = page_group("joint_agreements")

PLACES = 6
"""How many parties the form has places for; the API takes more."""
ROLES = {
    PartyRole.LEAD.value: msg("主导方"),
    PartyRole.PARTICIPANT.value: msg("参与方"),
    PartyRole.SUPERVISOR.value: msg("监督方"),
}
_STEPS: dict[str, Callable[..., AgreementView]] = {
    "register": use_cases.register_agreement,
    "withdraw": use_cases.withdraw_agreement,
}
_FIELDS = {
    "capital_fen": "capital", "year_minutes": "hours", "reserve_minutes": "reserve", "maintenance_minutes": "maintenance",
    "variable_fen_per_hour": "variable", "premium_bp": "premium", "outsider_premium_bp": "outsider_premium",
    "overdraw_minutes": "overdraw", "carry_over_minutes": "carry_over", "lending_notice_days": "notice",
}  # fmt: skip
_AT_THE_TABLE = ("capital", "life_years", "hours", "variable", "premium", "outsider_premium")
_MINUTES = ("hours", "reserve", "maintenance", "overdraw", "carry_over")


@pages.get("/joint/agreements")
def agreements() -> Response:
    """Show versions, newest first: a park's own, for staff all."""
    with page_work() as work:
        page = use_cases.list_agreements(work, limit=30, cursor=request.args.get("cursor"))
        may_write = work.actor.may(Permission.WRITE_JOINT)
    return show("joint/agreements.html", page=page, may_write=may_write)


@pages.get("/joint/agreements/new")
def new() -> Response:
    """Show the form for a version; with ``?after=`` it is filled with the one it is to replace."""
    return _form(None)


@pages.post("/joint/agreements/new")
def write() -> Response:
    """Write a version for its parties to sign."""
    try:
        terms, parties = _terms(), _parties()
        with page_work() as work:
            made = use_cases.write_agreement(
                work, terms=terms, parties=parties, series_id=id_of(field("series")) if field("series") else None
            )
    except Problem as problem:
        return _form(refusal_of(problem, _field_of))
    return go(url_for("joint_agreements.agreement", agreement_id=made.id))


@pages.get("/joint/agreements/<agreement_id>")
def agreement(agreement_id: str) -> Response:
    """Show a version: terms, what each is entitled to and would pay, who signed."""
    return _page(agreement_id, None)


@pages.post("/joint/agreements/<agreement_id>")
def decide(agreement_id: str) -> Response:
    """Sign a version, register it or withdraw it."""
    step = field("decision")
    try:
        with page_work() as work:
            if step in _STEPS:
                _STEPS[step](work, agreement_id=id_of(agreement_id))
            else:
                use_cases.sign_agreement(work, agreement_id=id_of(agreement_id), sha256=field("sha256"))
    except Problem as problem:
        return _page(agreement_id, refusal_of(problem, lambda _: None))
    return go(url_for("joint_agreements.agreement", agreement_id=agreement_id))


def _page(agreement_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_agreement(work, agreement_id=id_of(agreement_id))
        versions = use_cases.list_agreements(work, series_id=found.series_id, limit=50).items
        own = next((each for each in found.parties if each.park_id == work.actor.tenant_id), None)
        may = {
            "sign": work.actor.may(Permission.SIGN_JOINT) and own is not None and own.signed_at is None,
            "register": work.actor.may(Permission.REGISTER_JOINT) and found.status == "signed",
            "write": work.actor.may(Permission.WRITE_JOINT),
        }
    return show(
        "joint/agreement.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        found=found,
        versions=versions,
        may=may,
        roles=ROLES,
        methods=METHODS,
    )


def _form(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.WRITE_JOINT)
        parks = onboarding.list_parks(work, limit=200).items
        after = parse_id(request.args.get("after", ""))
        typed = dict(given()) if refusal else _typed_of(work, after, {each.name: str(each.id) for each in parks})
    return show(
        "joint/new.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        parks=parks,
        roles=ROLES,
        places=range(PLACES),
    )


def _typed_of(work: Work, after: UUID | None, parks: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form is filled with: the version that is to be replaced, or what was set at the negotiation table."""
    if after is None:
        return _negotiated(parks)
    found = use_cases.read_agreement(work, agreement_id=after)
    typed: dict[str, Any] = {
        "series": str(found.series_id), "title": found.title,
        "valid_to": found.valid_to.isoformat(), "life_years": str(found.life_years), "notice": str(found.lending_notice_days),
        "capital": _hundredth(found.capital_fen), "variable": _hundredth(found.variable_fen_per_hour),
        "premium": _hundredth(found.premium_bp), "outsider_premium": _hundredth(found.outsider_premium_bp),
        "hours": _hours(found.year_minutes), "reserve": _hours(found.reserve_minutes),
        "maintenance": _hours(found.maintenance_minutes), "overdraw": _hours(found.overdraw_minutes),
        "carry_over": _hours(found.carry_over_minutes),
    }  # fmt: skip
    for place, each in enumerate(found.parties[:PLACES]):
        typed |= {
            f"park-{place}": str(each.park_id),
            f"role-{place}": each.role,
            f"share-{place}": _hundredth(each.share_bp),
        }
    return typed


def _negotiated(parks: Mapping[str, str]) -> dict[str, Any]:
    """Return the table's state as the address holds it; a partner that bears a park's name is that park."""
    asked = request.args
    typed: dict[str, Any] = {"reserve": "0", "maintenance": "0", "notice": "14", "overdraw": "0", "carry_over": "0"}
    typed |= {name: asked[name][:20] for name in _AT_THE_TABLE if name in asked}
    if "reserve_hours" in asked:
        typed["reserve"] = asked["reserve_hours"][:5]
    for place, share in enumerate(asked.getlist("share")[:PLACES]):
        typed[f"share-{place}"] = share[:6]
    for place, name in enumerate(asked.getlist("park")[:PLACES]):
        typed[f"park-{place}"] = parks.get(name.strip(), "")
    return typed


def _terms() -> Terms:
    minutes = {name: _whole(name, most=10_000) * 60 for name in _MINUTES}
    return Terms(
        title=field("title"),
        valid_from=parse_day("valid_from"),
        valid_to=parse_day("valid_to"),
        capital_fen=fen_of("capital"),
        life_years=_whole("life_years"),
        year_minutes=minutes["hours"],
        reserve_minutes=minutes["reserve"],
        maintenance_minutes=minutes["maintenance"],
        variable_fen_per_hour=fen_of("variable"),
        premium_bp=_percent("premium"),
        outsider_premium_bp=_percent("outsider_premium"),
        lending_notice_days=_whole("notice"),
        overdraw_minutes=minutes["overdraw"],
        carry_over_minutes=minutes["carry_over"],
    )


def _parties() -> list[Share]:
    found = []
    for place in range(PLACES):
        park_id = parse_id(field(f"park-{place}"))
        if park_id is None:
            continue
        role = field(f"role-{place}")
        known = PartyRole(role) if role in ROLES else PartyRole.PARTICIPANT
        found.append(Share(park_id, known, _percent(f"share-{place}")))
    return found


def _percent(name: str) -> int:
    return hundredfold(name, field(name) or "0", msg("须为数字。请改正。"), msg("最多两位小数，且不能过大。请改正。"))


def _whole(name: str, most: int = 1_000) -> int:
    text = field(name) or "0"
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(most)):
        wrong = msg("须为不超过 {most} 的整数。请改正。", most=most)
        raise Invalid("joint.number", wrong, errors=[FieldError(name, "joint.number", wrong)])
    return int(text)


def _hundredth(value: int) -> str:
    return f"{value // 100}.{value % 100:02}".removesuffix(".00")


def _hours(minutes: int) -> str:
    return str(minutes // 60)


def _field_of(path: str) -> str | None:
    """Return the field of the form for a path of the terms; a party's faults stand under the parties."""
    return "parties" if path.startswith("parties") else _FIELDS.get(path, path)
