"""Whether a version of a programme is one that can be applied, and one that its programme allows.

Each refusal names the field, a stable code, the reason and the remedy. A list comes back rather than an exception,
so that a form can show all of them at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from billing.rules.conditions import Condition, all_hold
from billing.rules.known_facts import KnownFact, check_facts
from billing.rules.money import WHOLE_BP
from billing.rules.terms import CapScope, Policy, StackingMode
from tenants.kernel.errors import FieldError
from tenants.kernel.messages import msg

RESERVED = "rolling"
"""No programme's name: beside programmes and scopes it says what was used of rolling registers."""


@dataclass(frozen=True, slots=True)
class RateBounds:
    """The rates a programme allows for one park size, in basis points, both ends included."""

    low_bp: int
    high_bp: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What a programme holds its versions to. Empty members hold to nothing."""

    bounds: Mapping[str, RateBounds] = field(default_factory=dict)
    """By park size. A rate without a condition on ``park_size`` has to fit the bounds of every size."""
    known_facts: Mapping[str, KnownFact] = field(default_factory=dict)
    granted: Mapping[CapScope, int] = field(default_factory=dict)
    """The most that any one holder has been granted per scope, in fen."""
    rolled: int = 0
    """The most that any one controller has in the version's rolling register, in fen."""
    register_years: int | None = None
    """Over how many years others in force count in that register; None when nobody else uses it."""
    latest_version: int = 0
    not_before: date | None = None
    """The first day a new version may take effect."""
    neighbours: Sequence[Policy] = ()
    """Versions of other programmes of the same stacking group."""


def check_policy(policy: Policy, path: str = "") -> list[FieldError]:
    """Return what makes a version inapplicable, whatever its programme says. ``path`` is put before each field."""
    errors = [
        *_check_name(policy),
        *_check_window(policy),
        *_check_funders(policy),
        *_check_amounts(policy),
        *_check_year(policy),
    ]
    return [FieldError(f"{path}{error.field}", error.code, error.message) for error in errors]


def check_version(policy: Policy, frame: Frame) -> list[FieldError]:
    """Return everything that keeps a draft from being submitted in its programme."""
    return [
        *check_policy(policy),
        *_check_sense(policy),
        *_check_bounds(policy, frame.bounds),
        *check_facts(policy, frame.known_facts),
        *_check_granted(policy, frame.granted),
        *_check_rolling(policy, frame),
        *_check_succession(policy, frame),
        *_check_neighbours(policy, frame.neighbours),
    ]


def _check_name(policy: Policy) -> Iterable[FieldError]:
    if policy.programme == RESERVED:
        yield FieldError(
            "programme", "policy.reserved_name", msg("{name} 是保留字，不能用作项目代码。请换一个代码。", name=RESERVED)
        )


def _check_window(policy: Policy) -> Iterable[FieldError]:
    end = policy.window.end
    if end is not None and end <= policy.window.start:
        yield FieldError(
            "window.to", "policy.window_order", msg("结束日期须晚于开始日期（不含结束日）。请改正起止日期。")
        )


def _check_funders(policy: Policy) -> Iterable[FieldError]:
    total = sum(funder.share_bp for funder in policy.funders)
    if total != WHOLE_BP:
        yield FieldError(
            "funders",
            "policy.shares_do_not_sum",
            msg("各资金池分担比例合计为 {total}，须为 10000（即 100%）。请调整各分担比例。", total=total),
        )
    for index, funder in enumerate(policy.funders):
        if funder.fund in {other.fund for other in policy.funders[:index]}:
            yield FieldError(
                f"funders[{index}].fund",
                "policy.fund_twice",
                msg("资金池 {fund} 重复出现。请合并为一项。", fund=funder.fund),
            )


def _check_amounts(policy: Policy) -> Iterable[FieldError]:
    for index, rate in enumerate(policy.rates):
        if not 0 <= rate.rate_bp <= WHOLE_BP:
            yield FieldError(
                f"rates[{index}].rate_bp", "policy.rate_range", msg("补贴比例须在 0 至 10000 之间。请改正该比例。")
            )
    for index, cap in enumerate(policy.caps):
        if cap.amount_fen < 0:
            yield FieldError(
                f"caps[{index}].amount_fen", "policy.cap_not_positive", msg("上限金额不能为负数。请改正该金额。")
            )


def _check_year(policy: Policy) -> Iterable[FieldError]:
    try:
        valid = date.fromisoformat(f"2001-{policy.year_starts}").strftime("%m-%d") == policy.year_starts
    except ValueError:
        valid = False
    if not valid:
        yield FieldError(
            "year_starts",
            "policy.year_starts",
            msg("年度起始日须为每年都有的日期，请写作 MM-DD，例如 01-01 或 07-01。"),
        )


def _check_sense(policy: Policy) -> Iterable[FieldError]:
    """Refuse what can be applied but cannot have been meant."""
    for index, rate in enumerate(policy.rates):
        if not rate.when and index < len(policy.rates) - 1:
            yield FieldError(
                f"rates[{index + 1}]",
                "policy.rate_unreachable",
                msg("前一档没有条件，本档永远不会适用。请把无条件的一档放到最后。"),
            )
    for index, cap in enumerate(policy.caps):
        if cap.amount_fen == 0:
            yield FieldError(
                f"caps[{index}].amount_fen", "policy.cap_not_positive", msg("上限金额须大于零。请改正，或删除该上限。")
            )


def _check_bounds(policy: Policy, bounds: Mapping[str, RateBounds]) -> Iterable[FieldError]:
    for index, rate in enumerate(policy.rates):
        for size in bounds:
            limit = bounds[size]
            if _admits(rate.when, size) and not limit.low_bp <= rate.rate_bp <= limit.high_bp:
                yield FieldError(
                    f"rates[{index}].rate_bp",
                    "policy.rate_outside_bounds",
                    msg(
                        "园区规模 {size} 的补贴比例须在 {low} 至 {high} 之间，现为 {rate}。请改正比例，或为该规模另设一档。",
                        size=size, low=limit.low_bp, high=limit.high_bp, rate=rate.rate_bp,
                    ),
                )  # fmt: skip


def _admits(conditions: Iterable[Condition], size: str) -> bool:
    """Tell whether conditions leave room for a park size."""
    facts = {"park_size": size}
    about = [condition for condition in conditions if condition.fact == "park_size"]
    return all_hold(about, facts).holds


def _check_granted(policy: Policy, granted: Mapping[CapScope, int]) -> Iterable[FieldError]:
    for index, cap in enumerate(policy.caps):
        before = granted.get(cap.scope, 0)
        if cap.amount_fen < before:
            yield FieldError(
                f"caps[{index}].amount_fen",
                "policy.cap_below_granted",
                msg("上限低于已批出的 {granted} 分。请提高上限，或从下一年度起生效。", granted=before),
            )


def _check_rolling(policy: Policy, frame: Frame) -> Iterable[FieldError]:
    rolling = policy.rolling
    if rolling is None:
        return
    if rolling.amount_fen == 0:
        yield FieldError(
            "rolling.amount_fen",
            "policy.cap_not_positive",
            msg("上限金额须大于零。请改正，或删除该上限。"),
        )
    elif rolling.amount_fen < frame.rolled:
        yield FieldError(
            "rolling.amount_fen",
            "policy.cap_below_granted",
            msg("上限低于已批出的 {granted} 分。请提高上限，或从下一年度起生效。", granted=frame.rolled),
        )
    if frame.register_years is not None and rolling.years != frame.register_years:
        yield FieldError(
            "rolling.years",
            "policy.register_years",
            msg(
                "台账 {register} 按任意连续 {years} 年计算，共用它的项目须一致。请改为该年数，或另用一个台账。",
                register=rolling.register,
                years=frame.register_years,
            ),
        )


def _check_succession(policy: Policy, frame: Frame) -> Iterable[FieldError]:
    if policy.version <= frame.latest_version:
        yield FieldError(
            "version",
            "policy.version_not_new",
            msg("版本号须大于现有的 {latest}。已有版本不可修改，请新建版本。", latest=frame.latest_version),
        )
    if frame.not_before is not None and policy.window.start < frame.not_before:
        yield FieldError(
            "window.from",
            "policy.backdated",
            msg("生效日不能早于 {day}。政策不得追溯，请改为该日或之后。", day=frame.not_before.isoformat()),
        )


def _check_neighbours(policy: Policy, neighbours: Sequence[Policy]) -> Iterable[FieldError]:
    """Refuse two exclusive programmes of one group on the same day: nobody could tell which one excludes."""
    mine = policy.stacking
    if mine is None or mine.mode is not StackingMode.EXCLUSIVE:
        return
    for other in neighbours:
        theirs = other.stacking
        rival = theirs is not None and theirs.mode is mine.mode and theirs.group == mine.group
        if rival and other.programme != policy.programme and policy.window.overlaps(other.window):
            yield FieldError(
                "window",
                "policy.exclusive_overlap",
                msg(
                    "与同组排他项目 {programme} 第 {version} 版的有效期重叠。请错开有效期，或改用其他叠加方式。",
                    programme=other.programme, version=other.version,
                ),
            )  # fmt: skip


def repeated(policies: Sequence[Policy]) -> list[int]:
    """Return the positions of policies whose programme and version another one already has."""
    seen: Counter[tuple[str, int]] = Counter()
    positions = []
    for index, policy in enumerate(policies):
        seen[policy.order_key] += 1
        if seen[policy.order_key] > 1:
            positions.append(index)
    return positions
