"""``/healthz``: the process answers. ``/readyz``: it can do its work, because the database answers and is migrated."""

from __future__ import annotations

from flask import Flask, Response, jsonify
from sqlalchemy import text

from marketplace.doors.current import current_market
from marketplace.doors.faults import RETRY_SECONDS
from marketplace.doors.logs import logger
from migrations.apply import newest_revision
from tenants.kernel.context import system_actor

_log = logger(__name__)


def publish(app: Flask) -> None:
    """Answer both questions."""

    @app.route("/healthz")
    def healthz() -> Response:
        """Say that the process is alive."""
        return jsonify(status="alive")

    @app.route("/readyz")
    def readyz() -> Response:
        """Say whether requests can be answered; 503 while the database is away or not migrated."""
        obstacle = _obstacle()
        response = jsonify(status=obstacle or "ready")
        if obstacle:
            response.status_code = 503
            response.headers["Retry-After"] = RETRY_SECONDS
        return response


def _obstacle() -> str | None:
    try:
        with current_market().workshop.work(system_actor("readiness")) as work:
            found = set(work.session.execute(text("SELECT version_num FROM alembic_version")).scalars())
    except Exception as error:  # noqa: BLE001 - whatever it is, the process is not ready, and says so instead of failing
        _log.warning("not ready", reason=type(error).__name__)
        return "database does not answer"
    return None if newest_revision() in found else "database is not migrated"
