"""A positioning in sentences, each with the rows that it stands on. The codes and values travel; the words are made by the reader's door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from services.rules.industries import DIVISIONS
from services.rules.positioning.decision import FEWEST_COMPANIES, FEWEST_OPTIONS, Industry, PartName, Positioning
from services.rules.positioning.fit import Criterion
from services.rules.positioning.linkage import Partner
from services.rules.positioning.shrinkage import Ratio
from tenants.kernel.messages import Message, msg

PART_NAMES: dict[PartName, Message] = {
    "location": msg("区位商"),
    "growth": msg("新设增长"),
    "linkage": msg("产业链关联"),
    "fit": msg("用地与用能匹配"),
}

_Words = Callable[[Mapping[str, str]], Message]


def _part(values: Mapping[str, str]) -> Message:
    return PART_NAMES[values["part"]]  # type: ignore[index]  # the codes are ours


WORDS: dict[str, _Words] = {
    "LOCATION": lambda v: msg(
        "本市有 {observed} 家{industry}企业，按全名录比重应有 {expected} 家；区位商 {raw}，向 1 收缩后为 {shrunk}。",
        **v,
    ),
    "GROWTH": lambda v: msg(
        "现存企业中 {recent_years} 年设立 {recent} 家、{years_before} 年设立 {before} 家；近三年占比为全部行业的 {shrunk} 倍（收缩后）。",
        **v,
    ),
    "SUPPLY": lambda v: msg("中间投入的 {share}% 可由本市具备的行业供应，其中最大的来源是{partners}。", **v),
    "DEMAND": lambda v: msg("中间产品的 {share}% 可销往本市具备的行业，其中最大的去向是{partners}。", **v),
    "FIT_AREA": lambda v: msg("此类项目通常需地 {needed} 亩，园区可供 {offered} 亩。", **v),
    "FIT_LAND_PRICE": lambda v: msg("此类项目通常可承受地价 {needed} 元/亩，园区为 {offered} 元/亩。", **v),
    "FIT_POWER": lambda v: msg("此类项目约需变压器容量 {needed} kVA，园区剩余 {offered} kVA。", **v),
    "FIT_ELECTRICITY": lambda v: msg("此类项目通常可承受电价 {needed} 元/kWh，园区为 {offered} 元/kWh。", **v),
    "UNKNOWN": lambda v: msg("没有该行业的{part}数据，其权重分给其余各项。", part=_part(v)),
    "NO_LOCAL_COMPANIES": lambda v: msg("名录中没有本市企业，{part}不计入，其权重分给其余各项。", part=_part(v)),
    "NO_FOUNDING_DATES": lambda v: msg("名录没有近六年的成立日期，{part}不计入，其权重分给其余各项。", part=_part(v)),
    "NO_TABLE": lambda v: msg("没有投入产出表，{part}不计入，其权重分给其余各项。", part=_part(v)),
    "NO_DEMANDS": lambda v: msg("没有行业用地用能表，{part}不计入，其权重分给其余各项。", part=_part(v)),
    "NOTHING_TO_COMPARE": lambda v: msg(
        "各行业的{part}没有可辨的差异（或没有数据），不计入，其权重分给其余各项。", part=_part(v)
    ),
    "TOO_LITTLE": lambda v: msg("名录中不足 {fewest} 个行业各有 {companies} 家以上企业，无法比较，不作产业定位。", **v),
    "TOO_FEW": lambda v: msg("意向产业{industry}在名录中不足 {fewest} 家，不作评价。", **v),
    "STABLE": lambda v: msg("“{part}”权重减少或增加 20% 时，所选产业不变。", part=_part(v)),
    "MOVED_DOWN": lambda v: msg("“{part}”权重减少 20% 时，{entered}取代{left}。", **{**v, "part": _part(v)}),
    "MOVED_UP": lambda v: msg("“{part}”权重增加 20% 时，{entered}取代{left}。", **{**v, "part": _part(v)}),
}
"""What each code says, of its values."""

_FITS: dict[Criterion, str] = {
    "area": "FIT_AREA", "land_price": "FIT_LAND_PRICE", "power": "FIT_POWER", "electricity": "FIT_ELECTRICITY"
}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """A sentence by its code and values, and the ids of the rows that it stands on."""

    code: str
    values: Mapping[str, str]
    evidence: tuple[str, ...]

    @property
    def text(self) -> Message:
        """The sentence."""
        return words_of(self.code, self.values)


def words_of(code: str, values: Mapping[str, str]) -> Message:
    """Return the sentence of a code and its values."""
    return WORDS[code](values)


def industry_statements(industry: Industry, found: Positioning) -> Iterator[Statement]:
    """Say why an industry stands where it does; nothing is said of parts that are absent for all."""
    code = industry.division
    for part in found.weights:
        if industry.marks[part] is None:
            yield Statement("UNKNOWN", {"part": part}, ())
    if "location" in found.weights:
        yield Statement("LOCATION", {"industry": DIVISIONS[code], **_ratio(industry.quotient)}, (f"companies:{code}",))
    if "growth" in found.weights:
        yield Statement("GROWTH", _growth(industry, found), (f"foundings:{code}",))
    if "linkage" in found.weights and industry.linkage:
        yield from _linkage(industry)
    if "fit" in found.weights and found.demands:
        evidence = (f"demands:{found.demands.rows[code].row}",) if industry.fit else ()
        for each in industry.fit:
            yield Statement(
                _FITS[each.criterion], {"needed": number(each.needed), "offered": number(each.offered)}, evidence
            )


def general_statements(found: Positioning | None) -> Iterator[Statement]:
    """Say what is absent, what was not judged, and whether the choice stands when a weight moves by a fifth."""
    if found is None:
        yield Statement("TOO_LITTLE", {"fewest": str(FEWEST_OPTIONS), "companies": str(FEWEST_COMPANIES)}, ())
        return
    for part, why in found.absent.items():
        yield Statement(why.upper(), {"part": part}, ())
    for code in found.too_few:
        yield Statement(
            "TOO_FEW", {"industry": DIVISIONS[code], "fewest": str(FEWEST_COMPANIES)}, (f"companies:{code}",)
        )
    moved = [each for each in found.variations if set(each.chosen) != set(found.chosen)]
    for part in dict.fromkeys(each.part for each in found.variations):
        if part not in {each.part for each in moved}:
            yield Statement("STABLE", {"part": part}, ("weights",))
    for each in moved:
        entered = "、".join(DIVISIONS[code] for code in each.chosen if code not in found.chosen)
        left = "、".join(DIVISIONS[code] for code in found.chosen if code not in each.chosen)
        way = "MOVED_DOWN" if each.factor < 1 else "MOVED_UP"
        yield Statement(way, {"part": each.part, "entered": entered, "left": left}, ("weights",))


def number(value: float) -> str:
    """Return a figure as people read it: four significant digits, whole ones with commas."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _ratio(ratio: Ratio) -> dict[str, str]:
    raw = ratio.raw
    return {
        "observed": str(ratio.observed),
        "expected": f"{ratio.expected:.1f}",
        "raw": "—" if raw is None else f"{raw:.2f}",
        "shrunk": f"{ratio.shrunk:.2f}",
    }


def _growth(industry: Industry, found: Positioning) -> dict[str, str]:
    counts = found.structure.counts[industry.division]
    recent, before = found.structure.recent_years, found.structure.years_before
    return {
        "recent_years": f"{recent[0]}–{recent[1]}",
        "recent": str(counts.recent),
        "years_before": f"{before[0]}–{before[1]}",
        "before": str(counts.before),
        "shrunk": f"{industry.founding.shrunk:.2f}",
    }


def _linkage(industry: Industry) -> Iterator[Statement]:
    linkage = industry.linkage
    if linkage is None:
        return
    own = linkage.sector.code
    if linkage.supply is not None:
        evidence = tuple(f"flow:{each.sector.code}>{own}" for each in linkage.suppliers)
        yield Statement(
            "SUPPLY", {"share": f"{100 * linkage.supply:.0f}", "partners": _named(linkage.suppliers)}, evidence
        )
    if linkage.demand is not None:
        evidence = tuple(f"flow:{own}>{each.sector.code}" for each in linkage.buyers)
        yield Statement(
            "DEMAND", {"share": f"{100 * linkage.demand:.0f}", "partners": _named(linkage.buyers)}, evidence
        )


def _named(partners: tuple[Partner, ...]) -> str:
    return "、".join(f"{each.sector.name}（{100 * each.share:.0f}%）" for each in partners)
