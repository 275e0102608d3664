"""Agreements on joint facilities: the list, one version with its signatures, and the form for the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from billing.rules.joint_agreements import MOST_PARTIES, PartyRole, Share, Terms
from billing.usecases import joint_agreements as use_cases
from billing.usecases.joint_agreements import AgreementView
from billing.usecases.joint_proposals import Partner, propose_agreement
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
from tenants.usecases.named_parks import NamedPark, read_named_parks

pages = page_group("joint_agreements")

PLACES = 6
"""How many parties the form has places for; as many more as a version has that is replaced."""
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
        may_write = _may_write(work)
    return show("joint/agreements.html", page=page, may_write=may_write)


@pages.get("/joint/agreements/new")
def new() -> Response:
    """Show the form for a version; with ``?after=`` it is filled with the one it is to replace."""
    return _form(None)


@pages.post("/joint/agreements/new")
def write() -> Response:
    """Write a version for its parties to sign."""
    try:
        terms = _terms()
        series_id = id_of(field("series")) if field("series") else None
        with page_work() as work:
            if work.actor.tenant_id is None:
                made = use_cases.write_agreement(work, terms=terms, parties=_parties(), series_id=series_id)
            else:
                made = propose_agreement(work, terms=terms, partners=_partners(), series_id=series_id)
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
            "write": _may_write(work),
            "withdraw": work.actor.may(Permission.WRITE_JOINT) or _proposed(work, found),
        }
        proposer = next((each.name for each in found.parties if each.park_id == found.proposed_by_park), "")
    return show(
        "joint/agreement.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        found=found,
        proposer=proposer,
        versions=versions,
        may=may,
        roles=ROLES,
        methods=METHODS,
    )


def _form(refusal: Refusal | None) -> Response:
    with page_work() as work:
        own = work.actor.tenant_id
        work.actor.require(Permission.WRITE_JOINT if own is None else Permission.PROPOSE_JOINT)
        parks = onboarding.list_parks(work, limit=200).items if own is None else ()
        mine = None if own is None else read_named_parks(work, ids=[own])[0]
        after = parse_id(request.args.get("after", ""))
        if refusal:
            typed: dict[str, Any] = dict(given())
        elif after is None:
            named = {each.name: str(each.id) for each in parks}
            typed = _negotiated(named) if mine is None else _proposed_by(mine)
        else:
            typed = _typed_of(work, after)
    return show(
        "joint/new.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        parks=parks,
        mine=mine,
        roles=ROLES,
        places=range(max(PLACES, sum(name.startswith("share-") for name in typed))),
    )


def _typed_of(work: Work, after: UUID) -> dict[str, Any]:
    """Return what the form is filled with: the version that is to be replaced."""
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
    for place, each in enumerate(found.parties):
        typed |= {
            f"park-{place}": str(each.park_id),
            f"name-{place}": each.name,
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


def _proposed_by(mine: NamedPark) -> dict[str, Any]:
    """Return the table's state for a park, which knows itself; a partner's name stands at the place of its credit code."""
    typed = _negotiated({})
    names = [name.strip() for name in request.args.getlist("park")[:PLACES]]
    at = names.index(mine.name) if mine.name in names else 0
    for place, name in enumerate(names):
        typed[f"hint-{place}"] = name[:40]
    return typed | {f"uscc-{at}": mine.uscc, f"hint-{at}": mine.name}


def _may_write(work: Work) -> bool:
    return work.actor.may(Permission.WRITE_JOINT) or work.actor.may(Permission.PROPOSE_JOINT)


def _proposed(work: Work, found: AgreementView) -> bool:
    own = work.actor.tenant_id
    return own is not None and own == found.proposed_by_park and work.actor.may(Permission.PROPOSE_JOINT)


def _partners() -> list[Partner]:
    """Return the parties that a park typed in: by credit code, or parties of the version before by id."""
    found = []
    for place in range(MOST_PARTIES):
        uscc, park_id = field(f"uscc-{place}"), parse_id(field(f"park-{place}"))
        if not uscc and park_id is None:
            continue
        found.append(Partner(_role(place), _percent(f"share-{place}"), uscc, park_id))
    return found


def _role(place: int) -> PartyRole:
    role = field(f"role-{place}")
    return PartyRole(role) if role in ROLES else PartyRole.PARTICIPANT


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
    for place in range(MOST_PARTIES):
        park_id = parse_id(field(f"park-{place}"))
        if park_id is None:
            continue
        found.append(Share(park_id, _role(place), _percent(f"share-{place}")))
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
