"""Names of companies that stand in a text without the words of a company: known ones, and any where companies stand.

Nobody can list all names. So beside lists of names the places are looked at where a sentence names somebody: a partner, an
example, who has come, what is quoted. What stands there must be in the known text, or be nobody in particular.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from services.rules.known_brands import KNOWN_BRANDS

SHORTEST, LONGEST = 3, 10
"""Characters of the pieces of a text that are looked up among the names of a registry; shorter ones are ordinary words, too."""
_NOBODY = (
    "贵公司", "贵司", "贵方", "贵企业", "您", "我们", "我方", "我园", "本园区", "本园", "园区", "公司", "双方", "彼此", "各方", "大家", "各位", "各界", "合作伙伴",
    "伙伴", "同行", "企业", "上下游", "产业链", "供应链", "产业", "当地", "本地", "周边", "区内", "园内", "政府", "团队", "招商", "专班", "优秀", "优质", "更多",
    "众多", "多家", "各类", "相关", "有关", "行业", "区域", "现有", "国内外", "国内", "国外", "海内外", "部门", "诚挚", "诚邀", "热忱", "热情", "盛情", "真诚", "欢迎",
    "期待", "期盼", "邀请", "恳请", "敬请", "希望", "盼望", "如果", "早日", "尽快", "前来", "选择", "考虑", "支持", "助力", "推动", "促进", "便于", "有利于", "适合",
    "项目", "一旦", "随着", "未来", "今后", "建立", "开展", "形成", "达成", "保持", "实现", "探讨", "洽谈", "展开", "进行", "加强", "深化", "推进", "共建", "长期",
    "稳定", "密切", "紧密", "深入", "深度", "全面", "广泛", "良好", "友好", "进一步", "战略", "互利", "共同", "一道", "一起", "携手", "新", "能", "可", "愿", "请", "若",
    "如", "待", "来", "到", "在", "于", "为", "的", "等", "及", "与", "和", "之", "内", "也", "都", "将", "能够", "可以", "愿意", "这片", "热土", "发展", "机遇", "落地", "考察",
    "莅临", "更好", "成功", "顺利", "后", "时",
)  # fmt: skip
_NOBODY_AT = re.compile("|".join(sorted(map(re.escape, _NOBODY), key=len, reverse=True)))
_RUN = r"[^、,。;；!！?？:：\s\0]"
_LINK = r"(?:(?<!参)与|和|(?<![共协一相不])同(?![时样等])|跟|携手|联手|联合|牵手|对标|媲美|比肩)"
_DEED = r"(?:合作|联手|携手|共建|共创|共享|共赢|共谋|共绘|共同|一道|一起|并肩|对接|结盟|签约|配套|同行|比肩|为邻|相邻|竞争|联动|为伍|同台)"
_PLACES = tuple(
    re.compile(each)
    for each in (
        rf"{_LINK}({_RUN}{{1,14}}?){_DEED}",
        rf"(?:紧邻|毗邻|邻近|临近|背靠|例如|比如|诸如|譬如|对标|媲美|比肩)({_RUN}{{1,10}})",
        rf"({_RUN}{{1,12}})等{_RUN}{{0,10}}?(?:企业|公司|厂商|巨头|品牌|客户|龙头|伙伴|商家|单位|机构|大厂|名企|标杆)",
        rf"(?:像|如同|正如|犹如)({_RUN}{{1,10}}?)(?:这样|那样|一样|之类)",
        rf"({_RUN}{{1,12}}?)(?:已经|已|均|相继|先后|率先|即将)*(?:入驻|进驻|落户|设厂|建厂|投产)",
        rf"(?:客户|供应商|对手|股东|母公司|子公司|投资方|合作方|友商|巨头|品牌|总部|旗下)(?:是|为|有|包括|如|即|:)({_RUN}{{1,10}})",
        r"[“‘「『《\"']([^”’」』》\"']*)[”’」』》\"']",
    )
)
"""Where a sentence names a company; the group is what stands there."""
_BEFORE = re.compile(r".*(?:包括|涵盖|聚集|汇聚|集聚|汇集|吸引|引进|引入|有)")


def bare_names(said: str, told: str, others: Iterable[str] = ()) -> list[str]:
    """Return the names in ``said`` that are not in ``told``: well-known ones, ``others``, and what stands where companies do."""
    found = [each for each in (*sorted(KNOWN_BRANDS), *others) if each in said and each not in told]
    for place in _PLACES:
        found += [each[1] for each in place.finditer(said) if not _is_nobody(each[1], told)]
    return found


def unheard(said: str, told: str) -> frozenset[str]:
    """Return the pieces of ``said`` that are not in ``told`` and as long as a company's short name may be."""
    return frozenset(
        piece
        for length in range(SHORTEST, LONGEST + 1)
        for at in range(len(said) - length + 1)
        if (piece := said[at : at + length]) not in told
    )


def _is_nobody(run: str, told: str) -> bool:
    """Tell whether a run of characters names nobody that is not told of."""
    if run in told:
        return True
    rest = _BEFORE.sub("", run) or run
    return all(len(piece) < 2 or piece in told for piece in _NOBODY_AT.split(rest))
