"""Fields that the forms of an instrument's rules share: whole numbers, and from when on a rule counts."""

from __future__ import annotations

from datetime import datetime

from marketplace.web.pages import field
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg


def whole(name: str) -> int:
    """Return a field's number of up to six digits."""
    text = field(name)
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise _refused(name, "form.number", msg("请填写整数。"))
    return int(text)


def begin() -> datetime | None:
    """Return the moment that ``valid_from`` says, None for now."""
    if not field("valid_from"):
        return None
    try:
        return datetime.strptime(field("valid_from"), "%Y-%m-%dT%H:%M").replace(tzinfo=CHINA)
    except ValueError as error:
        raise _refused("valid_from", "form.moment", msg("请填写日期和时间。")) from error


def _refused(name: str, code: str, wrong: Message) -> Invalid:
    return Invalid(code, wrong, errors=[FieldError(name, code, wrong)])
