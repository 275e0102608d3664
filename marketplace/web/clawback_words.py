"""Codes of returns and clawbacks in words."""

from __future__ import annotations

from tenants.kernel.messages import msg

KINDS = {
    "return_cause": {
        "returned": msg("服务无法使用"),
        "undelivered": msg("实际未交付"),
        "wrong": msg("交付有误"),
    },
    "clawback_cause": {
        "ineligible": msg("园区不符合补贴条件"),
        "returned": msg("服务已退回"),
        "undelivered": msg("服务未交付"),
        "fraud": msg("欺诈骗取"),
    },
    "bearer": {"park": msg("园区"), "provider": msg("服务机构")},
    "clawback": {
        "opened": msg("已立案"),
        "dismissed": msg("不予追回"),
        "upheld": msg("待退回"),
        "closed": msg("已结案"),
        "written_off": msg("已核销不再追"),
    },
    "repayment": {"treasury": msg("汇至财政专户"), "wallet": msg("从园区钱包扣付"), "set_off": msg("从拨付款抵扣")},
}
"""What each code of each kind is called."""
