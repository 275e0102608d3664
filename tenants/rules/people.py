"""What a login, a password, a name and a language must be like."""

from __future__ import annotations

import re

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

LANGUAGES = ("zh", "en")
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 128
LONGEST_NAME = 200
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{2,63}")
_WORN_OUT = ("1234567890", "0123456789", "9876543210", "qwertyuiop", "password", "asdfghjkl", "1q2w3e4r", "admin123")


def normal_login(text: str) -> str:
    """Return a login as it is stored: without case and outer spaces."""
    return text.strip().lower()


def check_login(text: str) -> str:
    """Return the stored form of a new login; Invalid ``user.bad_login`` when it cannot be one."""
    login = normal_login(text)
    if not _LOGIN.fullmatch(login):
        raise Invalid(
            "user.bad_login",
            msg("登录名须为 3 至 64 个字符，以字母或数字开头，可含字母、数字和 . _ @ + -。请更换登录名。"),
        )
    return login


def check_password(password: str, login: str) -> str:
    """Return a password that is hard to guess; Invalid ``user.weak_password`` otherwise.

    Length and variety count. Demands for character classes are left out: they make people choose predictable endings
    (NIST SP 800-63B advises against them).
    """
    if not password.isprintable():
        raise Invalid("user.weak_password", msg("密码只能含可见字符和空格。请更换密码。"))
    lowered = password.lower()
    own = normal_login(login)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise _weak_length()
    if len(set(password)) < 5 or any(worn in lowered for worn in _WORN_OUT):
        raise Invalid("user.weak_password", msg("密码过于常见或重复字符过多。请使用几个互不相干的词语组成密码。"))
    if len(own) > 3 and own in lowered:
        raise Invalid("user.weak_password", msg("密码不得包含登录名。请更换密码。"))
    return password


def check_name(text: str) -> str:
    """Return a name without outer spaces; Invalid ``input.bad_name`` when empty, too long or not printable."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid("input.bad_name", msg("名称须为 1 至 {most} 个可见字符。请重新填写。", most=LONGEST_NAME))
    return name


def check_language(text: str) -> str:
    """Return a language the interface speaks; Invalid ``user.unknown_language`` otherwise."""
    if text not in LANGUAGES:
        raise Invalid("user.unknown_language", msg("界面语言仅支持：{known}。请重新选择。", known="、".join(LANGUAGES)))
    return text


def _weak_length() -> Invalid:
    return Invalid(
        "user.weak_password",
        msg("密码须为 {least} 至 {most} 个字符。请更换密码。", least=SHORTEST_PASSWORD, most=LONGEST_PASSWORD),
    )
