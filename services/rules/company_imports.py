"""The life of an import, and the words for what it found."""

from __future__ import annotations

from enum import StrEnum

from tenants.kernel.messages import Message, msg

MOST_ATTEMPTS = 5
"""Times that a worker may begin, without a part done in between, before an import is given up."""
MOST_SHOWN = 100
"""Rows, and groups of one name, that a report shows."""


class ImportKind(StrEnum):
    """What a file of the operator's is about."""

    COMPANIES = "companies"
    EXPANSIONS = "expansions"


class ImportStatus(StrEnum):
    """Where an import stands. Nothing of it counts before it is done."""

    QUEUED = "queued"
    RUNNING = "running"
    MERGING = "merging"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    """Was done, and counts no more."""


WAITING = (ImportStatus.QUEUED, ImportStatus.RUNNING)
"""May still be cancelled."""
REASONS: dict[str, Message] = {
    "slipped": msg("单元格错位：内容与列名对不上"),
    "no_code": msg("没有统一社会信用代码"),
    "bad_uscc": msg("统一社会信用代码有误"),
    "bad_name": msg("企业名称有误"),
    "no_company": msg("既无信用代码也无企业名称"),
    "unknown_region": msg("不认识的行政区划"),
    "unknown_industry": msg("不认识的行业代码"),
    "unknown_status": msg("不认识的经营状态"),
    "bad_date": msg("日期有误"),
    "founded_in_future": msg("成立日期晚于数据日期"),
    "bad_capital": msg("注册资本有误"),
    "bad_expansions": msg("异地扩张次数有误"),
}
"""Why a row was set aside."""
WARNINGS: dict[str, Message] = {
    "inner_digit": msg("信用代码中的组织机构代码校验位不符，仍已采用"),
    "capital_unread": msg("注册资本无法识别，按未知处理"),
    "capital_foreign": msg("注册资本为外币，不作换算，按未知处理"),
    "switchboard_dropped": msg("电话不是单位的固定电话或 400、800、95 号码，已舍弃"),
    "by_name": msg("没有信用代码，按企业名称与地区并入唯一的同名企业"),
    "repeated": msg("同一企业或同一事件在文件中重复出现"),
    "older": msg("名录中已有更新的数据，未覆盖；已有的事件未重复记入"),
    "no_status": msg("文件没有经营状态列，全部按存续处理"),
    "no_as_of": msg("文件没有数据日期列，全部按所填日期处理"),
}
"""What is odd about rows or a file that were taken."""
