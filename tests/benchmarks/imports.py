"""The registry's import from the door to the merge, and beside it a bare COPY of the same rows into a bare table."""

from __future__ import annotations

import tempfile
import time
from datetime import date
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from services.gateways.company_files import open_company_path
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import write_companies
from services.usecases import company_imports
from tenants.kernel.context import system_actor
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation

ROWS = 200_000
AS_OF = date(2026, 1, 1)
_COLUMNS = "uscc, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status, as_of"


def bench_imports(made: Installation) -> list[Figure]:
    """Measure wall time of an import by one process (half a minute)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "registry.csv")
        with path.open("w", encoding="utf-8", newline="") as stream:
            write_companies(stream, None, as_of=AS_OF, count=ROWS, seed=7)
        began = time.perf_counter()
        source = _start(made, path)
        taken = time.perf_counter() - began
        company_imports.carry_out_import(made.market.workshop, system_actor("bench"), source_id=source.id)
        ours = time.perf_counter() - began
        bare = _bare(made, path)
    detail = (
        f"{ROWS / ours:,.0f} rows/s ÷ {ROWS / bare:,.0f}/s of bare COPY, {ROWS:,} companies, checks and merge included; "
        f"the door took {taken:.1f} s of {ours:.1f} s"
    )
    return [Figure("import, registry", f"{bare / ours:.2f}", "–", detail)]


def _start(made: Installation, path: Path) -> company_imports.ImportView:
    with made.market.workshop.work(system_actor("bench")) as work:
        return company_imports.start_import(
            work, kind=ImportKind.COMPANIES, name="名录", licence="CC0-1.0", as_of=AS_OF, file_name=path.name, path=path
        )


def _bare(made: Installation, path: Path) -> float:
    """Return the seconds that a COPY of the rows takes when they are read and checked already."""
    rows = [
        (
            each.uscc, each.name, each.region_code, each.industry_code, each.founded_on, each.capital_fen, each.expansions,
            each.scope, "active" if each.active else "inactive", each.as_of,
        )
        for each in open_company_path(path, default_as_of=AS_OF).rows()
    ]  # fmt: skip
    dsn = make_url(made.market.settings.database_owner_url).set(drivername="postgresql")
    with psycopg.connect(dsn.render_as_string(hide_password=False)) as connection:
        connection.execute(f"CREATE TABLE bare_companies AS SELECT {_COLUMNS} FROM companies WHERE false")
        connection.execute("ALTER TABLE bare_companies ADD PRIMARY KEY (uscc)")
        connection.commit()
        began = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(f"COPY bare_companies ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
        return time.perf_counter() - began
