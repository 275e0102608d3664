"""``make bench``: every speed as a ratio of two things measured in one run, beside its target.

``make bench ARGS='checkout page'`` measures some. Nothing fails for being slow: a busy machine is no fault of the program.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from marketplace.doors.logs import configure
from tests.benchmarks.bookings import bench_bookings
from tests.benchmarks.checkout import bench_checkout
from tests.benchmarks.events import bench_events
from tests.benchmarks.figures import HEAD, Figure
from tests.benchmarks.holds import bench_holds
from tests.benchmarks.imports import bench_imports
from tests.benchmarks.ingest import bench_ingest
from tests.benchmarks.installation import Installation, installation
from tests.benchmarks.invoices import bench_invoices
from tests.benchmarks.leads import bench_leads
from tests.benchmarks.ledger import bench_ledger
from tests.benchmarks.meters import bench_meters
from tests.benchmarks.page import bench_page
from tests.benchmarks.power_flow import bench_power_flow
from tests.benchmarks.quotes import bench_quote
from tests.benchmarks.readings import bench_readings
from tests.benchmarks.replays import bench_replay
from tests.benchmarks.twin import bench_twin

ON_AN_INSTALLATION: dict[str, Callable[[Installation], list[Figure]]] = {
    "checkout": bench_checkout,
    "events": bench_events,
    "imports": bench_imports,
    "meters": bench_meters,
    "page": bench_page,
    "readings": bench_readings,
}


def _holds() -> list[Figure]:
    found = bench_holds()
    detail = f"{found.holds_a_second:.0f} holds/s ÷ {found.bare_a_second:.0f}/s bare on one fund, 32 connections"
    gain = found.allotted_a_second / found.holds_a_second
    return [
        Figure("holds", f"{found.ratio:.2f}", "≥ 0.8", detail),
        Figure("holds, by county", f"{gain:.2f}", "≥ 2", "holds/s of counties with allotments ÷ holds/s of one row"),
    ]


def _ingest() -> list[Figure]:
    found = bench_ingest()
    detail = f"{found.events_a_second:,.0f} events/s ÷ {found.bare_a_second:,.0f}/s of bare COPY, batches of 10,000"
    return [Figure("ingest, in process", f"{found.ratio:.2f}", "≥ 0.45", detail)]


def _quote() -> list[Figure]:
    return [Figure("quote", f"{bench_quote():.2f} ms", "< 1 ms", "CPU per order line with 20 programmes")]


def _replay() -> list[Figure]:
    speed = bench_replay()
    detail = "past orders of a year a second that a version is tried on, one process, database included"
    return [Figure("simulate", f"{speed:,.0f}/s", "> 1,000/s", detail)]


ALONE: dict[str, Callable[[], list[Figure]]] = {
    "bookings": bench_bookings,
    "holds": _holds,
    "ingest": _ingest,
    "invoices": bench_invoices,
    "leads": bench_leads,
    "ledger": bench_ledger,
    "power-flow": bench_power_flow,
    "quote": _quote,
    "simulate": _replay,
    "twin": bench_twin,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was named, or everything, and print a row for each figure as soon as it is known."""
    names = [*ON_AN_INSTALLATION, *ALONE]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(names)}; all if none is given")
    wanted = parser.parse_args(arguments).names or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}: choose from {', '.join(names)}")
    sys.stdout.write(f"{HEAD}\n")
    with ExitStack() as stack:
        _log_to(stack.enter_context(Path(os.devnull).open("w", encoding="utf-8")))
        place: Installation | None = None
        for name in wanted:
            if name in ALONE:
                figures = ALONE[name]()
            else:
                place = place or stack.enter_context(installation())
                figures = ON_AN_INSTALLATION[name](place)
            for figure in figures:
                sys.stdout.write(f"{figure.row()}\n")
            sys.stdout.flush()


def _log_to(nowhere: TextIO) -> None:
    """Write log lines as production does, so that they are measured, to where they disturb no table."""
    configure("json")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(nowhere)


if __name__ == "__main__":
    main()
