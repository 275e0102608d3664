"""The web application: the API, the pages when they are there, and the questions that machines ask.

gunicorn calls ``marketplace.wsgi:application()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask

from marketplace import web
from marketplace.api import register as register_api
from marketplace.api.document import ApiApplication
from marketplace.api.oauth import serve_tokens
from marketplace.doors import current, faults, health, language, logs, metrics, requests

if TYPE_CHECKING:
    from marketplace.composition import Marketplace


def create_app(market: Marketplace) -> Flask:
    """Return the web application of one installation."""
    app = ApiApplication("marketplace", static_folder="web/static", template_folder="web/templates")
    app.secret_key = market.settings.secret_key
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it
    app.json.sort_keys = False  # type: ignore[attr-defined]  # see above
    current.install(app, market)
    language.speak(app)
    requests.surround(app, max_upload_bytes=market.settings.max_upload_mib * requests.MIB)
    faults.answer_faults(app)
    health.publish(app)
    metrics.publish(app)
    serve_tokens(app)
    register_api(app)
    _register_pages(app, market)
    return app


def openapi_document() -> dict[str, Any]:
    """Return the API's OpenAPI document, made from the code; it needs no installation."""
    app = ApiApplication("marketplace")
    register_api(app)
    document: dict[str, Any] = app.api_doc
    return document


def application() -> Flask:
    """Build the application of the environment's settings: gunicorn's factory, called once a process."""
    from marketplace.composition import build
    from marketplace.settings import Settings

    settings = Settings.from_environment()
    logs.configure(settings.log_format)
    return create_app(build(settings))


def _register_pages(app: Flask, market: Marketplace) -> None:
    """Let the pages add themselves: ``marketplace.web.register(app, market)``."""
    register = getattr(web, "register", None)
    if register is not None:
        register(app, market)
