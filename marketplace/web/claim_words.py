"""Codes of claims in words: states, steps, proofs, and what happened to a line."""

from __future__ import annotations

from collections.abc import Mapping

from tenants.kernel.messages import Message, msg

CLAIM_LINE = {"claimed": msg("在批"), "returned": msg("已退回"), "given_up": msg("已放弃"), "paid": msg("已拨付")}
CLAIM_STEP = {"submit": msg("提交审核"), "first": msg("初审"), "second": msg("复审"), "disburse": msg("拨付")}
CLAIM_EVENT = {
    "entered": msg("交付核销，列入批次"),
    "submitted": msg("提交审核"),
    "deferred": msg("材料不全，顺延"),
    "returned": msg("退回"),
    "attached": msg("补充材料"),
    "resubmitted": msg("补正后重新申报"),
    "given_up": msg("放弃，资金退回"),
    "objected": msg("有人提出异议"),
    "objection_dismissed": msg("异议不成立"),
    "payout_cancelled": msg("拨付单取消"),
    "paid": msg("已拨付"),
}
PAYOUT = {"pending": msg("待付款"), "paid": msg("已付款"), "cancelled": msg("已取消")}
PAYEE = {"provider": msg("服务机构"), "tenant": msg("园区")}
OBJECTION = {"open": msg("待处理"), "upheld": msg("成立"), "dismissed": msg("不成立")}
ACCEPTANCE = {"accepted": msg("园区已验收"), "disputed": msg("园区有异议"), "automatic": msg("逾期未异议，视为验收")}
PROOF = {
    "payee": msg("收款方"),
    "order": msg("订单"),
    "metering": msg("计量记录"),
    "acceptance": msg("验收"),
    "report": msg("成果哈希"),
    "invoice": msg("账单"),
    "payment": msg("付款凭证"),
}
EVIDENCE = {
    "contract": msg("合同"),
    "invoice": msg("发票"),
    "payment_proof": msg("付款凭证"),
    "acceptance": msg("验收单"),
    "report": msg("成果报告"),
    "usage_log": msg("使用记录"),
    "decision": msg("决定文件"),
}

CLAIM_KINDS: Mapping[str, Mapping[str, Message]] = {
    "claim_line": CLAIM_LINE,
    "claim_step": CLAIM_STEP,
    "claim_event": CLAIM_EVENT,
    "payout": PAYOUT,
    "payee": PAYEE,
    "objection": OBJECTION,
    "acceptance": ACCEPTANCE,
    "proof": PROOF,
    "evidence": EVIDENCE,
}
"""By kind, as ``words.word`` is asked for them."""
