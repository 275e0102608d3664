"""Figures for Prometheus at ``/metrics``: requests as they are answered, jobs and funds from the database on scrape."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from threading import Lock

from flask import Flask, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from billing.usecases import funds
from marketplace.doors.current import current_market
from marketplace.gateways.queue_depth import queue_depth
from tenants.kernel.context import system_actor

KEPT_SECONDS = 15.0
"""How long figures from the database are reused, however many collectors ask."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_requests = Counter(
    "marketplace_requests_total", "Requests answered, by method, route and status.", ("method", "route", "status")
)
_seconds = Histogram(
    "marketplace_request_seconds", "Time to answer a request, in seconds.", ("method", "route"), buckets=BUCKETS
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    known = method if method in _METHODS else "other"
    _requests.labels(known, route, str(status)).inc()
    _seconds.labels(known, route).observe(seconds)


def publish(app: Flask) -> None:
    """Answer ``GET /metrics`` with the figures of all web processes of this machine."""
    figures = DatabaseFigures()

    @app.route("/metrics")
    def metrics() -> Response:
        """Show the figures in Prometheus' text format."""
        own = CollectorRegistry(auto_describe=False)
        own.register(figures)
        return Response(generate_latest(_process_registry()) + generate_latest(own), content_type=CONTENT_TYPE_LATEST)


def _process_registry() -> CollectorRegistry:
    """Return this process's figures, or those of all processes when they share a folder for them."""
    if values.ValueClass.__name__ == "MutexValue":
        return REGISTRY
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


class DatabaseFigures(Collector):
    """Figures that only the database knows, read at most once every KEPT_SECONDS."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[Metric, ...] = ()
        self._read_at = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance, so that registering asks the database nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield jobs by queue and status and what the funds have left; nothing when the database does not answer."""
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT_SECONDS:
                try:
                    self._kept = (self._jobs(), self._funds())
                except SQLAlchemyError:
                    self._kept = ()
                self._read_at = time.monotonic()
            yield from self._kept

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily("marketplace_jobs", "Jobs that wait or run.", labels=("queue", "status"))
        for (queue, status), count in sorted(queue_depth(current_market().engine).items()):
            family.add_metric((queue, status), count)
        return family

    def _funds(self) -> Metric:
        family = GaugeMetricFamily("marketplace_fund_available_fen", "Fen a fund has left.", labels=("fund", "year"))
        with current_market().workshop.work(system_actor("metrics")) as work:
            for fund in funds.list_funds(work):
                family.add_metric((fund.slug, str(fund.year)), fund.available_fen)
        return family
