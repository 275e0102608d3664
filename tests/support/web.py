"""The web application on a fresh database, for tests that come in through HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from marketplace.settings import Settings
from tenants.kernel.work import WorkShop
from tests.support.databases import Database

if TYPE_CHECKING:
    from marketplace.composition import Marketplace


class AppMaker(Protocol):
    """Makes an application, on another engine or with other settings or views if told."""

    def __call__(
        self,
        *,
        engine: Engine | None = None,
        change: Callable[[Settings], Settings] | None = None,
        prepare: Callable[[Flask], None] | None = None,
    ) -> Flask:
        """Return the application."""
        ...


def make_app(
    database: Database,
    workshop: WorkShop,
    *,
    engine: Engine | None = None,
    change: Callable[[Settings], Settings] | None = None,
    prepare: Callable[[Flask], None] | None = None,
) -> Flask:
    """Return the application of an installation on ``database``; see AppMaker."""
    from marketplace.composition import Marketplace
    from marketplace.gateways.queue import queue_app
    from marketplace.wsgi import create_app
    from services.usecases.execution import RunLimits

    settings = Settings(
        database_url=database.url, database_owner_url=database.owner_url, secret_key="a" * 40, max_upload_mib=8
    )
    if engine is not None:
        workshop = WorkShop(engine, workshop.clock, workshop.outbox)
    market = Marketplace(
        settings=change(settings) if change else settings,
        engine=workshop.engine,
        clock=workshop.clock,
        queue=queue_app(database.url),
        workshop=workshop,
        run_limits=RunLimits(),
    )
    app = kept_app(market) if engine is None and prepare is None else create_app(market)
    app.testing = False  # faults are answered as in production
    if prepare is not None:
        prepare(app)
    return app


_kept: dict[Settings, Flask] = {}


def kept_app(market: Marketplace) -> Flask:
    """Return the application that this process has made before for settings like ``market``'s, now serving ``market``.

    An application keeps nothing of an installation but which one it serves; making it (each route, and each template when it
    is shown first) takes longer than most tests. One installation at a time: not for a test that has two.
    """
    from marketplace.doors import current
    from marketplace.wsgi import create_app

    alike = replace(market.settings, database_url="", database_owner_url="")
    if alike not in _kept:
        _kept[alike] = create_app(market)
    current.install(_kept[alike], market)
    return _kept[alike]


@dataclass
class Caller:
    """Somebody with a token, who calls the API."""

    client: FlaskClient
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET below /api/v1."""
        return self.client.get(f"/api/v1{path}", headers=self._headers({}), **options)

    def post(self, path: str, json: Any = None, *, key: str | None = None, **options: Any) -> TestResponse:
        """POST below /api/v1, with an Idempotency-Key if given."""
        headers = self._headers({"Idempotency-Key": key} if key else {})
        if json is not None:
            options["json"] = json
        return self.client.post(f"/api/v1{path}", headers=headers, **options)

    def put(self, path: str, json: Any) -> TestResponse:
        """PUT below /api/v1."""
        return self.client.put(f"/api/v1{path}", headers=self._headers({}), json=json)

    def delete(self, path: str) -> TestResponse:
        """DELETE below /api/v1."""
        return self.client.delete(f"/api/v1{path}", headers=self._headers({}))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return bearer | self.headers | more
