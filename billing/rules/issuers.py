"""What an issuer's particulars have to say, so that a payer can pay and a tax bureau can read them."""

from __future__ import annotations

import re

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

_ACCOUNT = re.compile(r"[0-9]{8,40}", re.ASCII)
_PHONE = re.compile(r"[0-9+() -]{5,30}", re.ASCII)
LONGEST = 200


def check_line(text: str) -> str:
    """Return a name, address or bank without white space around it; Invalid when it is empty, long or of two lines."""
    plain = " ".join(text.split())
    if not plain:
        raise Invalid("issuer.missing", msg("此项不能为空。请填写。"))
    if len(plain) > LONGEST or not plain.isprintable():
        raise Invalid("issuer.text", msg("此项最多 {most} 个字，且不含不可见字符。请改正。", most=LONGEST))
    return plain


def check_account(text: str) -> str:
    """Return a bank account number without spaces; Invalid unless it is of 8 to 40 digits."""
    plain = "".join(text.split()).replace("-", "")
    if not _ACCOUNT.fullmatch(plain):
        raise Invalid("issuer.account", msg("银行账号须为 8 至 40 位数字。请按开户证明核对。"))
    return plain


def check_phone(text: str) -> str:
    """Return a telephone number; Invalid unless it looks like one."""
    plain = " ".join(text.split())
    if not _PHONE.fullmatch(plain):
        raise Invalid("issuer.phone", msg("电话须由数字、空格、括号和连字符组成。请改正。"))
    return plain
