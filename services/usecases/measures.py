"""Policies, funds and laboratories: versions laid down by the operator, and an enterprise held against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from services.formats.measures import MeasureDocument, read_measure, read_profile
from services.rules import matching
from services.rules.matching import Match, Share, Verdict
from services.store.catalogue import Offering
from services.store.measures import Measure, MeasureGroup
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

UPCOMING_DAYS = 90
"""How long before a measure opens enterprises are told of it."""


@dataclass(frozen=True)
class MeasureView:
    """A measure in one version. ``valid_to`` is its end by now, None for one without."""

    document: MeasureDocument
    version: int
    valid_to: date | None
    created_by: UUID | None
    created_at: datetime

    @property
    def slug(self) -> str:
        """What the measure is called in addresses."""
        return self.document.slug

    def state(self, on: date) -> str:
        """Return ``upcoming``, ``in_force`` or ``ended``."""
        if self.valid_to is not None and self.valid_to <= on:
            return "ended"
        return "upcoming" if self.document.valid_from > on else "in_force"


@dataclass(frozen=True)
class MatchView:
    """A measure and what it comes to for an enterprise. ``share`` is what it adds to the sum, None for nothing."""

    measure: MeasureView
    match: Match
    share: Share | None


@dataclass(frozen=True)
class MatchReport:
    """What fits an enterprise on a day: matches first, then what lacks a fact, then what does not fit."""

    on: date
    matches: tuple[MatchView, ...]
    missing: tuple[str, ...]
    total_fen: int


def save_measure(work: Work, *, measure: Mapping[str, Any]) -> MeasureView:
    """Lay down a measure, or its next version, which ends the one before it on the day it begins.

    Raises Invalid for a document that is none, Conflict for a version that begins before an earlier one, and for a group
    that is known with another mode or cap.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    document = read_measure(measure)
    _check_offering(work, document)
    _know_group(work, document)
    latest = _latest(work, document.slug)
    version = 1
    if latest is not None:
        version = latest.version + 1
        if document.kind != latest.document.kind:
            raise _conflict("measure.kind", "kind", msg("这一项目的类别不能更改。请另取代码新建。"))
        if document.valid_from <= latest.document.valid_from:
            raise _conflict(
                "measure.too_early",
                "valid_from",
                msg("新版本须在上一版本的生效日 {day} 之后生效。请改正。", day=latest.document.valid_from),
            )
        if latest.valid_to is None or latest.valid_to > document.valid_from:
            _end(work, latest, document.valid_from)
    row = {
        "slug": document.slug,
        "version": version,
        "kind": document.kind,
        "title": document.title,
        "region_code": document.region_code,
        "valid_from": document.valid_from,
        "valid_to": document.valid_to,
        "group_slug": document.stacking.group if document.stacking else None,
        "document": document.model_dump(mode="json", by_alias=True, exclude_none=True),
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    if rows_written(work.session, insert(Measure).values(row).on_conflict_do_nothing()) == 0:
        raise Conflict("measure.busy", msg("这一项目刚刚被别人修改。请刷新后重试。"))
    audit.record(work, "measure.save", "measure", document.slug, version=version)
    return read_measure_view(work, slug=document.slug)


def end_measure(work: Work, *, slug: str, on: date) -> MeasureView:
    """End a measure's newest version: from day ``on``, today or later, it counts no more.

    Raises NotFound, Invalid for a day in the past, Conflict for one that ended before.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    latest = read_measure_view(work, slug=slug)
    if on < _today(work):
        message = msg("截止日期不能早于今天。请改正。")
        raise Invalid("measure.past", message, errors=[FieldError("on", "measure.past", message)])
    if latest.valid_to is not None and latest.valid_to <= on:
        raise Conflict("measure.ended", msg("这一项目在 {day} 已经截止。", day=latest.valid_to))
    _end(work, latest, max(on, latest.document.valid_from))
    audit.record(work, "measure.end", "measure", slug, version=latest.version, on=on.isoformat())
    return read_measure_view(work, slug=slug)


def list_measures(work: Work) -> tuple[MeasureView, ...]:
    """Return the newest version of every measure, by kind and slug."""
    work.actor.require(Permission.READ_CATALOGUE)
    newest = select(Measure).ext(distinct_on(Measure.slug)).order_by(Measure.slug, Measure.version.desc())
    return tuple(sorted(_views(work, newest), key=lambda each: (each.document.kind, each.slug)))


def read_measure_view(work: Work, *, slug: str) -> MeasureView:
    """Return a measure's newest version; NotFound when there is none."""
    work.actor.require(Permission.READ_CATALOGUE)
    latest = _latest(work, slug)
    if latest is None:
        raise NotFound("measure.not_found", msg("没有找到这一项目。请从列表中重新打开。"))
    return latest


def list_versions(work: Work, *, slug: str) -> tuple[MeasureView, ...]:
    """Return a measure's versions, the newest first; NotFound when there is none."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = _views(work, select(Measure).where(Measure.slug == slug).order_by(Measure.version.desc()))
    if not found:
        raise NotFound("measure.not_found", msg("没有找到这一项目。请从列表中重新打开。"))
    return found


def match_enterprise(work: Work, *, profile: Mapping[str, Any], on: date | None = None) -> MatchReport:
    """Hold an enterprise's profile against all measures that count on day ``on`` (today), or open soon after it.

    Nothing of the profile is kept. Raises Invalid ``profile.invalid`` with every wrong field.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    day = on or _today(work)
    document = read_profile(profile)
    facts = matching.facts_of(document.stated(), founded_on=document.founded_on, on=day)
    counting = select(Measure).where(
        func.daterange(Measure.valid_from, Measure.valid_to).op("&&")(func.daterange(day, _later(day)))
    )
    views = {(each.slug, each.version): each for each in _views(work, counting)}
    found = [
        matching.match(each.document.to_rules(version=each.version, valid_to=each.valid_to), facts, on=day)
        for each in views.values()
    ]
    shares = {each.slug: each for each in matching.combine(found)}
    order = {Verdict.MATCH: 0, Verdict.INCOMPLETE: 1, Verdict.NO: 2}
    found.sort(key=lambda each: (order[each.verdict], each.opens_on is not None, -(each.amount_fen or 0),
                                 len(each.missing), each.measure.slug))  # fmt: skip
    counts: dict[str, int] = {}
    for each in found:
        for name in each.missing:
            counts[name] = counts.get(name, 0) + 1
    return MatchReport(
        on=day,
        matches=tuple(
            MatchView(views[each.measure.slug, each.measure.version], each, _share(each, shares)) for each in found
        ),
        missing=tuple(sorted(counts, key=lambda name: (-counts[name], name))),
        total_fen=sum(each.counted_fen for each in shares.values()),
    )


def _share(found: Match, shares: Mapping[str, Share]) -> Share | None:
    return shares.get(found.measure.slug) if found.opens_on is None else None


def _later(day: date) -> date:
    return date.fromordinal(min(day.toordinal() + UPCOMING_DAYS, date.max.toordinal()))


def _today(work: Work) -> date:
    return work.now.astimezone(CHINA).date()


def _latest(work: Work, slug: str) -> MeasureView | None:
    newest = select(Measure).where(Measure.slug == slug).order_by(Measure.version.desc()).limit(1)
    return next(iter(_views(work, newest)), None)


def _views(work: Work, query: Select[Measure]) -> tuple[MeasureView, ...]:
    rows = work.session.scalars(query.execution_options(populate_existing=True)).all()
    return tuple(
        MeasureView(
            document=MeasureDocument.model_validate(row.document),
            version=row.version,
            valid_to=row.valid_to,
            created_by=row.created_by,
            created_at=row.created_at,
        )
        for row in rows
    )


def _end(work: Work, measure: MeasureView, on: date) -> None:
    ended = (
        update(Measure)
        .where(Measure.slug == measure.slug, Measure.version == measure.version)
        .values(valid_to=on, ended_by=work.actor.user_id)
    )
    work.session.execute(ended)


def _check_offering(work: Work, document: MeasureDocument) -> None:
    if document.offering is None:
        return
    known = select(Offering.slug).where(Offering.slug == document.offering)
    if work.session.execute(known).scalar_one_or_none() is None:
        message = msg("没有名为“{slug}”的服务。请从服务目录中选择。", slug=document.offering)
        raise Invalid("measure.offering", message, errors=[FieldError("measure.offering", "measure.offering", message)])


def _know_group(work: Work, document: MeasureDocument) -> None:
    wanted = document.stacking
    if wanted is None:
        return
    row = {"slug": wanted.group, "mode": wanted.mode, "cap_fen": wanted.cap_fen, "created_at": work.now}
    work.session.execute(insert(MeasureGroup).values(row).on_conflict_do_nothing())
    known = work.session.execute(
        select(MeasureGroup.mode, MeasureGroup.cap_fen).where(MeasureGroup.slug == wanted.group)
    ).one()
    if (known.mode, known.cap_fen) != (wanted.mode, wanted.cap_fen):
        raise _conflict(
            "measure.group",
            "stacking",
            msg("组 {group} 已按另一种方式（{mode}）或上限设立。请改用同样的设置，或另取组名。",
                group=wanted.group, mode=known.mode),
        )  # fmt: skip


def _conflict(code: str, field: str, message: Message) -> Conflict:
    return Conflict(code, message, errors=[FieldError(f"measure.{field}", code, message)])
