"""The columns of an issuing request: the operator's data, with a default to be adapted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules.e_invoices import DEFAULT_LAYOUT, INVOICE_SOURCES, LINE_SOURCES, LONGEST, MOST_COLUMNS, layout_faults
from billing.store import e_invoice_queries as store
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class LayoutView:
    """The layout that counts; ``set_at`` is None for the default that nobody has adapted."""

    layout: Mapping[str, Any]
    set_by: UUID | None
    set_at: datetime | None


def read_layout(work: Work) -> LayoutView:
    """Return the layout that counts."""
    work.actor.require(Permission.MANAGE_ISSUER)
    return current_layout(work)


def set_layout(work: Work, *, layout: Any) -> LayoutView:
    """Let a layout count from now on. Raises Invalid with the path of everything that is wrong."""
    work.actor.require(Permission.MANAGE_ISSUER)
    person = work.actor.require_person()
    faults = layout_faults(layout)
    if faults:
        errors = [FieldError(f"layout.{path}".rstrip("."), code, _said(code)) for path, code in faults]
        raise Invalid(
            "layout.invalid", msg("开票申请的列设置有 {count} 处错误。请按提示改正。", count=len(errors)), errors=errors
        )
    store.insert_layout(work.session, {"id": new_id(), "layout": layout, "set_by": person, "set_at": work.now})
    audit.record(work, "e_invoice.layout", "layout", "e_invoice", columns=len(layout["invoice"]) + len(layout["lines"]))
    return current_layout(work)


def current_layout(work: Work) -> LayoutView:
    """Return the layout that counts, for use cases that asked for their permission."""
    row = store.newest_layout(work.session)
    return LayoutView(DEFAULT_LAYOUT, None, None) if row is None else LayoutView(row.layout, row.set_by, row.set_at)


def _said(code: str) -> Message:
    if code == "layout.source":
        return msg(
            "取值须为其中之一：{choices}。请改正。", choices=", ".join(dict.fromkeys(INVOICE_SOURCES + LINE_SOURCES))
        )
    return {
        "layout.fields": msg("列设置只含 invoice、lines 与 tax_codes。请删除其余内容。"),
        "layout.columns": msg("须为 1 至 {most} 列的列表。请改正。", most=MOST_COLUMNS),
        "layout.heading": msg("每列须有列名（最多 {most} 个字）。请填写。", most=LONGEST),
        "layout.twice": msg("列名重复。请改正。"),
        "layout.text": msg("每列须有 source（取值）或 text（固定文字）之一。请改正。"),
        "layout.document_no": msg("须有一列取值为 document_no，否则无法对应回账单。请补上。"),
        "layout.tax_code": msg("商品和服务税收编码须为 19 位数字，按服务列出。请改正。"),
    }[code]
