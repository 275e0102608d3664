"""Quotes: a price with both payers' parts, shown with every reason, kept, and confirmed to the same fen or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from billing.formats.quotes import QuoteCommand, quote_json
from billing.formats.quotes import read_quote as read_command
from billing.rules.explanations import Explanation
from billing.rules.explanations import explain as explain_awards
from billing.rules.money import format_yuan
from billing.rules.subsidies import Quote as Priced
from billing.rules.subsidies import quote as apply_rules
from billing.store.programme_queries import policy_documents
from billing.store.quote_queries import quote_of
from billing.store.quotes import Quote
from billing.usecases.evaluation import Evaluated, QuoteLineRequest, evaluate, evaluate_each
from billing.usecases.plan_uses import included_changed
from billing.usecases.pricing import find_prices, no_price
from billing.usecases.quote_views import AwardView, Preview, QuoteLineView, QuoteView
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

__all__ = [
    "AwardView", "Preview", "QuoteLineRequest", "QuoteLineView", "QuoteView", "confirm_quote", "explain_each",
    "explain_quote", "make_quote", "preview", "preview_each", "read_quote", "replay_quote",
]  # fmt: skip


def make_quote(
    work: Work, *, lines: Sequence[QuoteLineRequest], facts: Mapping[str, Any], valid_for: timedelta
) -> QuoteView:
    """Price an order for the acting park and keep the price for ``valid_for``. Nothing is held yet.

    Raises Conflict when an offering has no price.
    """
    work.actor.require(Permission.ASK_QUOTE)
    tenant_id = work.actor.require_tenant()
    made = evaluate(work, tenant_id=tenant_id, lines=lines, facts=facts, at=work.now)
    view = _kept(made.preview, new_id(), work.now, work.now + valid_for)
    _store(work, tenant_id, view, made)
    audit.record(work, "quote.make", "quote", view.id, gross_fen=view.gross_fen, subsidy_fen=view.subsidy_fen)
    return view


def preview(work: Work, *, lines: Sequence[QuoteLineRequest], facts: Mapping[str, Any]) -> Preview:
    """Return what an order would cost the acting park now, without keeping anything."""
    work.actor.require(Permission.ASK_QUOTE)
    return evaluate(work, tenant_id=work.actor.require_tenant(), lines=lines, facts=facts, at=work.now).preview


def preview_each(
    work: Work, *, lines: Sequence[QuoteLineRequest], facts: Mapping[str, Any]
) -> tuple[QuoteLineView, ...]:
    """Return what each line would cost the acting park now if it were bought alone, without keeping anything."""
    work.actor.require(Permission.ASK_QUOTE)
    return tuple(line for line, _ in explain_each(work, lines=lines, facts=facts))


def explain_each(
    work: Work, *, lines: Sequence[QuoteLineRequest], facts: Mapping[str, Any]
) -> tuple[tuple[QuoteLineView, tuple[Explanation, ...]], ...]:
    """Return what ``preview_each`` does, each line with the explanations of its awards in their order."""
    work.actor.require(Permission.ASK_QUOTE)
    if not lines:
        return ()
    alone = [(line,) for line in lines]
    found = evaluate_each(work, tenant_id=work.actor.require_tenant(), orders=alone, facts=facts, at=work.now)
    return tuple((each.preview.lines[0], each.explain()[0]) for each in found)


def explain_quote(work: Work, *, quote_id: UUID) -> tuple[tuple[Explanation, ...], ...]:
    """Return for each line of a kept quote why each of its awards is what it is, as things stood when it was made."""
    work.actor.require(Permission.ASK_QUOTE)
    command, priced = _replayed(work, quote_id)
    return explain_awards(command.policies, command.order, command.used, command.funds, priced)


def read_quote(work: Work, *, quote_id: UUID) -> QuoteView:
    """Return a quote as it was shown. Raises NotFound for one of another park."""
    work.actor.require(Permission.ASK_QUOTE)
    return _view(_row(work, quote_id))


def confirm_quote(
    work: Work,
    *,
    quote_id: UUID,
    facts: Mapping[str, Any] | None = None,
    line_facts: Sequence[Mapping[str, Any]] | None = None,
    included: Sequence[int] | None = None,
    repeats: Sequence[UUID | None] | None = None,
) -> QuoteView:
    """Return a quote as it stands now, which is as it was shown: the same prices, and the same money by the same rules.

    ``facts`` and ``line_facts`` (of each line) are how the facts stand now, and ``included`` how many units of each line cost nothing,
    ``repeats`` which delivery each repeats; without them those of the quote are taken.

    Raises Conflict ``quote.expired``, ``price.changed``, ``quote.included_changed``, ``quote.repeat_changed``, ``quote.discount_changed`` or
    ``quote.subsidy_changed``; the park then asks anew, sees the new amounts and confirms those.
    """
    work.actor.require(Permission.PLACE_ORDER)
    tenant_id = work.actor.require_tenant()
    shown = _view(_row(work, quote_id))
    if shown.expires_at <= work.now:
        raise Conflict("quote.expired", msg("报价已过期。请重新询价并确认。"))
    stated = shown.facts if facts is None else facts
    _check_prices(work, shown, stated)
    again = [line.repeats for line in shown.lines] if repeats is None else repeats
    _check_repeats(shown, again)
    for line, free in zip(shown.lines, included or [line.included for line in shown.lines], strict=True):
        if line.included != free:
            raise included_changed(line.title or line.offering, line.included, free)
    lines = [
        QuoteLineRequest(line.offering, line.quantity, line.request, own, line.title, line.included, first)
        for line, own, first in zip(shown.lines, line_facts or [line.facts for line in shown.lines], again, strict=True)
    ]
    now = evaluate(work, tenant_id=tenant_id, lines=lines, facts=stated, at=work.now).preview
    _check_discounts(shown, now)
    if [_money(line) for line in now.lines] != [_money(line) for line in shown.lines]:
        raise Conflict(
            "quote.subsidy_changed",
            msg(
                "报价后补贴有变化：原补贴 {old} 元、应付 {old_payable} 元，现补贴 {new} 元、应付 {new_payable} 元。"
                "请重新询价，确认新的金额后再下单。",
                old=format_yuan(shown.subsidy_fen),
                old_payable=format_yuan(shown.payable_fen),
                new=format_yuan(now.subsidy_fen),
                new_payable=format_yuan(now.payable_fen),
            ),
        )
    return _kept(now, shown.id, shown.created_at, shown.expires_at)


def replay_quote(work: Work, *, quote_id: UUID) -> dict[str, Any]:
    """Work a kept quote out again from nothing but what was stored with it, as the ``quote`` command answers."""
    work.actor.require(Permission.ASK_QUOTE)
    return quote_json(_replayed(work, quote_id)[1])


def _replayed(work: Work, quote_id: UUID) -> tuple[QuoteCommand, Priced]:
    stored = _row(work, quote_id).facts["command"]
    versions = [(each["programme"], each["version"]) for each in stored["policies"]]
    command = read_command({**stored, "policies": policy_documents(work.session, versions)})
    return command, apply_rules(command.policies, command.order, command.used, command.funds, command.exemptions)


def _check_prices(work: Work, shown: QuoteView, facts: Mapping[str, Any]) -> None:
    prices = find_prices(work, offerings={line.offering for line in shown.lines}, at=work.now, facts=facts)
    for line in shown.lines:
        if line.offering not in prices:
            raise no_price(line.offering)
        price = prices[line.offering]
        if price.id != line.price_id:
            raise Conflict(
                "price.changed",
                msg(
                    "“{title}”的价格已由 {old} 元变为 {new} 元。请重新询价并确认新的价格。",
                    title=line.title or line.offering,
                    old=format_yuan(line.gross_fen),
                    new=format_yuan(price.gross_fen(line.quantity, line.included)),
                ),
            )


def _check_repeats(shown: Preview, now: Sequence[UUID | None]) -> None:
    """Refuse a quote whose line has become a repeat since, or is none any more; in both directions, as for prices."""
    for line, first in zip(shown.lines, now, strict=True):
        title = line.title or line.offering
        if line.repeats is None and first is not None:
            raise Conflict(
                "quote.repeat_changed",
                msg("“{title}”同样的需求刚刚已交付，再次交付不收费。请重新询价并确认。", title=title),
            )
        if line.repeats is not None and first is None:
            raise Conflict(
                "quote.repeat_changed",
                msg("“{title}”已不能免费再次交付：已满 30 天，或数据已更新。请重新询价并确认。", title=title),
            )


def _check_discounts(shown: Preview, now: Preview) -> None:
    """Refuse a quote whose discounts have begun, ended or changed since; in both directions, as for prices."""
    for line, other in zip(shown.lines, now.lines, strict=True):
        if line.agreed_discount_fen != other.agreed_discount_fen:
            raise Conflict(
                "quote.discount_changed",
                msg(
                    "“{title}”的折扣已由 {old} 元变为 {new} 元。请重新询价并确认新的价格。",
                    title=line.title or line.offering,
                    old=format_yuan(line.agreed_discount_fen),
                    new=format_yuan(other.agreed_discount_fen),
                ),
            )


def _money(line: QuoteLineView) -> tuple[object, ...]:
    """Return what of a line has to be the same when it is confirmed: who pays how much, by which version, now or later."""
    awards = tuple(
        (
            award.programme,
            award.version,
            award.mode,
            award.amount_fen,
            tuple(sorted(award.by_fund.items())),
            award.exemption,
        )
        for award in line.awards
        if award.amount_fen
    )
    return line.gross_fen, line.payable_fen, awards


def _row(work: Work, quote_id: UUID) -> Quote:
    row = quote_of(work.session, work.actor.require_tenant(), quote_id)
    if row is None:
        raise NotFound("quote.not_found", msg("没有找到该报价。请核对编号，或重新询价。"))
    return row


def _store(work: Work, tenant_id: UUID, view: QuoteView, made: Evaluated) -> None:
    work.session.execute(
        insert(Quote).values(
            tenant_id=tenant_id,
            id=view.id,
            lines=[line.document() for line in view.lines],
            facts={"facts": dict(view.facts), "command": _by_reference(made.command)},
            gross_fen=view.gross_fen,
            subsidy_fen=view.subsidy_fen,
            payable_fen=view.payable_fen,
            created_by=work.actor.user_id,
            created_at=view.created_at,
            expires_at=view.expires_at,
        )
    )


def _by_reference(command: Mapping[str, Any]) -> dict[str, Any]:
    """Return the command with its policies named instead of repeated: an approved version never changes."""
    named = [{"programme": policy["programme"], "version": policy["version"]} for policy in command["policies"]]
    return {**command, "policies": named}


def _view(row: Quote) -> QuoteView:
    lines = tuple(QuoteLineView.from_document(line) for line in row.lines)
    shown = Preview(
        lines=lines,
        facts=row.facts["facts"],
        gross_fen=row.gross_fen,
        subsidy_fen=row.subsidy_fen,
        payable_fen=row.payable_fen,
        later_fen=sum(line.later_fen for line in lines),
    )
    return _kept(shown, row.id, row.created_at, row.expires_at)


def _kept(shown: Preview, quote_id: UUID, created_at: datetime, expires_at: datetime) -> QuoteView:
    figures = {each.name: getattr(shown, each.name) for each in fields(Preview)}
    return QuoteView(**figures, id=quote_id, created_at=created_at, expires_at=expires_at)
