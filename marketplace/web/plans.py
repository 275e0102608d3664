"""The operator's plans: what each tier costs and includes, and the form for a tier's next version."""

from __future__ import annotations

import json
from datetime import datetime, time
from typing import Any

from flask import Response, request, url_for

from billing.usecases import plans as use_cases
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, page_group, page_work
from marketplace.web.policy_fields import json_of, parse_day
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission, Tier

pages = page_group("plans")

_FIELDS = {
    "monthly_fee_fen": "monthly_fee",
    "yearly_fee_fen": "yearly_fee",
    "monthly_minimum_fen": "monthly_minimum",
}
_NAMED = {"name", "name_en", "valid_from", "monthly_fee", "yearly_fee", "monthly_minimum", "entitlements", "tier"}


@pages.get("/plans")
def plans() -> Response:
    """Show every version of every plan, and the form for the next of one tier."""
    return _page(None)


@pages.post("/plans")
def set_plan() -> Response:
    """Set a tier's next version."""
    try:
        with page_work() as work:
            use_cases.set_plan(
                work,
                tier=_tier(field("tier")),
                name=field("name"),
                name_en=field("name_en"),
                monthly_fee_fen=fen_of("monthly_fee"),
                yearly_fee_fen=fen_of("yearly_fee"),
                monthly_minimum_fen=fen_of("monthly_minimum", empty=0),
                vat_bp=600,
                entitlements=json_of("entitlements"),
                valid_from=datetime.combine(parse_day("valid_from"), time(), CHINA) if field("valid_from") else None,
            )
    except Problem as problem:
        return _page(refusal_of(problem, _field_of))
    return go(url_for("plans.plans"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_CATALOGUE)
        found = use_cases.list_plans(work)
    wanted = field("tier") if refusal else request.args.get("tier", Tier.BASIC)
    last = next((each for each in found if each.tier == wanted), None)
    if last is None and refusal is None:
        raise NotFound("page.not_found", msg("没有找到所请求的内容。请从列表中重新打开。"))
    return show(
        "plans.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        plans=found,
        tiers=tuple(Tier),
        wanted=wanted,
        typed=given() if refusal or last is None else _fields_of(last),
    )


def _fields_of(plan: use_cases.PlanView) -> dict[str, Any]:
    """Return the form's fields as a version has them: the next one is written from it."""
    return {
        "name": plan.name,
        "name_en": plan.name_en,
        "monthly_fee": f"{plan.monthly_fee_fen / 100:.2f}",
        "yearly_fee": f"{plan.yearly_fee_fen / 100:.2f}",
        "monthly_minimum": f"{plan.monthly_minimum_fen / 100:.2f}",
        "entitlements": json.dumps(plan.document, ensure_ascii=False, indent=2),
    }


def _field_of(path: str) -> str | None:
    name = _FIELDS.get(path, path)
    return name if name in _NAMED else "entitlements"


def _tier(text: str) -> Tier:
    try:
        return Tier(text)
    except ValueError:
        wrong = msg("请从三个层级中选择一个。")
        raise Invalid("plan.unknown_tier", wrong, errors=[FieldError("tier", "unknown", wrong)]) from None
