"""Codes in words: tiers, sizes, statuses, and why an award is what it is. An unknown code is shown as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marketplace.doors.codes import ACCOUNTS, DELIVERIES, REGION_CLASSES, SIZES, TIERS, VERIFICATION
from marketplace.doors.fund_words import PLACES, envelope_name
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from marketplace.web import carbon_words
from marketplace.web.claim_words import CLAIM_KINDS
from marketplace.web.clawback_words import KINDS as CLAWBACK_KINDS
from tenants.kernel.messages import Message, msg

TIER_TEXTS = {
    "basic": msg("能耗监测与安防告警：看清用能，及时知道异常。"),
    "enhanced": msg("加上 AI 招商线索与共享检测：少建少养，用时再租。"),
    "leading": msg("加上数字孪生与零碳推演：以一年数据算清投资与减碳。"),
}
SUPPORT = {
    "standard": msg("标准支持"),
    "priority": msg("优先支持"),
    "dedicated": msg("专人支持"),
}
EVERY = {"month": msg("月"), "year": msg("年")}
CHANGES = {
    "start": msg("订阅"),
    "upgrade": msg("升级"),
    "downgrade": msg("降级"),
    "terms": msg("更改计费方式"),
    "keep": msg("保留"),
    "none": msg("保留"),
}
"""What a wish for a tier means."""
UNITS = {"run": msg("次"), "report": msg("份"), "hour": msg("小时"), "site_month": msg("站点·月"), "test": msg("项次")}
PAYMENT = {"invoice": msg("月结转账"), "wallet": msg("钱包支付")}
ORDER = {
    "placed": msg("进行中"),
    "delivered": msg("已交付"),
    "completed": msg("已完成"),
    "failed": msg("未能交付"),
    "cancelled": msg("已取消"),
}
RUN = {
    "queued": msg("排队中"),
    "running": msg("计算中"),
    "succeeded": msg("已完成"),
    "failed": msg("失败"),
    "cancelled": msg("已取消"),
}
STAGES = {
    "queued": msg("等待空闲的计算节点"),
    "prepare": msg("读取数据与电价"),
    "photovoltaics": msg("推算光伏发电"),
    "size": msg("测算合适的规模"),
    "optimise": msg("寻找最优运行方式"),
    "extend": msg("测算扩容后的一年"),
    "grid": msg("校核变压器与电压"),
    "report": msg("编写报告"),
    "pitches": msg("润色推介语"),
    "read": msg("读取企业名录"),
    "score": msg("为企业评分"),
    "rank": msg("为企业排序"),
    "write": msg("编写文件"),
    "done": msg("完成"),
}
BOOKING = {
    "booked": msg("已预约"),
    "reported": msg("已出具结果"),
    "cancelled": msg("已取消"),
    "failed": msg("未能检测"),
    "no_show": msg("爽约"),
}
FLOWS = {
    "grid": msg("电网"),
    "own": msg("自有发电"),
    "battery": msg("储能放电"),
    "load": msg("负荷"),
    "charging": msg("储能充电"),
    "export": msg("上网"),
    "curtailed": msg("弃电"),
}
"""Where energy comes from and goes to."""
AGGREGATIONS = {
    "count": msg("计次数"),
    "sum": msg("求和"),
    "max": msg("最大值"),
    "min": msg("最小值"),
    "avg": msg("平均值"),
    "unique_count": msg("不同值的个数"),
    "latest": msg("最近的值"),
    "weighted_sum": msg("按时间加权"),
}
INVOICE = {"draft": msg("草稿"), "finalized": msg("待付款"), "paid": msg("已付清"), "void": msg("已作废")}
MEASURED = {
    "electricity": msg("用电"),
    "cooling": msg("供冷"),
    "heat": msg("供热"),
    "gas": msg("燃气"),
    "water": msg("用水"),
    "temperature": msg("气温"),
    "humidity": msg("湿度"),
    "other": msg("其他"),
}
READING_KINDS = {"interval": msg("区间量"), "cumulative": msg("累计表底"), "instant": msg("瞬时值")}
STAMPS = {"start": msg("区间开始"), "end": msg("区间结束")}
FLAGS = {
    "missing": msg("缺失"),
    "bridged": msg("短缺口补值"),
    "out_of_range": msg("越限剔除"),
    "stuck": msg("数值不动"),
    "reset": msg("表底复位"),
    "estimated": msg("上报为估计"),
    "spread": msg("缺口内均摊"),
}
FORECASTS = {"boosted": msg("学习模型（LightGBM）"), "weekly": msg("照上周同日"), "daily": msg("照前一日")}
ALARM_KINDS = {"above": msg("高于"), "below": msg("低于"), "silent": msg("无数据")}
WORK_ORDERS = {"open": msg("待响应"), "accepted": msg("处理中"), "closed": msg("已关闭")}
ORDER_STEPS = {
    "found": msg("发现异常"),
    "escalated": msg("超时升级"),
    "accepted": msg("响应"),
    "handed_over": msg("转交给"),
    "noted": msg("记录"),
    "closed": msg("关闭"),
    "verified": msg("节约量已核算"),
}
ORDER_OUTCOMES = {"fixed": msg("已排除"), "no_fault": msg("无故障"), "accepted_change": msg("属正常变化")}
STANDING = {
    "running": msg("续租中"),
    "ended": msg("已到期"),
    "stopped": msg("已停止"),
    "halted": msg("续租被拒，已停止"),
}
SAMPLES = {
    "registered": msg("待收样"),
    "received": msg("已收样"),
    "testing": msg("检测中"),
    "reported": msg("已出报告"),
    "cancelled": msg("已取消"),
    "failed": msg("未能检测"),
}
CUSTODY = {
    "registered": msg("登记"),
    "sent": msg("寄送"),
    "received": msg("收样"),
    "testing": msg("开始检测"),
    "reported": msg("出具报告"),
    "moved": msg("移交"),
    "stored": msg("留存"),
    "returned": msg("退还"),
    "disposed": msg("处置"),
}
SITE_MONTH = {
    "booked": msg("服务中"),
    "delivered": msg("已交付"),
    "failed": msg("未运行，不收费"),
    "cancelled": msg("已取消"),
}
FUND = {"open": msg("使用中"), "frozen": msg("已冻结"), "closed": msg("已关闭")}
APPROPRIATION = {
    "requested": msg("待审批"),
    "approved": msg("已批准"),
    "rejected": msg("已退回"),
    "withdrawn": msg("已撤回"),
}
TRANSFERS = {"transfer": msg("范围间调剂"), "return": msg("退回财政"), "carry_over": msg("结转到下一年度")}
FUND_ALERTS = {"low_balance": msg("余额不足"), "burn_rate": msg("即将用完")}
OBSTACLES = {
    "hold": msg("未了结的预占"),
    "claim_batch": msg("未完成的兑付批次"),
    "captured": msg("已核销未拨付"),
    "available": msg("未结转的余额"),
}
POLICY = {
    "draft": msg("草稿"),
    "submitted": msg("待审批"),
    "approved": msg("已生效"),
    "withdrawn": msg("已撤回"),
    "rejected": msg("已驳回"),
}
WAITING = {
    "waiting": msg("排队中"),
    "offered": msg("已为您保留"),
    "booked": msg("已预约"),
    "declined": msg("已放弃"),
    "lapsed": msg("保留已到期"),
    "left": msg("已退出"),
    "over": msg("时间已过"),
}
PASSED_OVER = {
    "booking.suspended": msg("服务机构暂停接受本园区的新预约。"),
    "quota.exceeded": msg("超过本园区的限额。"),
    "booking.not_qualified": msg("排队者在该日没有仪器要求的有效资质。"),
    "instrument.not_found": msg("该仪器不再对本园区开放。"),
}
"""Why a place was passed over, by the code of the refusal."""
ALERTS = {
    "waiting.offered": msg(
        "{person}：您排队等候的“{instrument}”{when} 起的时段已空出，为您保留至 {until}。见“我的排队”。"
    ),
    "wallet.low": msg("钱包可用余额降至 {available_fen}，低于您设定的 {below_fen}。请及时充值，以免影响下单。"),
    "standing_order.halted": msg("“{title}”自 {month} 起未能续租，已停止。原因见站点页。"),
    "work_order.found": msg("站点“{site}”的“{meter}”用量异常，工单 {number} 须在一小时内响应。见工单页。"),
    "work_order.escalated": msg("工单 {number}（{site}，{meter}）超过一小时无人响应，已升至第 {level} 级。"),
    "alarm.told": msg("告警“{name}”：站点“{site}”的“{meter}”，第 {level} 级。见告警页。"),
    "booking.suspended": msg(
        "{days} 天内 {count} 次爽约，{provider}暂停接受新预约至 {until}；已有预约不受影响。见“履约记录”。"
    ),
    "attendance.dispute_decided.accepted": msg("对“{title}”的异议成立，{amount_fen} 已冲回。意见：{reason}"),
    "attendance.dispute_decided.refused": msg("对“{title}”（{amount_fen}）的异议未获支持。意见：{reason}"),
    "qualification.granted": msg("{provider}授予您“{qualification}”，有效至 {until}。见“上机资质”。"),
    "qualification.declined": msg("{provider}未通过您的“{qualification}”申请。原因：{reason}"),
    "qualification.revoked": msg("{provider}撤销了您的“{qualification}”，已有预约暂不受影响。原因：{reason}"),
    "booking.suspension_lifted": msg("{provider}已恢复接受本园区的预约。原因：{reason}"),
    "joint.to_sign": msg("共建协议“{title}”第 {version} 版待本园区签署。见“共建协议”。"),
    "joint.registered": msg("共建协议“{title}”第 {version} 版已备案，自 {from} 起生效。见“共建协议”。"),
    "budget.share": msg("{period} 的限额已用 {share}：{used}，上限 {limit}。"),
}
"""What a park is told, by the kind of alert."""
MEASURES = {"payable_fen": msg("园区支付"), "gross_fen": msg("标价"), "quantity": msg("数量")}
CREDITS = {"purchased": msg("充值"), "granted": msg("赠送")}
WALLET = {
    "grant": msg("赠送额度"),
    "expire": msg("到期"),
    "top_up": msg("充值"),
    "hold": msg("下单冻结"),
    "capture": msg("交付扣款"),
    "release": msg("解冻退回"),
}
EXEMPTION = {
    "submitted": msg("待一审"),
    "first_approved": msg("待二审"),
    "in_force": msg("已生效"),
    "revoked": msg("已撤销"),
    "expired": msg("已到期"),
    "used_up": msg("已用完"),
}
CLAIM = {
    "open": msg("待申报"),
    "first_review": msg("初审"),
    "second_review": msg("复审"),
    "notice": msg("公示"),
    "disbursed": msg("拨付中"),
    "done": msg("已办结"),
}
MODES = {"instant": msg("即时抵扣"), "reimburse": msg("后补助"), "auto": msg("免申即享")}
ENTITLEMENT = {
    "waiting": msg("待付款"),
    "open": msg("可办理"),
    "claimed": msg("审核中"),
    "returned": msg("已退回，待补正"),
    "disbursed": msg("已拨付"),
    "withdrawn": msg("已放弃"),
    "expired": msg("已过期"),
    "undone": msg("订单已退回"),
}
ENTITLEMENT_STEPS = {"offered": msg("未申领"), "claimed": msg("已申领"), "withdrawn": msg("已放弃")}
ORGANISATIONS = {
    "park": msg("园区"),
    "provider": msg("服务机构"),
    "authority": msg("主管部门"),
    "operator": msg("运营方"),
}
ROLES = {
    "park_admin": msg("园区管理员"),
    "park_member": msg("园区成员"),
    "park_finance": msg("园区财务"),
    "subsidy_officer": msg("政策专员"),
    "subsidy_approver": msg("资金审批人"),
    "claim_reviewer": msg("申报审核人"),
    "finance": msg("财务专员"),
    "provider": msg("服务机构"),
    "operator": msg("平台运营"),
}
BREAKS = {
    "usage_rated": msg("用量与计费不一致"),
    "rated_invoiced": msg("计费与开票不一致"),
    "invoiced_paid": msg("账单与回款不一致"),
    "captured_claimed": msg("核销与申报不一致"),
    "fund_books": msg("资金台账与账簿不一致"),
    "unknown_payer": msg("收款未找到付款园区"),
    "payer_disagrees": msg("收款账号与附言所指园区不一致"),
    "trial_balance": msg("借贷不平"),
}
RECEIPTS = {"matched": msg("已匹配"), "unmatched": msg("待认领")}
COLUMNS = {
    "time": msg("时间"),
    "value": msg("数值"),
    "row": msg("整行"),
    "header": msg("表头"),
    "temperature": msg("气温"),
    "ghi": msg("水平面总辐射"),
    "dni": msg("法向直射辐射"),
    "dhi": msg("水平面散射辐射"),
    "wind": msg("风速"),
}
KPIS = {
    "leads": msg("清单企业"),
    "eligible": msg("符合条件的企业"),
    "model_pitches": msg("语言模型改写的推介语（段）"),
    "companies": msg("比较过的企业"),
    "refused_rows": msg("名录中未能读取的行"),
    "as_of": msg("名录截至"),
}
HOLD = {
    "held": msg("预占"),
    "captured": msg("已核销"),
    "released": msg("已释放"),
    "expired": msg("已到期释放"),
}
STANDINGS = {
    "not_charged": msg("只计数，未计费"),
    "not_invoiced": msg("已计费，列入下一张账单"),
    "metered": msg("按计量计费，列入下一张账单"),
    "invoiced": msg("已列入账单"),
}
JOURNALS = {"delivery": msg("服务交付"), "wallet_capture": msg("钱包扣款")}
IMPORTS = {
    "queued": msg("等待导入"),
    "running": msg("导入中"),
    "merging": msg("并入中"),
    "done": msg("已完成"),
    "failed": msg("失败"),
    "cancelled": msg("已取消"),
    "withdrawn": msg("已撤回"),
}
BATCHES = {"queued": msg("生成中"), "done": msg("已完成"), "cancelled": msg("已取消")}

E_INVOICES = {"missing": msg("未开具"), "requested": msg("已申请"), "issued": msg("已开具")}
E_INVOICE_IMPORTS = {"recorded": msg("已登记"), "known": msg("此前已登记"), "refused": msg("已拒收")}

KINDS = {
    "carbon_category": carbon_words.CATEGORIES,
    "carbon_item": carbon_words.ITEMS,
    "carbon_source": carbon_words.SOURCES,
    "certificate_origin": carbon_words.ORIGINS,
    "certificate_end": carbon_words.ENDS,
    "measure_kind": carbon_words.KINDS,
    "factor_edition": carbon_words.EDITIONS,
    "e_invoice": E_INVOICES,
    "e_invoice_import": E_INVOICE_IMPORTS,
    "standing": STANDINGS,
    "aggregation": AGGREGATIONS,
    "flow": FLOWS,
    "journal": JOURNALS,
    "batch": BATCHES,
    "import": IMPORTS,
    **CLAWBACK_KINDS,
    "hold": HOLD,
    "tier": TIERS,
    "tier_text": TIER_TEXTS,
    "support": SUPPORT,
    "every": EVERY,
    "change": CHANGES,
    "size": SIZES,
    "region_class": REGION_CLASSES,
    "verification": VERIFICATION,
    "unit": UNITS,
    "delivery": DELIVERIES,
    "payment": PAYMENT,
    "order": ORDER,
    "run": RUN,
    "stage": STAGES,
    "booking": BOOKING,
    "attendance_fee": {
        "late_cancel": msg("临时取消费"),
        "no_show": msg("爽约费"),
        "overrun": msg("超时费"),
    },
    "qualification": {
        "none": msg("未申请"),
        "requested": msg("审核中"),
        "valid": msg("有效"),
        "expired": msg("已到期"),
        "declined": msg("未通过"),
        "revoked": msg("已撤销"),
    },
    "qualification_step": {"granted": msg("授予"), "declined": msg("未通过"), "revoked": msg("撤销")},
    "occurrence": {
        "free": msg("可预约"),
        "taken": msg("已被预约"),
        "waited_for": msg("有园区等候"),
        "closed_day": msg("休息日"),
        "no_calendar": msg("日历未公布"),
        "outside_notice": msg("不在可预约期内"),
        "outside_hours": msg("不在开放时间内"),
        "over_quota": msg("超出园区限额"),
        "not_qualified": msg("需要资质"),
    },
    "series_unit": {"day": msg("天"), "week": msg("周")},
    "quota": {
        "week_hours": msg("每周最多小时数"),
        "week_bookings": msg("每周最多预约次数"),
        "month_hours": msg("每月最多小时数"),
        "month_bookings": msg("每月最多预约次数"),
    },
    "attendance_dispute": {
        "open": msg("待服务机构答复"),
        "refused": msg("服务机构未支持"),
        "insisted": msg("待平台裁定"),
        "accepted": msg("异议成立"),
        "rejected": msg("裁定不成立"),
    },
    "dispute_step": {"accepted": msg("异议成立"), "refused": msg("异议不成立"), "insisted": msg("提请裁定")},
    "metering": {
        "booked": msg("按预约时长"),
        "larger": msg("按预约与实际时长中较长者"),
        "actual": msg("按实际使用时长，不满一小时按一小时计，未用部分退回"),
    },
    "samples": SAMPLES,
    "custody": CUSTODY,
    "invoice": INVOICE,
    "lead": {
        "suggested": msg("可认领"),
        "claimed": msg("已认领"),
        "contacted": msg("已联系"),
        "visited": msg("已走访"),
        "signed": msg("已签约"),
        "lost": msg("未成"),
        "released": msg("放弃认领"),
        "expired": msg("认领到期"),
        "suppressed": msg("不再联系"),
    },
    "outcome": {
        "contacted": msg("联系成功"),
        "visited": msg("走访成功"),
        "signed": msg("签约落地"),
        "lost": msg("未落地"),
        "withdrawn": msg("撤回记录"),
    },
    "lost": {
        "no_plan": msg("近期没有扩张计划"),
        "price": msg("价格或政策不合"),
        "location": msg("区位或交通不合"),
        "supply": msg("用地、用能或配套不足"),
        "elsewhere": msg("选择了其他地区"),
        "unreachable": msg("联系不上"),
        "other": msg("其他原因"),
    },
    "edition": {
        "fitting": msg("拟合中"),
        "in_force": msg("采用中"),
        "superseded": msg("已被替换"),
        "refused": msg("未采用"),
        "rolled_back": msg("已回退"),
        "failed": msg("拟合失败"),
    },
    "edition_step": {
        "put_in_force": msg("投入采用"),
        "superseded": msg("被替换"),
        "refused": msg("不予采用"),
        "measured": msg("复测"),
        "rolled_back": msg("自动回退"),
        "put_back": msg("人工恢复"),
        "failed": msg("拟合失败"),
    },
    "refusal": {
        "too_few": msg("训练或留出期的扩张太少，无法比较"),
        "not_better_than_heuristic": msg("不优于只看扩张次数与距离"),
        "worse_than_in_force": msg("不如采用中的版本"),
        "overtaken": msg("拟合期间采用的版本已更换"),
    },
    "ranked_by": {
        "heuristic": msg("只看扩张次数与距离"),
        "linear": msg("对数线性模型"),
        "boosted": msg("对数线性模型加提升树"),
        "new": msg("本次拟合"),
        "in_force": msg("采用中的版本"),
        "predecessor": msg("前一版本"),
    },
    "joint": {
        "signing": msg("待签署"),
        "signed": msg("待备案"),
        "registered": msg("未开始"),
        "in_force": msg("生效中"),
        "ended": msg("已结束"),
        "withdrawn": msg("已撤回"),
    },
    "joint_true_up": {
        "proposed": msg("待批准"),
        "approved": msg("已批准"),
        "refused": msg("未同意"),
        "reversed": msg("已冲回"),
    },
    "adjustment": {"asked": msg("待确认"), "charged": msg("已补收"), "refused": msg("未同意")},
    "discount": {
        "asked": msg("待确认"),
        "in_force": msg("已生效"),
        "refused": msg("未同意"),
        "ended": msg("已终止"),
    },
    "credit_note": {"asked": msg("待确认"), "issued": msg("已开具"), "refused": msg("未同意")},
    "invoice_run": {"queued": msg("进行中"), "done": msg("已完成")},
    "fund": FUND,
    "appropriation": APPROPRIATION,
    "policy": POLICY,
    "exemption": EXEMPTION,
    "wallet": WALLET,
    "credit": CREDITS,
    "measure": MEASURES,
    "claim": CLAIM,
    **CLAIM_KINDS,
    "mode": MODES,
    "entitlement": ENTITLEMENT,
    "entitlement_step": ENTITLEMENT_STEPS,
    "balance": PLACES,
    "transfer": TRANSFERS,
    "fund_alert": FUND_ALERTS,
    "standing_order": STANDING,
    "measured": MEASURED,
    "reading_kind": READING_KINDS,
    "stamps": STAMPS,
    "flag": FLAGS,
    "forecast": FORECASTS,
    "alarm_kind": ALARM_KINDS,
    "work_order": WORK_ORDERS,
    "order_step": ORDER_STEPS,
    "order_outcome": ORDER_OUTCOMES,
    "site_month": SITE_MONTH,
    "waiting": WAITING,
    "passed_over": PASSED_OVER,
    "obstacle": OBSTACLES,
    "kpi": KPIS,
    "column": COLUMNS,
    "break": BREAKS,
    "receipt": RECEIPTS,
    "role": ROLES,
    "organisation": ORGANISATIONS,
    "account": ACCOUNTS,
}

REASONS = {
    "NOT_ELIGIBLE": msg("不符合该政策的适用条件。"),
    "OUT_OF_WINDOW": msg("不在该政策的执行期内。"),
    "PRICE_ABOVE_LIMIT": msg("价格高于该政策规定的上限，不予补贴。"),
    "CAP_ORDER": msg("已达到单笔订单的补贴上限，补贴按上限计算。"),
    "CAP_ENTITY_YEAR": msg("已达到本园区的年度补贴上限，补贴按剩余额度计算。"),
    "CAP_CONTROLLER_YEAR": msg("已达到同一实际控制人的年度补贴上限，补贴按剩余额度计算。"),
    "CAP_SCHEME": msg("已达到该政策执行期内的总上限，补贴按剩余额度计算。"),
    "CAP_ROLLING": msg("同一实际控制人在连续数年内的补贴已达到上限，补贴按剩余额度计算。"),
    "CAP_COMBINED": msg("多项政策叠加已达到合计上限，补贴按上限计算。"),
    "POOL_PARTIAL": msg("服务机构的补贴额度不足，只能补贴一部分。"),
    "FUND_PARTIAL": msg("专项资金余额不足，只能补贴一部分，其余由园区承担。"),
    "FUND_EXHAUSTED": msg("专项资金已用完，本次没有补贴。"),
    "ALL_OR_NOTHING": msg("额度或资金不足以全额补贴，按政策规定本次不予补贴。"),
    "NOT_BEST": msg("另一项政策更优惠，同组政策只取最优的一项。"),
    "EXCLUDED_BY": msg("已享受与本政策互斥的另一项政策。"),
    "RELATED_PARTY": msg("园区与服务机构属于同一实际控制人，不予补贴。"),
    "CREDIT_BLOCKED": msg("园区或服务机构在失信名单中，移出名单前不予补贴。"),
    "ALREADY_SUBSIDISED": msg("该项服务或合同已享受过补贴，不重复补贴。"),
    "EXEMPTION": msg("按一事一议的批准文件执行。"),
    "CAP_EXEMPTION": msg("一事一议批复的补贴总额将用完，补贴按剩余额度计算。"),
    "UNKNOWN_FACT": msg("政策要求的某项信息缺失，按不满足处理。请补充园区资料。"),
    "KEY_COUNTY": msg("省级重点支持县的小型园区，按最高比例补贴。"),
    "SMALL_LEADING": msg("订阅引领层的小型园区，按较高比例补贴。"),
    "SMALL_PARK": msg("小型园区，按基本比例补贴。"),
    "LARGE_PARK": msg("大型园区，按大型园区比例补贴。"),
    "WESTERN_COUNTY": msg("位于西部县域，按较高比例补贴。"),
}
"""Reason codes of the rules, and those that usual programmes give their rates."""

SHORTFALLS = frozenset(
    {
        "CAP_ORDER",
        "CAP_ENTITY_YEAR",
        "CAP_CONTROLLER_YEAR",
        "CAP_SCHEME",
        "CAP_ROLLING",
        "CAP_COMBINED",
        "CAP_EXEMPTION",
        "POOL_PARTIAL",
        "FUND_PARTIAL",
        "FUND_EXHAUSTED",
        "ALL_OR_NOTHING",
    }
)
"""Reasons that make an award smaller than its rate: a park is told of them before it confirms."""

FAILURES = {
    "run.gave_up": msg("计算多次中断，已停止。请稍后重新下单；若仍失败，请联系平台。"),
    "run.timeout": msg("计算超过时限，已停止。请缩小数据范围后重新下单。"),
    "run.crashed": msg("计算程序意外中断，已记录。请稍后重新下单；若仍失败，请联系平台。"),
    "order.expired": msg("订单超过期限仍未交付，已自动取消。如仍需要，请重新下单。"),
    "samples.failed": msg("服务机构未能完成检测。请查看原因，需要时重新送样。"),
    "site_month.unused": msg("当月没有收到任何数据，服务没有运行，因此不收费。请检查仪表接入后再租用。"),
    "inspection.failed": msg("服务机构未能完成检测。请查看原因，另选时段重新预约。"),
}


def word(kind: str, code: object) -> str:
    """Return the word for a code of a kind, in the reader's language."""
    return _said(KINDS[kind], code)


def options(kind: str, codes: Iterable[object]) -> list[tuple[object, str]]:
    """Return codes of a kind with their words, for a list to choose from."""
    return [(code, word(kind, code)) for code in codes]


def same(codes: Iterable[object]) -> list[tuple[object, str]]:
    """Return codes that are their own words, for a list to choose from."""
    return [(code, str(code)) for code in codes]


def reason(code: str) -> str:
    """Return why an award is what it is."""
    return _said(REASONS, code)


def failure(code: str | None) -> str:
    """Return why a line could not be delivered."""
    return _said(FAILURES, code or "—")


def _said(texts: Mapping[str, Message], code: object) -> str:
    known = texts.get(str(code))
    return str(code) if known is None else translate(known, reader_language())


def envelope(code: str) -> str:
    """Return what a part of a fund is allotted to."""
    return envelope_name(code, reader_language())
