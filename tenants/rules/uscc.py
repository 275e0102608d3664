"""Unified social credit codes (GB 32100-2015): 18 characters, among them two check digits.

The outer check digit is binding. The inner one, of the organisation code in positions 9 to 17 (GB 11714-1997), is only
warned about: codes that registers assigned wrongly are in lawful use.
"""

from __future__ import annotations

from dataclasses import dataclass

from stdnum.cn import uscc as standard
from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength, ValidationError

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import Message, msg

INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class CreditCode:
    """A valid code in its plain form, and what a reviewer should look at."""

    code: str
    warnings: tuple[Message, ...] = ()


def check_uscc(text: str) -> CreditCode:
    """Return the code written in ``text``, which may have spaces, hyphens and small letters.

    Raises Invalid ``park.bad_uscc`` that says whether length, characters or the check digit are wrong.
    """
    try:
        code = standard.validate(text)
    except InvalidLength:
        raise _bad(msg("统一社会信用代码须为 18 位。请按营业执照核对后重新填写。")) from None
    except InvalidFormat:
        raise _bad(
            msg("统一社会信用代码前 8 位须为数字，其余为数字或大写字母（不含 I、O、Z、S、V）。请按营业执照核对。")
        ) from None
    except InvalidChecksum:
        raise _bad(msg("统一社会信用代码的校验位不符，可能有一位写错或两位颠倒。请按营业执照逐位核对。")) from None
    except ValidationError:
        raise _bad(msg("统一社会信用代码无效。请按营业执照核对后重新填写。")) from None
    return CreditCode(code, uscc_warnings(code))


def uscc_warnings(code: str) -> tuple[Message, ...]:
    """Return what is odd about a valid code, for the person who reviews it."""
    inner = code[8:17]
    if inner_check_digit(inner[:8]) == inner[8]:
        return ()
    return (msg("信用代码第 17 位与组织机构代码的校验位不符。请在审核时比对营业执照。"),)


def inner_check_digit(body: str) -> str:
    """Return the check character of an organisation code's first eight characters (GB 11714-1997)."""
    total = sum(int(character, 36) * weight for character, weight in zip(body, INNER_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def _bad(message: Message) -> Invalid:
    return Invalid("park.bad_uscc", message)
