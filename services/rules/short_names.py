"""The short names under which a registered company may be spoken of: 华为技术有限公司 is 华为技术, and 华为."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from tenants.rules.regions import regions

FEWEST = 2
_BRACKETS = re.compile(r"[(\[〔【].*?[)\]〕】]")
_FORM = re.compile(
    r"(?:总公司|分公司|子公司|公司|有限责任|有限|股份|控股|集团|企业|普通合伙|合伙|工厂|总厂|厂|合作社|联合社|商行|经营部|事务所|研究院|研究所)+$"
)
_TRADES = (
    "高新技术", "科技", "技术", "电子商务", "电子", "信息", "网络", "软件", "智能", "数字", "数据", "云计算", "食品", "饮料", "乳业", "酒业", "粮油", "农业",
    "农牧", "牧业", "渔业", "林业", "生物", "医药", "制药", "药业", "医疗", "器械", "健康", "化工", "化学", "新材料", "材料", "新能源", "能源", "电力", "电气",
    "电器", "电池", "储能", "光伏", "光电", "半导体", "集成电路", "微电子", "芯片", "通信", "通讯", "汽车", "零部件", "配件", "部件", "机械", "机电", "装备",
    "设备", "重工", "工业", "实业", "制造", "精密", "模具", "自动化", "机器人", "航空", "航天", "船舶", "铁路", "物流", "仓储", "供应链", "运输", "商贸", "贸易",
    "国际", "进出口", "商务", "投资", "发展", "建设", "建筑", "工程", "置业", "房地产", "地产", "环保", "环境", "水务", "纺织", "服装", "服饰", "家居", "家具",
    "纸业", "包装", "印刷", "塑料", "橡胶", "钢铁", "金属", "铝业", "铜业", "有色", "矿业", "石油", "石化", "传媒", "文化", "教育", "咨询", "服务", "管理", "产业",
    "创业", "开发", "生产", "加工", "销售", "研发", "中国", "绿色",
)  # fmt: skip
_TRADE = re.compile(f"(?:{'|'.join(sorted(_TRADES, key=len, reverse=True))})+$")
_DIVISION_ENDS = re.compile(r"(?:特别行政区|自治区|自治州|自治县|地区|省|市|县|区|盟|旗)$")


def short_names(name: str) -> frozenset[str]:
    """Return what a company may be called without its region, its form and its trade; nothing for names of these alone."""
    core = _without_region(_FORM.sub("", _BRACKETS.sub("", unicodedata.normalize("NFKC", name)).strip()))
    brand = _TRADE.sub("", core)
    return frozenset(each for each in (core, brand) if len(each) >= FEWEST) if len(brand) >= FEWEST else frozenset()


def _without_region(name: str) -> str:
    known, longest = _divisions()
    for _ in range(3):
        for length in range(min(longest, len(name) - FEWEST), 1, -1):
            if name[:length] in known:
                name = name[length:]
                break
        else:
            return name
    return name


@cache
def _divisions() -> tuple[frozenset[str], int]:
    """Return the divisions' names, with and without what they are, and the length of the longest."""
    names = {part for region in regions().values() for part in (region.province, region.city, region.county) if part}
    names |= {short for each in names if len(short := _DIVISION_ENDS.sub("", each)) > 1}
    return frozenset(names), max(map(len, names))
