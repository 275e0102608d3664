"""How pages are rendered: templates with the reader's language, money, moments and who is signed in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask, Response, g, make_response, render_template, request, url_for
from flask_wtf.csrf import generate_csrf

from marketplace.doors import codes
from marketplace.doors.current import current_market
from marketplace.doors.language import reader_language
from marketplace.doors.texts import ENGLISH, translate
from marketplace.web import words
from marketplace.web.assets import asset
from marketplace.web.menu import menu_for
from marketplace.web.price_bar import price_bar
from marketplace.web.refusals import Refusal
from tenants.kernel.clock import CHINA
from tenants.kernel.messages import Message, msg


def show(template: str, *, status: int = 200, **context: Any) -> Response:
    """Return a page."""
    return make_response(render_template(template, **context), status)


def again(template: str, refusal: Refusal, **context: Any) -> Response:
    """Return a form that was refused, with its errors."""
    return show(template, status=refusal.status, refusal=refusal, **context)


def dress(app: Flask) -> None:
    """Give templates their words and figures."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        _=sentence, asset=asset, price_bar=price_bar, words=words, codes=codes, csrf_token=generate_csrf, named=named
    )
    app.jinja_env.filters.update(
        yuan=yuan, short_yuan=short_yuan, moment=moment, day=day, day_before=day_before, clock=clock, percent=percent, say=say, number=number,
        size=size,
    )  # fmt: skip
    app.context_processor(_everywhere)


def _everywhere() -> dict[str, Any]:
    """Return what every page may show."""
    actor = g.get("actor")
    me = actor if actor is not None and actor.user_id is not None else None
    language = reader_language()
    return {
        "me": me,
        "menu": menu_for(me),
        "language": language,
        "is_demo": current_market().settings.is_demo,
        "now": current_market().clock.now(),
        "here": request.full_path.rstrip("?") if request.method == "GET" else url_for("home.home"),
    }


def sentence(template: str, /, **values: object) -> str:
    """Return a sentence of a page in the reader's language: ``_("…{name}…", name=…)``."""
    return translate(Message(template, values), reader_language())


def say(message: Message | str) -> str:
    """Return a message in the reader's language."""
    return translate(message, reader_language()) if isinstance(message, Message) else str(message)


def named(thing: Any, part: str = "name") -> str:
    """Return the name of a thing that has one in Chinese and one in English."""
    english = getattr(thing, f"{part}_en", "") if reader_language() == ENGLISH else ""
    return english or getattr(thing, part)


def name_in_language(chinese: str, english: str) -> str:
    """Return a name in the reader's language, the Chinese one where there is no other."""
    return (english if reader_language() == ENGLISH else "") or chinese


def yuan(fen: int) -> str:
    """Return whole fen as yuan, such as ``¥10,000.00``."""
    sign = "−" if fen < 0 else ""
    whole, rest = divmod(abs(fen), 100)
    return f"{sign}¥{whole:,}.{rest:02d}"


def short_yuan(fen: int) -> str:
    """Return a large amount rounded for a picture: ``¥50.00 亿``, ``¥12.3 万``; in English in billions or millions."""
    amount = abs(fen) / 100
    steps: tuple[tuple[float, str], ...]
    if reader_language() == ENGLISH:
        steps = ((1e9, " bn"), (1e6, " m"), (1e3, " k"))
    else:
        steps = ((1e8, " 亿元"), (1e4, " 万元"))
    for step, name in steps:
        if amount >= step:
            return f"{'−' if fen < 0 else ''}¥{amount / step:,.2f}{name}"
    return yuan(fen)


def moment(value: datetime | None) -> str:
    """Return a moment as China's clocks show it."""
    return "—" if value is None else f"{value.astimezone(CHINA):%Y-%m-%d %H:%M}"


def clock(value: datetime) -> str:
    """Return the time of a moment as China's clocks show it."""
    return f"{value.astimezone(CHINA):%H:%M}"


def day_before(value: date) -> str:
    """Return the last day of a span that ends before ``value``."""
    return (value - timedelta(days=1)).isoformat()


def day(value: datetime | date | None) -> str:
    """Return a day, a moment's in China."""
    if isinstance(value, datetime):
        value = value.astimezone(CHINA).date()
    return "—" if value is None else value.isoformat()


def percent(basis_points: int) -> str:
    """Return basis points as per cent, such as ``60%`` or ``12.5%``."""
    return f"{basis_points / 100:g}%"


def number(value: float | Decimal | None, digits: int = 0) -> str:
    """Return a figure with its thousands apart."""
    return "—" if value is None else f"{value:,.{digits}f}"


def size(count: int) -> str:
    """Return a file's size in words."""
    for step, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= step:
            return f"{count / step:,.1f} {name}"
    return say(msg("{count} 字节", count=count))


def month_of(moment_: datetime) -> str:
    """Return the month of a moment in China, ``2026-03``."""
    return f"{moment_.astimezone(CHINA):%Y-%m}"


def year_span(moment_: datetime) -> tuple[datetime, datetime]:
    """Return the half-open year in China that holds a moment, in UTC."""
    year = moment_.astimezone(CHINA).year
    return (
        datetime(year, 1, 1, tzinfo=CHINA).astimezone(UTC),
        datetime(year + 1, 1, 1, tzinfo=CHINA).astimezone(UTC),
    )
