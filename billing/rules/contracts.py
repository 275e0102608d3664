"""When two ways of writing a contract's number mean one contract."""

from __future__ import annotations

import unicodedata

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

MOST_CHARACTERS = 100


def contract_key(number: str) -> str:
    """Return what is compared of a contract's number: its letters and digits, full width and case evened out.

    ``HT-2026（01）``, ``ht 2026 01`` and ``ＨＴ２０２６〔01〕`` are one number. Raises Invalid ``contract.bad_number``
    where nothing is left, or where it is too long to be a number.
    """
    plain = unicodedata.normalize("NFKC", number).upper()
    key = "".join(character for character in plain if character.isalnum())
    if not key or len(number) > MOST_CHARACTERS or len(key) > MOST_CHARACTERS:
        message = msg("合同编号须含字母或数字，最多 {most} 个字符。请按合同原文填写。", most=MOST_CHARACTERS)
        raise Invalid(
            "contract.bad_number", message, errors=[FieldError("contract_no", "contract.bad_number", message)]
        )
    return key
