"""A synthetic company registry for the demo and the tests: made up from word parts, with valid credit codes.

No name, code or person in it is taken from a real register, and no number rings: no place has the area code 0600. The same arguments give the same bytes.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import TextIO

from services.rules.company_cells import outer_check_digit
from tenants.rules.uscc import inner_check_digit

HEADER = (
    "企业名称", "统一社会信用代码", "行政区划代码", "行业代码", "成立日期", "注册资本", "经营状态", "经营范围", "异地扩张次数", "数据日期",
    "总机",
)  # fmt: skip
CITIES = (
    "110000", "120000", "310000", "500000", "320100", "320200", "320500", "330100", "330200", "340100", "350100",
    "350200", "360100", "370100", "370200", "410100", "420100", "430100", "440100", "440300", "440600", "450100",
    "510100", "510700", "511500", "520100", "530100", "610100", "620100", "650100",
)  # fmt: skip
"""Prefectures in which synthetic companies sit."""
TRADES = (
    ("3982", "电子", "集成电路、电子元器件、通信设备的研发、生产和销售"),
    ("3841", "新能源", "锂离子电池、储能系统、输配电设备的研发、制造和销售"),
    ("2710", "医药", "化学药品原料药、生物药品、医疗耗材的研发、生产和销售"),
    ("3525", "装备", "专用设备、模具、自动化生产线的设计、制造和技术服务"),
    ("3670", "汽车部件", "汽车零部件及配件、新能源汽车电控系统的制造和销售"),
    ("2651", "新材料", "高分子材料、合成树脂、涂料的研发、生产和销售"),
    ("1491", "食品", "食品生产、营养食品、调味品的加工和销售"),
    ("1751", "纺织", "化纤织造、染整精加工、纺织品的生产和销售"),
    ("6513", "软件", "应用软件开发、信息系统集成、工业互联网平台服务"),
    ("5930", "仓储", "普通货物仓储、冷链物流、装卸搬运服务"),
)
"""Class of GB/T 4754, word of the name and business scope: a tenth of the companies outside the home prefectures each."""
HOME = ("411200", "410300", "411700", "411300")
"""Prefectures of the demo's parks, where the last tenth of the companies sit."""
HOME_TRADES = (6, 6, 6, 6, 7, 7, 7, 1, 1, 9, 9, 5, 3, 2)
"""Their trades by number in ``TRADES``: food and textiles above all, some batteries and storage."""
_YOUTH = (1.0, 2.2, 1.2, 1.0, 1.3, 1.0, 1.1, 0.7, 1.6, 1.3)
"""How strongly a trade's companies are recent ones."""
_FIRST = "澄岚屿泓霁曜榕筠槿溯砚棠衡朔汀"
_SECOND = "川合远启坤域泽屏岭垣和景裕图达"
_STATUS = ("存续",) * 17 + ("注销", "吊销", "迁出")


EVENTS_HEADER = ("统一社会信用代码", "企业名称", "扩张地区", "扩张日期")
MOST_ROWS = 1_000_000
"""Codes that are nobody's do not last for more."""


def demo_companies(*, as_of: date, count: int = 3000, seed: int = 1) -> bytes:
    """Return a registry of ``count`` companies as a CSV (UTF-8) such as commercial registers export."""
    stream = io.StringIO(newline="")
    write_companies(stream, None, as_of=as_of, count=count, seed=seed)
    return stream.getvalue().encode()


def demo_expansions(*, as_of: date, count: int = 3000, seed: int = 1, most: int = 150) -> bytes:
    """Return dated expansions of the companies of ``demo_companies`` as a CSV: ``most`` of them, from all over the file."""
    moves = io.StringIO(newline="")
    write_companies(io.StringIO(newline=""), moves, as_of=as_of, count=count, seed=seed)
    header, *rows = csv.reader(io.StringIO(moves.getvalue(), newline=""))
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header, *rows[:: -(-len(rows) // most)]])
    return stream.getvalue().encode()


def write_companies(companies: TextIO, events: TextIO | None, *, as_of: date, count: int, seed: int) -> int:
    """Write a registry row by row and, where asked for, the dated expansions that its counts tell of; return their number.

    Expansions lie in the ten years before ``as_of``, after the company's founding, and go to other cities, near ones and
    those early in ``CITIES`` more often. ``count`` is at most ``MOST_ROWS``.
    """
    chance, moves = random.Random(seed), random.Random(f"{seed}/events")  # noqa: S311 - made-up rows, no secrets
    writer = csv.writer(companies)
    writer.writerow(HEADER)
    told = 0
    moved = None if events is None else csv.writer(events)
    if moved is not None:
        moved.writerow(EVENTS_HEADER)
    for number in range(count):
        row = _row(chance, number, as_of, at_home=10 * number >= 9 * count)
        writer.writerow(row)
        if moved is not None:
            found = list(_moves(moves, row, as_of))
            moved.writerows(found)
            told += len(found)
    return told


def demo_uscc(region_code: str, number: int) -> str:
    """Return a valid credit code that is nobody's: registers assign organisation parts that begin with a digit or M."""
    body = f"YY{number:06d}"
    code = f"91{region_code}{body}{inner_check_digit(body)}"
    return code + outer_check_digit(code)


def demo_switchboard(number: int) -> str:
    """Return a number that is nobody's, empty for every tenth company: registries do not know all."""
    return "" if number % 10 == 9 else f"0600-{20_000_000 + number}"


def _moves(chance: random.Random, row: tuple[object, ...], as_of: date) -> Iterator[tuple[object, ...]]:
    name, code, city, founded, times = row[0], row[1], str(row[2]), date.fromisoformat(str(row[4])), int(str(row[8]))
    first = max(founded, as_of - timedelta(days=3650)).toordinal() + 1
    for to in chance.choices(CITIES, cum_weights=_pulls(city), k=times):
        yield code, name, to, date.fromordinal(chance.randrange(first, as_of.toordinal())).isoformat()


@cache
def _pulls(city: str) -> tuple[float, ...]:
    """Return how much each city draws a company of ``city``, summed up: none its own, its own province's thrice."""
    drawn = (
        0.0 if each == city else (3.0 if each[:2] == city[:2] else 1.0) * 6 / (6 + place)
        for place, each in enumerate(CITIES)
    )
    return tuple(accumulate(drawn))


def _row(chance: random.Random, number: int, as_of: date, *, at_home: bool) -> tuple[object, ...]:
    city = HOME[number % len(HOME)] if at_home else CITIES[number % len(CITIES)]
    trade = HOME_TRADES[number // len(HOME) % len(HOME_TRADES)] if at_home else number // len(CITIES) % len(TRADES)
    industry, word, scope = TRADES[trade]
    name = f"{chance.choice(_FIRST)}{chance.choice(_SECOND)}{word}（演示{number:05d}）有限公司"
    expansions = min(12, int(chance.paretovariate(1.6)) - 1)
    age = 200 + int(8800 * (chance.randrange(8800) / 8800) ** _YOUTH[trade])
    founded_on = as_of - timedelta(days=age)
    capital = chance.choice((100, 200, 500, 1000, 2000, 5000))
    return (
        name, demo_uscc(city, number), city, industry, founded_on.isoformat(), f"{capital}万元人民币", chance.choice(_STATUS),
        scope, expansions, as_of.isoformat(), demo_switchboard(number),
    )  # fmt: skip
