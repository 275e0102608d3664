"""Codes in words that pages and API both say."""

from __future__ import annotations

from tenants.kernel.messages import msg

TIERS = {"basic": msg("基础层"), "enhanced": msg("增强层"), "leading": msg("引领层")}
SIZES = {"small": msg("小型园区"), "medium": msg("中型园区"), "large": msg("大型园区")}
REGION_CLASSES = {"western": msg("西部地区"), "central": msg("中部地区"), "eastern": msg("东部地区")}
VERIFICATION = {"pending": msg("待审核"), "verified": msg("已通过审核"), "rejected": msg("审核未通过")}
DELIVERIES = {
    "twin": msg("数字孪生"),
    "schedule": msg("能耗优化"),
    "leads": msg("招商线索"),
    "inspection": msg("检验检测"),
    "samples": msg("送样检测"),
    "monitoring": msg("监测"),
    "alarms": msg("安防告警"),
    "carbon": msg("碳监测"),
}
FACTS = {
    "park_size": msg("园区规模"),
    "region_class": msg("地区类别"),
    "region": msg("区县"),
    "tier": msg("园区层级"),
    "verification": msg("审核状态"),
    "offering": msg("服务代码"),
    "offering_tier": msg("服务层级"),
    "delivery": msg("服务类型"),
    "gross_fen": msg("标价（元）"),
    "control_group": msg("园区实际控制人"),
    "provider": msg("服务机构"),
    "provider_control_group": msg("服务机构实际控制人"),
    "related_party": msg("关联方"),
    "already_subsidised": msg("已享受补贴"),
    "credit_blocked": msg("园区在失信名单中"),
    "provider_credit_blocked": msg("服务机构在失信名单中"),
}
"""What conditions of programmes may ask for."""
FACT_VALUES = {
    "park_size": SIZES,
    "region_class": REGION_CLASSES,
    "tier": TIERS,
    "verification": VERIFICATION,
    "offering_tier": TIERS,
    "delivery": DELIVERIES,
}
SCOPES = {
    "order": msg("每笔订单"),
    "entity_year": msg("每个园区每年"),
    "controller_year": msg("同一实际控制人每年"),
    "provider_pool": msg("每家服务机构"),
    "fund_year": msg("资金年度总额"),
    "scheme": msg("政策执行期总额"),
}
MODES = {"instant": msg("即时抵扣"), "reimburse": msg("后补助"), "auto": msg("免申即享")}
BASES = {"gross": msg("含税价"), "net_of_vat": msg("不含税价")}
SHORTFALLS = {"partial": msg("按剩余额度部分补贴"), "all_or_nothing": msg("不足额则不予补贴")}
PAYEES = {"provider": msg("服务机构"), "tenant": msg("园区")}
STACKING = {"SUM": msg("叠加"), "MAX": msg("只取最优的一项"), "EXCLUSIVE": msg("与同组其他政策互斥")}
SETTINGS = {
    "window.from": msg("执行期开始日"),
    "window.to": msg("执行期结束日（不含）"),
    "mode": msg("补贴方式"),
    "base": msg("补贴基数"),
    "timezone": msg("时区"),
    "year_starts": msg("年度起始日"),
    "currency": msg("币种"),
    "price_limit_fen": msg("价格上限"),
    "rolling": msg("连续数年上限"),
    "shortfall": msg("额度不足时"),
    "payee": msg("款项拨给"),
    "stacking": msg("叠加规则"),
    "stacking.group": msg("叠加组"),
    "stacking.mode": msg("叠加方式"),
    "stacking.combined_cap_bp": msg("合计比例上限"),
    "stacking.combined_cap_fen": msg("合计金额上限"),
}
"""Fields of a policy version."""
ACCOUNTS = {
    "bank": msg("银行存款"),
    "revenue:services": msg("服务收入"),
    "vat:output": msg("应交增值税（销项）"),
    "suspense:receipts": msg("待认领收款"),
    "receivable:park": msg("应收园区款"),
    "receivable:fund": msg("应收补贴资金"),
    "provider": msg("服务机构往来"),
    "grants:park": msg("应付园区后补助"),
    "wallet:park": msg("园区预存款"),
    "expense:credits": msg("赠送额度"),
    "budget:treasury": msg("财政拨款"),
    "budget:fund": msg("专项资金预算"),
}
"""Accounts of the books, by their codes without the owner's id."""
