"""A version of a programme tried on past orders: what it would have cost, and who would have gained and lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules.periods import month_name
from billing.rules.simulation import Given, Tally
from billing.store.programme_queries import versions_of
from billing.store.programmes import Programme
from billing.usecases.policies_in_force import read_policy
from billing.usecases.programme_views import programme_not_found
from billing.usecases.replay import PastLine, PastOrder, Replay, Replayed
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

__all__ = ["PastLine", "PastOrder", "check_version_exists", "simulate"]


def simulate(
    work: Work,
    *,
    programme_id: UUID,
    version: int,
    since: datetime,
    until: datetime,
    with_funds: bool,
    orders: Iterable[Sequence[PastOrder]],
    progress: Callable[[int], None] = lambda _done: None,
) -> dict[str, Any]:
    """Return the result as JSON (see ``Tally.document``) of trying a version on ``orders``, oldest first, in batches.

    ``progress`` is told after each batch how many orders are done. Nothing is written. Raises NotFound for a version
    that does not exist.
    """
    work.actor.require(Permission.SIMULATE_PROGRAMME)
    slug, document = _version(work, programme_id, version)
    replay = Replay(work, read_policy(document), since, until, with_funds=with_funds)
    tally, done = Tally(slug), 0
    for batch in orders:
        for each in replay.place(batch):
            _count(tally, each)
        done += len(batch)
        progress(done)
    return tally.document()


def check_version_exists(work: Work, *, programme_id: UUID, version: int) -> None:
    """Raise NotFound for a version that nobody wrote."""
    work.actor.require(Permission.SIMULATE_PROGRAMME)
    _version(work, programme_id, version)


def _version(work: Work, programme_id: UUID, version: int) -> tuple[str, Mapping[str, Any]]:
    programme = work.session.get(Programme, programme_id)
    if programme is None:
        raise programme_not_found()
    for row in versions_of(work.session, programme_id):
        if row.version == version:
            return programme.slug, row.policy
    raise NotFound("policy.not_found", msg("没有第 {version} 版。请核对版本号。", version=version))


def _count(tally: Tally, replayed: Replayed) -> None:
    order = replayed.order
    lines = [
        (
            [
                Given(each["programme"], each["amount_fen"], each["by_fund"], tuple(each["reasons"]))
                for each in line.awards
            ],
            [Given(each.programme, each.amount_fen, each.by_funder, each.reasons) for each in result.awards],
        )
        for line, result in zip(order.lines, replayed.quote.lines, strict=True)
    ]
    gross = sum(line.gross_fen for line in order.lines)
    tally.add(str(order.tenant_id), month_name(order.placed_at), replayed.facts, gross, lines)
