"""Fixtures of a province behind the API: its people are entered once a run, every test gets a copy of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import make_url

from infra.postgres import Server
from tenants.kernel.clock import ManualClock
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support.databases import Database, fresh_database
from tests.support.province import Keys, Province, build_province, province_of


@pytest.fixture(scope="session")
def peopled(server: Server) -> Iterator[tuple[str, Keys]]:
    """The name of a database that holds the province, and its keys. Nobody is connected to it any more."""
    with fresh_database(server) as made:
        engine = made.engine()
        keys = build_province(WorkShop(engine, ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent()))
        engine.dispose()
        yield str(make_url(made.url).database), keys


@pytest.fixture
def database(server: Server, peopled: tuple[str, Keys]) -> Iterator[Database]:
    """A fresh database with the province in it."""
    with fresh_database(server, peopled[0]) as made:
        yield made


@pytest.fixture
def province(app: Flask, workshop: WorkShop, peopled: tuple[str, Keys]) -> Province:
    """The province, without money or rules yet."""
    return province_of(app, workshop, peopled[1])
