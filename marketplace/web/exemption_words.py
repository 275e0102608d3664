"""What a case-by-case decision changes, in plain sentences in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from billing.rules.exemptions import LIFTABLE, STANDING_FACTS
from marketplace.web.explaining import FACTS, SCOPES
from marketplace.web.rendering import percent, say, yuan
from tenants.kernel.messages import msg

WAIVABLE = tuple(name for name in FACTS if name not in STANDING_FACTS)
"""Facts whose conditions an officer may waive on the page."""
CEILINGS = tuple(scope.value for scope in LIFTABLE)
"""Ceilings that an officer may lift or replace on the page."""


def changed_terms(terms: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each term that a decision changes."""
    said = []
    if terms.get("rate_bp") is not None:
        said.append(msg("补贴比例改为 {rate}。", rate=percent(terms["rate_bp"])))
    if terms.get("waive_price_limit"):
        said.append(msg("不受该政策的价格上限限制。"))
    if terms.get("waived_facts"):
        facts = say(msg("、")).join(fact_word(name) for name in terms["waived_facts"])
        said.append(msg("以下条件视为满足：{facts}。", facts=facts))
    for scope, amount in (terms.get("ceilings") or {}).items():
        if amount is None:
            said.append(msg("不受{ceiling}限制（仍计入已用额度）。", ceiling=scope_word(scope)))
        else:
            said.append(msg("{ceiling}改为 {amount}。", ceiling=scope_word(scope), amount=yuan(amount)))
    if terms.get("window_to"):
        last = date.fromisoformat(terms["window_to"]) - timedelta(days=1)
        said.append(msg("执行期延长至 {day}（含当日）。", day=last.isoformat()))
    return [say(each) for each in said]


def fact_word(name: str) -> str:
    """Return the word for a fact."""
    return say(FACTS[name]) if name in FACTS else name


def scope_word(scope: str) -> str:
    """Return the word for a ceiling."""
    return say(SCOPES[scope]) if scope in SCOPES else scope
