"""The register of case-by-case decisions as a table: one row an order line touched, and one for a decision not used yet."""

from __future__ import annotations

from collections.abc import Sequence

from billing.rules.money import yuan
from marketplace.formats.tables import Cell, Table
from marketplace.usecases.exempted_lines import ExemptionWithLines
from marketplace.web import words
from marketplace.web.exemption_words import changed_terms
from marketplace.web.rendering import day, name_in_language, say
from tenants.kernel.messages import msg

_HEADER = (
    msg("文号"), msg("园区"), msg("政策"), msg("变更的条款"), msg("状态"), msg("到期日"), msg("补贴总额（元）"), msg("已用（元）"),
    msg("订单"), msg("服务"), msg("承诺（元）"), msg("预占中（元）"), msg("已核销（元）"),
)  # fmt: skip


def exemption_table(found: Sequence[ExemptionWithLines]) -> Table:
    """Return decisions in the reader's language; money in yuan."""
    rows: list[list[Cell]] = []
    for each in found:
        decision = each.exemption
        head: list[Cell] = [
            decision.document_no,
            decision.park_name,
            name_in_language(decision.programme_name, decision.programme_name_en),
            " ".join(changed_terms(decision.terms)),
            words.word("exemption", decision.state),
            day(decision.expires_at),
            yuan(decision.limit_fen),
            yuan(decision.used_fen),
        ]
        rows += [
            [*head, line.order_number, line.title, *map(yuan, (line.amount_fen, line.held_fen, line.captured_fen))]
            for line in each.lines
        ] or [[*head, None, None, None, None, None]]
    return Table(say(msg("一事一议")), [say(title) for title in _HEADER], rows)
