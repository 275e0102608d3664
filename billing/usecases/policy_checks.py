"""What a programme holds a draft to: its own bounds, what was granted, its neighbours, and the facts that orders state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from billing.formats.documents import Document, read_document
from billing.formats.fields import BasisPoints
from billing.rules.known_facts import KNOWN_FACTS
from billing.rules.periods import cap_year, local_day, start_of_day
from billing.rules.policies import Frame, RateBounds, check_policy, check_version
from billing.rules.terms import CapScope, Policy
from billing.store import programme_queries
from billing.store.aid_queries import most_counted
from billing.store.ceiling_queries import most_used
from billing.store.fund_queries import ids_of_funds
from billing.store.programmes import Programme
from billing.usecases.aid_register import ceiling_of
from billing.usecases.policies_in_force import policies_in_force, read_policy
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import ParkSize
from tenants.kernel.work import Work


class BoundsDocument(Document):
    """The lowest and the highest rate for one park size, both allowed."""

    min_bp: BasisPoints
    max_bp: BasisPoints


class SizesDocument(Document):
    """Bounds per park size; a size without any takes every rate."""

    small: BoundsDocument | None = None
    medium: BoundsDocument | None = None
    large: BoundsDocument | None = None


def check_draft(work: Work, programme: Programme, rules: Policy, latest: int, *, may_have_begun: bool = False) -> None:
    """Refuse a version that could not be applied, or that its programme does not allow.

    ``may_have_begun``: its first day may have passed, as an approval never counts from before its own moment.
    """
    frame = Frame(
        bounds=read_bounds(programme.bounds),
        known_facts=KNOWN_FACTS,
        granted=_granted(work, rules),
        rolled=_rolled(work, rules),
        register_years=_register_years(work, rules),
        latest_version=latest,
        not_before=None if may_have_begun else local_day(work.now, rules.timezone),
        neighbours=[
            read_policy(version.policy) for version in programme_queries.neighbours_of(work.session, programme.id)
        ],
    )
    errors = [*check_version(rules, frame), *_check_place(programme, rules, latest), *_check_funds(work, rules)]
    if errors:
        raise Invalid(
            "policy.invalid", msg("政策版本有 {count} 处问题。请按所列字段逐一改正。", count=len(errors)), errors=errors
        )


def _check_place(programme: Programme, rules: Policy, latest: int) -> Iterable[FieldError]:
    if rules.programme != programme.slug:
        yield FieldError(
            "programme",
            "policy.other_programme",
            msg(
                "该版本写的是项目 {other}，不属于 {slug}。请改正或删去此字段。",
                other=rules.programme,
                slug=programme.slug,
            ),
        )
    if rules.version > latest + 1:
        yield FieldError(
            "version", "policy.version_gap", msg("下一版本号应为 {next}。请改正或删去此字段。", next=latest + 1)
        )


def _check_funds(work: Work, rules: Policy) -> Iterable[FieldError]:
    known = ids_of_funds(work.session, {funder.fund for funder in rules.funders})
    for index, funder in enumerate(rules.funders):
        if funder.fund not in known:
            yield FieldError(
                f"funders[{index}].fund",
                "policy.unknown_fund",
                msg("没有资金池 {fund}。请先设立该资金池，或改用已有的资金池。", fund=funder.fund),
            )


def _granted(work: Work, rules: Policy) -> dict[CapScope, int]:
    """Return the most that any holder has under each ceiling in the cap year of the version's first day."""
    if any(error.field == "year_starts" for error in check_policy(rules)):
        return {}  # there is no cap year to look into; the version is refused for that
    year = cap_year(rules.window.start, rules.year_starts).label
    used = most_used(work.session, rules.programme)
    return {
        scope: used.get((scope.value, year if scope.yearly else ""), 0)
        for scope in CapScope
        if scope is not CapScope.ORDER
    }


def _rolled(work: Work, rules: Policy) -> int:
    """Return the most that any controller has in the version's rolling register on its first day."""
    ceiling = ceiling_of(rules)
    if ceiling is None:
        return 0
    first = max(work.now, start_of_day(rules.window.start, rules.timezone))
    return most_counted(work.session, ceiling.register, ceiling.since(first))


def _register_years(work: Work, rules: Policy) -> int | None:
    """Return over how many years other programmes in force count in the version's rolling register."""
    in_force = (each.policy for each in policies_in_force(work, at=work.now))
    years = {
        other.rolling.years
        for other in in_force
        if other.rolling and rules.rolling and other.programme != rules.programme
        and other.rolling.register == rules.rolling.register
    }  # fmt: skip
    return min(years, default=None)


def read_bounds(bounds: Mapping[str, Any]) -> dict[str, RateBounds]:
    """Return the rates that a programme allows per park size. Raises Invalid at the field of every fault."""
    try:
        document = read_document(SizesDocument, dict(bounds))
    except Invalid as problem:
        errors = [FieldError(f"bounds.{error.field}", error.code, error.message) for error in problem.errors]
        raise Invalid(problem.code, problem.message, errors=errors) from problem
    sizes = {size.value: getattr(document, size.value) for size in ParkSize}
    found = {size: RateBounds(each.min_bp, each.max_bp) for size, each in sizes.items() if each is not None}
    wrong = [size for size, each in found.items() if each.low_bp > each.high_bp]
    if wrong:
        message = msg("最低比例不能高于最高比例。请改正其中之一。")
        raise Invalid(
            "programme.bounds_order",
            message,
            errors=[FieldError(f"bounds.{size}.max_bp", "programme.bounds_order", message) for size in wrong],
        )
    return found
