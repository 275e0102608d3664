"""Conditions and differences of policy versions in words, as messages that every language can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeGuard

from billing.rules.conditions import AllOf, Comparison, Condition, Scalar, Tree
from billing.rules.money import format_yuan
from billing.rules.policy_diff import Difference, Topic
from billing.rules.terms import Cap, Funder, Rate, Rolling, Stacking
from marketplace.doors import codes
from tenants.kernel.messages import Message, msg
from tenants.rules.regions import region_name

_COMPARED = {
    Comparison.EQ: msg("为"),
    Comparison.NE: msg("不为"),
    Comparison.IN: msg("属于"),
    Comparison.LTE: msg("不高于"),
    Comparison.GTE: msg("不低于"),
    Comparison.LT: msg("低于"),
    Comparison.GT: msg("高于"),
}
_VALUES: Mapping[str, Mapping[str, Message]] = {
    "mode": codes.MODES,
    "base": codes.BASES,
    "shortfall": codes.SHORTFALLS,
    "payee": codes.PAYEES,
    "stacking.mode": codes.STACKING,
}


def percent(basis_points: int) -> str:
    """Return basis points as per cent, such as ``60%`` or ``12.5%``."""
    return f"{(Decimal(basis_points) / 100).normalize():f}%"


def condition_words(condition: Condition) -> Message:
    """Return a condition as ``园区规模为小型园区``."""
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return msg(
        "{fact}{comparison}{value}",
        fact=codes.FACTS.get(condition.fact, condition.fact),
        comparison=_COMPARED[condition.comparison],
        value=_listed([_value(condition.fact, value) for value in values], msg("{first}、{rest}")),
    )


def conditions_words(conditions: Sequence[Condition]) -> Message:
    """Return conditions that must all hold; without any it is every order."""
    if not conditions:
        return msg("所有情形")
    return _as_message(_listed([condition_words(each) for each in conditions], msg("{first}且{rest}")))


def tree_words(tree: Tree) -> Message:
    """Return a tree of conditions, brackets around what stands together."""
    if isinstance(tree, Condition):
        return condition_words(tree)
    if not tree.members:
        return msg("所有情形")
    joint = msg("{first}且{rest}") if isinstance(tree, AllOf) else msg("{first}或{rest}")
    return _as_message(
        _listed(
            [
                tree_words(member) if isinstance(member, Condition) else msg("（{inner}）", inner=tree_words(member))
                for member in tree.members
            ],
            joint,
        )
    )


def difference_words(difference: Difference) -> Message:
    """Return a difference as a sentence, such as ``地区类别为西部地区的补贴比例由 60% 提高到 70%``."""
    return _SAID[difference.topic](difference)


def _rate_moved(found: Difference) -> Message:
    what = msg("{about}的补贴比例", about=conditions_words(found.conditions))
    return _moved(what, found.before, found.after, percent(found.before), percent(found.after))


def _cap_moved(found: Difference) -> Message:
    what = msg("{scope}的上限（{about}）", scope=_scope(found), about=conditions_words(found.conditions))
    return _moved(what, found.before, found.after, _yuan(found.before), _yuan(found.after))


def _share_moved(found: Difference) -> Message:
    what = msg("资金池 {fund} 的分担比例", fund=found.subject)
    return _moved(what, found.before, found.after, percent(found.before), percent(found.after))


def _reason_changed(found: Difference) -> Message:
    return msg(
        "{about}的理由由 {before} 改为 {after}",
        about=conditions_words(found.conditions), before=found.before or "—", after=found.after or "—",
    )  # fmt: skip


def _of_rate(found: Difference) -> Message:
    return _conditions_changed(msg("补贴 {rate} 的一档", rate=percent(int(found.subject))), found.before, found.after)


def _of_cap(found: Difference) -> Message:
    return _conditions_changed(msg("{scope}的上限", scope=_scope(found)), found.before, found.after)


def _come(template: Message) -> Callable[[Difference], Message]:
    """Return how something new, or something that is gone, is said."""

    def said(found: Difference) -> Message:
        row = found.after or found.before
        figure = _yuan(row.amount_fen) if isinstance(row, Cap) else percent(_figure(row))
        about = conditions_words(found.conditions)
        return Message(
            template.template, {"about": about, "figure": figure, "scope": _scope(found), "fund": found.subject}
        )

    return said


def _figure(row: Rate | Funder) -> int:
    return row.rate_bp if isinstance(row, Rate) else row.share_bp


def _scope(found: Difference) -> Message | str:
    return codes.SCOPES.get(found.subject, found.subject)


def _setting(found: Difference) -> Message:
    path, before, after = found.path, found.before, found.after
    name = codes.SETTINGS.get(path, path)
    if _is_number(before) and _is_number(after):
        return _moved(_as_message(name), before, after, _said(path, before), _said(path, after))
    return msg("{name}由 {before} 改为 {after}", name=name, before=_said(path, before), after=_said(path, after))


def _moved(what: Message, before: Any, after: Any, old: object, new: object) -> Message:
    """Return how a figure moves: up, or down."""
    if after > before:
        return msg("{what}由 {old} 提高到 {new}", what=what, old=old, new=new)
    return msg("{what}由 {old} 降低到 {new}", what=what, old=old, new=new)


def _conditions_changed(what: Message, gone: Sequence[Condition], come: Sequence[Condition]) -> Message:
    if gone and come:
        return msg(
            "{what}：条件“{gone}”改为“{come}”", what=what, gone=conditions_words(gone), come=conditions_words(come)
        )
    if come:
        return msg("{what}：增加条件“{come}”", what=what, come=conditions_words(come))
    return msg("{what}：取消条件“{gone}”", what=what, gone=conditions_words(gone))


def _said(path: str, value: object) -> Message | str:
    if value is None:
        return msg("无")
    if isinstance(value, Stacking):
        return msg("{mode}（组 {group}）", mode=codes.STACKING[value.mode.value], group=value.group)
    if isinstance(value, Rolling):
        return msg(
            "同一实际控制人连续 {years} 年 {amount}（台账 {register}）",
            years=value.years, amount=_yuan(value.amount_fen), register=value.register,
        )  # fmt: skip
    if _is_number(value) and path.endswith("_bp"):
        return percent(value)
    if _is_number(value) and path.endswith("_fen"):
        return _yuan(value)
    if isinstance(value, date):
        return value.isoformat()
    return _VALUES.get(path, {}).get(str(value), str(value))


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _yuan(amount_fen: int) -> Message:
    return msg("{yuan} 元", yuan=format_yuan(amount_fen))


def _value(fact: str, value: Scalar) -> Message | str:
    if fact == "region":
        return f"{region_name(str(value))} {value}"
    if fact.endswith("_fen") and _is_number(value):
        return format_yuan(int(value))
    if isinstance(value, bool):
        return msg("是") if value else msg("否")
    return codes.FACT_VALUES.get(fact, {}).get(str(value), str(value))


def _listed(parts: Sequence[Message | str], joint: Message) -> Message | str:
    """Join parts two by two; ``joint`` says how in each language."""
    if not parts:
        return "—"
    joined = parts[-1]
    for part in reversed(parts[:-1]):
        joined = Message(joint.template, {"first": part, "rest": joined})
    return joined


def _as_message(text: Message | str) -> Message:
    return text if isinstance(text, Message) else Message("{text}", {"text": text})


_SAID: Mapping[Topic, Callable[[Difference], Message]] = {
    Topic.RATE: _rate_moved,
    Topic.RATE_ADDED: _come(msg("新增：{about}补贴 {figure}")),
    Topic.RATE_REMOVED: _come(msg("删除：{about}补贴 {figure}")),
    Topic.RATE_CONDITIONS: _of_rate,
    Topic.RATE_REASON: _reason_changed,
    Topic.RATE_ORDER: lambda _: msg("各档比例的先后次序有变（自上而下，第一条符合的适用）"),
    Topic.CAP: _cap_moved,
    Topic.CAP_ADDED: _come(msg("新增{scope}的上限 {figure}（{about}）")),
    Topic.CAP_REMOVED: _come(msg("取消{scope}的上限 {figure}（{about}）")),
    Topic.CAP_CONDITIONS: _of_cap,
    Topic.SHARE: _share_moved,
    Topic.FUNDER_ADDED: _come(msg("新增资金池 {fund}，分担 {figure}")),
    Topic.FUNDER_REMOVED: _come(msg("不再由资金池 {fund} 分担（原 {figure}）")),
    Topic.FUNDER_ORDER: lambda _: msg("资金池的先后次序有变（不能均分的一分钱由排在前面的承担）"),
    Topic.ELIGIBLE_CONDITIONS: lambda found: _conditions_changed(msg("适用条件"), found.before, found.after),
    Topic.ELIGIBLE: lambda found: msg(
        "适用条件由“{before}”改为“{after}”", before=tree_words(found.before), after=tree_words(found.after)
    ),
    Topic.SETTING: _setting,
}
