"""Words of the carbon pages: headings of GB/T 32150, activities, kinds of measures, certificates."""

from __future__ import annotations

from tenants.kernel.messages import Message, msg

CATEGORIES: dict[str, Message] = {
    "fuel": msg("化石燃料燃烧（固定源）"),
    "vehicle": msg("化石燃料燃烧（移动源）"),
    "process": msg("过程排放"),
    "refrigerant": msg("制冷剂等逸散"),
    "electricity": msg("购入的电力"),
    "own_green": msg("自发自用可再生电力"),
    "heat": msg("购入的热力"),
    "sold_electricity": msg("输出的电力"),
    "sold_heat": msg("输出的热力"),
}
ITEMS: dict[str, Message] = {
    "electricity.average": msg("电力"),
    "electricity.residual": msg("电力（剩余组合）"),
    "electricity.fossil": msg("电力（化石能源）"),
    "heat.default": msg("热力"),
    "fuel.anthracite": msg("无烟煤"),
    "fuel.bituminous_coal": msg("烟煤"),
    "fuel.lignite": msg("褐煤"),
    "fuel.washed_coal": msg("洗精煤"),
    "fuel.briquette": msg("型煤"),
    "fuel.coke": msg("焦炭"),
    "fuel.crude_oil": msg("原油"),
    "fuel.fuel_oil": msg("燃料油"),
    "fuel.gasoline": msg("汽油"),
    "fuel.diesel": msg("柴油"),
    "fuel.kerosene": msg("煤油"),
    "fuel.lpg": msg("液化石油气"),
    "fuel.lng": msg("液化天然气"),
    "fuel.natural_gas": msg("天然气"),
    "fuel.coke_oven_gas": msg("焦炉煤气"),
    "process.caco3": msg("碳酸钙分解"),
    "process.mgco3": msg("碳酸镁分解"),
    "process.na2co3": msg("碳酸钠分解"),
    "process.camgco32": msg("白云石分解"),
    "gas.ch4": msg("甲烷"),
    "gas.n2o": msg("氧化亚氮"),
    "gas.sf6": msg("六氟化硫"),
    "gas.hfc-32": msg("制冷剂 HFC-32"),
    "gas.hfc-125": msg("制冷剂 HFC-125"),
    "gas.hfc-134a": msg("制冷剂 HFC-134a"),
    "gas.hfc-143a": msg("制冷剂 HFC-143a"),
    "gas.r-410a": msg("制冷剂 R-410A"),
    "gas.r-404a": msg("制冷剂 R-404A"),
    "gas.r-407c": msg("制冷剂 R-407C"),
}
KINDS: dict[str, Message] = {
    "efficiency": msg("能效"),
    "pv": msg("光伏"),
    "storage": msg("储能"),
    "electrification": msg("电气化"),
    "green_power": msg("绿电"),
    "offset": msg("抵消"),
}
ORIGINS: dict[str, Message] = {
    "purchased": msg("购入"),
    "own_used": msg("自有：自发自用电量"),
    "own_fed_in": msg("自有：上网电量"),
}
ENDS: dict[str, Message] = {"held": msg("持有"), "retired": msg("已注销"), "sold": msg("已出售")}
SOURCES: dict[str, Message] = {"manual": msg("手工"), "import": msg("导入"), "meter": msg("仪表")}
EDITIONS: dict[str, Message] = {
    "built_in": msg("内置"),
    "draft": msg("待审核"),
    "published": msg("已发布"),
    "refused": msg("已退回"),
}
