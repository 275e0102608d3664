"""A plan's units: the first ones of each month cost nothing, and there may be a most. Counted before an order is accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.rules.plans import Entitlements
from billing.store import plan_uses as store
from billing.store.plan_uses import Used
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class Wanted:
    """A line's units, ``included`` of which cost nothing. What repeats a delivery costs nothing and is not counted."""

    offering: str
    units: int
    included: int = 0
    title: str = ""
    repeats: UUID | None = None


def split_included(
    work: Work, *, entitlements: Entitlements, month_from: date, lines: Sequence[Wanted]
) -> tuple[int, ...]:  # fmt: skip
    """Return how many units of each line would cost nothing now; of lines of one offering the first ones take first.

    Raises Conflict ``plan.limit`` when an offering's most in a month would be passed.
    """
    work.actor.require(Permission.ASK_QUOTE)
    counted = [line for line in lines if line.repeats is None]
    concerned = _concerned(entitlements, counted)
    if not concerned:
        return tuple(0 if line.repeats is None else line.units for line in lines)
    used = store.used_of(work.session, work.actor.require_tenant(), month_from, concerned)
    free = {slug: max(0, entitlements.included.get(slug, 0) - used[slug].included) for slug in concerned}
    found = []
    for line in lines:
        if line.repeats is not None:
            found.append(line.units)
            continue
        included = min(free.get(line.offering, 0), line.units)
        if included:
            free[line.offering] -= included
        found.append(included)
    for slug in concerned:
        _check_limit(entitlements, slug, used[slug], _sum(counted, slug))
    return tuple(found)


def count_order(
    work: Work, *, entitlements: Entitlements, month_from: date | None, lines: Mapping[UUID, Wanted]
) -> None:
    """Count an order's lines on its month, before it is accepted.

    Raises Conflict ``plan.limit``, and ``quote.included_changed`` when units that cost nothing were used meanwhile; the
    caller's transaction is undone.
    """
    work.actor.require(Permission.PLACE_ORDER)
    tenant = work.actor.require_tenant()
    lines = {line_id: line for line_id, line in lines.items() if line.repeats is None}
    concerned = _concerned(entitlements, tuple(lines.values()))
    if month_from is None or not concerned:
        return
    for slug in concerned:
        wanted = _sum(tuple(lines.values()), slug)
        most = entitlements.limits.get(slug)
        if not store.count(
            work.session, tenant, month_from, slug, wanted, most, entitlements.included.get(slug, 0)
        ):  # fmt: skip
            used = store.used_of(work.session, tenant, month_from, [slug])[slug]
            _check_limit(entitlements, slug, used, wanted)
            title = next(line.title or slug for line in lines.values() if line.offering == slug)
            raise included_changed(title, wanted.included, max(0, entitlements.included.get(slug, 0) - used.included))
    uses: list[Mapping[str, object]] = [
        {
            "tenant_id": tenant,
            "order_line_id": line_id,
            "month_from": month_from,
            "offering": line.offering,
            "units": line.units,
            "included": line.included,
            "given_back_at": None,
        }
        for line_id, line in lines.items()
        if line.offering in concerned
    ]
    store.insert_uses(work.session, uses)


def give_back(work: Work, order_line_ids: Sequence[UUID]) -> None:
    """Give back what lines count that end undelivered, for billing's own use cases, which asked for their permission."""
    store.give_back(work.session, work.actor.require_tenant(), order_line_ids, work.now)


def keep_part(work: Work, order_line_id: UUID, *, units: int, included: int) -> None:
    """Let a line that was used in part count only that, in its order's month, for billing's own use cases."""
    store.keep_part(work.session, work.actor.require_tenant(), order_line_id, Used(units, included))


def included_changed(title: str, shown: int, now: int) -> Conflict:
    """Return the refusal when other units cost nothing now than the quote says."""
    return Conflict(
        "quote.included_changed",
        msg(
            "“{title}”本月所含的免费数量已有变化：报价时含 {shown}，现在含 {now}。请重新询价并确认新的价格。",
            title=title,
            shown=shown,
            now=now,
        ),
    )


def _concerned(entitlements: Entitlements, lines: Sequence[Wanted]) -> list[str]:
    """Return the offerings of an order that a plan counts, in the order in which they are counted."""
    counted = {*entitlements.included, *entitlements.limits}
    return sorted({line.offering for line in lines} & counted)


def _sum(lines: Sequence[Wanted], slug: str) -> Used:
    own = [line for line in lines if line.offering == slug]
    return Used(sum(line.units for line in own), sum(line.included for line in own))


def _check_limit(entitlements: Entitlements, slug: str, used: Used, wanted: Used) -> None:
    most = entitlements.limits.get(slug)
    if most is not None and used.units + wanted.units > most:
        raise Conflict(
            "plan.limit",
            msg(
                "您的订阅每月最多可租用“{offering}”{most} 个单位，本月已用 {used}，本单 {wanted}。请减少数量，或升级订阅。",
                offering=slug,
                most=most,
                used=used.units,
                wanted=wanted.units,
            ),
        )
