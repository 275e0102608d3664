"""What a text may say that somebody else worded: every number, date and company stands in what is known, or it is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.rules.bare_names import unheard
from services.rules.numerals import han_value
from services.rules.short_names import short_names
from services.rules.wording import beyond

NAME = "宏达电池（杭州）有限公司"
OTHERS = ("蓝海储能科技有限公司", "宏达电池")
KNOWN = (
    f"{NAME}（统一社会信用代码 91330100MA2ABC1D3X）登记于浙江省杭州市，行业代码 3841（电气机械和器材制造业），"
    "成立于 2019-05-06，注册资本 1200.5 万元。已在其他城市设立 7 处分支机构，近 3 年增长 12.5%。距园区约 1,320 公里，用电 800 kVA。"
)
DIGITS = "零一二三四五六七八九"


def said(text: str) -> tuple[str, ...]:
    return beyond(text, KNOWN, name=NAME, others=OTHERS)


@pytest.mark.parametrize(
    "text",
    [
        KNOWN,
        "贵公司自2019年5月6日成立以来扎根浙江省杭州市，注册资本达12,005,000元，已设立7处分支机构，诚邀考察。",
        f"{NAME}２０１９年成立，注册资本一千二百万零五千元，期待进一步合作。",
        "公司成立于二〇一九年五月，距园区一千三百二十公里，即1320km。",
        "贵公司成立于2019/5/6，注册资本0.12005亿元，增长百分之十二点五，统一社会信用代码91330100MA2ABC1D3X。",
        "宏达电池(杭州)有限公司设立七处分支机构，用电八百kVA，距离1320千米，用于半导体等行业。",
    ],
)
def test_what_is_known_may_be_said_in_other_forms(text: str) -> None:
    assert said(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "长" * 601, "注册资本 1200.6 万元", "注册资本 1200.5 亿元", "注册资本 1200.5 万美元", "注册资本 $12005000",
        "设立 8 处", "设立7家", "设立七余处", "设立十余处", "设立 -7 处", "设立⑧处", "设立Ⅷ处", "设立７０处", "设立７家",
        "增长 12.5 倍", "增长 12.5‰", "增长百分之十二", "增长三分之一", "增长一半", "翻番", "数十家企业", "数百万元",
        "成立于 2019-06-05", "成立于 2018 年", "成立于二〇一八年", "5月7日成立", "成立于 19 年", "去年成立", "成立5周年",
        "距园区 1321km", "距园区1,321公里", "距园区 1320 米", "距园区约1 320公里", "第7名", "第一", "唯一一家", "行业代码 384",
        "行业代码 03841", "与华为技术有限公司合作", "与蓝海储能科技有限公司合作", "同宏达电池合作", "与阿里巴巴集团合作",
        "与Tesla合作", "与ＴＥＳＬＡ合作", "five", "5G", "统一社会信用代码 91330100MA2ABC1D3Y", "用电 801 kVA", "7\u200b8处", "½", "卌家", "兆瓦",
        "位于四川省", "西门子工厂", "三一重工股份", "上市企业",
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(text: str) -> None:
    assert said(text)


def to_han(number: int) -> str:
    """Return a number in Han numerals, with units: 一万二千零五."""
    if number >= 100_000_000:
        return _group(number, 100_000_000, "亿")
    if number >= 10_000:
        return _group(number, 10_000, "万")
    text, nought = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            text += ("零" if nought and text else "") + DIGITS[digit] + name
        nought = not digit
    return text or "零"


def _group(number: int, unit: int, name: str) -> str:
    rest = number % unit
    nought = "零" if rest and rest < unit // 10 else ""
    return to_han(number // unit) + name + (nought + to_han(rest) if rest else "")


def forms(number: int) -> list[str]:
    """Return ways to write a number."""
    plain = str(number)
    found = [plain, f"{number:,}", plain.translate({48 + n: 0xFF10 + n for n in range(10)}), to_han(number)]
    for unit, name in ((10_000, "万"), (100_000_000, "亿")):
        found.append(f"{(Decimal(number) / unit).normalize():f}{name}")
    return found


numbers = st.integers(0, 10**12)
texts = st.sampled_from(["注册资本{}元，诚邀考察。", "贵公司注册资本 {} 元", "（{}元）", "资本为{}元;"])


@given(numbers)
def test_han_numerals_are_read_as_they_are_written(number: int) -> None:
    assert han_value(to_han(number)) == number
    by_digits = "".join(DIGITS[int(each)] for each in str(number))
    assert han_value(by_digits) == number


@given(numbers, numbers, texts, st.data())
def test_a_number_may_stand_in_any_form_and_an_altered_one_in_none(
    number: int, other: int, text: str, data: st.DataObject
) -> None:
    known = f"{NAME}的注册资本 {data.draw(st.sampled_from(forms(number)))}元。"
    for form in forms(number):
        assert beyond(text.format(form), known, name=NAME) == ()
    assume(other != number)
    for form in forms(other):
        assert beyond(text.format(form), known, name=NAME)


def day_forms(day: date) -> list[str]:
    year = "".join("〇一二三四五六七八九"[int(each)] for each in f"{day.year:04}")
    return [
        day.isoformat(), f"{day.year}/{day.month}/{day.day}", f"{day.year}.{day.month:02}.{day.day:02}",
        f"{day.year}年{day.month}月{day.day}日", f"{year}年{to_han(day.month)}月{to_han(day.day)}日",
        f"{day.year}年 {day.month}月 {day.day}号",
    ]  # fmt: skip


days = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@given(days, days, st.data())
def test_a_day_may_stand_in_any_form_and_another_in_none(day: date, other: date, data: st.DataObject) -> None:
    known = f"{NAME}成立于 {data.draw(st.sampled_from(day_forms(day)))}。"
    for form in [*day_forms(day), f"{day.year}年", f"{day.year}年{day.month}月"]:
        assert beyond(f"公司成立于{form}，", known, name=NAME) == ()
    assume(other != day)
    for form in day_forms(other):
        assert beyond(f"公司成立于{form}。", known, name=NAME)


@given(st.sampled_from([text for text in KNOWN.split("，") if any(each.isdigit() for each in text)]), st.data())
def test_no_digit_of_the_known_text_can_be_changed_unseen(text: str, data: st.DataObject) -> None:
    at = data.draw(st.sampled_from([at for at, each in enumerate(text) if each.isdigit()]))
    digit = data.draw(st.sampled_from([each for each in "0123456789" if each != text[at]]))
    assert said(text[:at] + digit + text[at + 1 :])


@given(st.text(max_size=80))
def test_any_text_is_looked_at_without_a_fault(text: str) -> None:
    assert isinstance(said(text), tuple)


@pytest.mark.parametrize(
    "text",
    [
        "园区与华为共同打造产业高地", "诚邀贵公司与比亚迪为邻", "华为、比亚迪等企业已在园区", "园区已有宁德时代等龙头企业",
        "园区紧邻富士康", "例如海康威视", "与星辰无限展开合作", "园区已有星辰无限等企业", "星辰无限已入驻园区", "客户包括星辰无限",
        "打造“星辰无限”式的标杆", "像星辰无限那样发展", "携手星辰无限共建基地", "同星辰无限一道发展", "贵公司和星辰无限共创未来",
        "与贵公司、星辰无限等伙伴同行", "星辰无限与贵公司等企业", "蓝海储能", "蓝海",
    ],
)  # fmt: skip
def test_a_bare_name_is_found_by_lists_and_by_where_it_stands(text: str) -> None:
    assert said(text)


@pytest.mark.parametrize(
    "text",
    [
        "诚邀贵公司与我园携手共赢。", "期待与贵公司进一步合作。", "欢迎贵公司早日落户园区！", "愿与您共同发展，共创未来。",
        "园区期待与贵公司建立长期合作，实现互利共赢。", "我们希望与贵公司携手合作。", "诚挚邀请贵公司前来考察，共谋发展。",
        "贵公司自2019年5月6日成立以来扎根浙江省杭州市。", "希望贵公司的项目能够落户园区，与上下游企业共同发展。",
        "行业代码3841（电气机械和器材制造业）。", "盼与宏达电池（杭州）有限公司一道发展。",
    ],
)  # fmt: skip
def test_what_names_nobody_in_particular_may_be_said(text: str) -> None:
    assert said(text) == ()


def test_a_name_that_the_known_text_has_may_be_said() -> None:
    known = KNOWN + "园区已有星辰无限等 3 家企业。"
    assert beyond("园区已有星辰无限等3家企业，期待与贵公司合作。", known, name=NAME) == ()


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("华为技术有限公司", {"华为技术", "华为"}),
        ("比亚迪股份有限公司", {"比亚迪"}),
        ("宏达电池（杭州）有限公司", {"宏达电池", "宏达"}),
        ("四川省成都市星辰无限科技集团有限公司", {"星辰无限科技", "星辰无限"}),
        ("杭州星河食品厂", {"星河食品", "星河"}),
        ("浙江食品有限公司", set()),
        ("北京科技发展有限公司", set()),
        ("公司", set()),
    ],
)
def test_a_company_is_known_by_short_names(name: str, short: set[str]) -> None:
    assert short_names(name) == short


@given(st.text(max_size=40))
def test_any_name_is_shortened_without_a_fault(name: str) -> None:
    assert all(len(each) > 1 for each in short_names(name))


def test_only_pieces_that_are_not_known_are_looked_up() -> None:
    assert unheard("与星辰无限合作", "合作") >= {"星辰无", "星辰无限"}
    assert unheard("注册资本", KNOWN) == frozenset()
