"""The company registry at the console: made up for a demo, or brought in from a file of any size."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

import click

from marketplace.cli.documents import print_document, reports_problems
from marketplace.cli.installation import read_settings
from marketplace.cli.people import acting_person, person_options

if TYPE_CHECKING:  # imported by the command that needs it, so that the console starts fast
    from marketplace.composition import Marketplace
    from services.usecases.company_imports import ImportView
    from tenants.kernel.context import Actor

NOT_DONE = 1
"""Exit code of an import that ended otherwise than done, or took no row."""
DAY = click.DateTime(["%Y-%m-%d"])
LOOK_SECONDS = 0.5
LONELY_SECONDS = 15.0
"""So long an import may wait for a worker before the person is told."""


@click.group()
def companies() -> None:
    """The company registry."""


@companies.command("generate")
@click.option("--rows", required=True, type=click.IntRange(1, 1_000_000), help="How many companies.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--as-of", type=DAY, default="2026-01-01", show_default=True, help="Their date.")
@click.option("--events", type=click.Path(dir_okay=False, path_type=Path), help="Also their dated expansions, as CSV.")
@click.option(
    "--output", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The CSV file."
)
def generate_companies(rows: int, seed: int, as_of: datetime, events: Path | None, target: Path) -> None:
    """Write a synthetic registry: invented names, valid credit codes that are nobody's."""
    from services.rules.demo_companies import write_companies

    with target.open("w", encoding="utf-8", newline="") as stream, ExitStack() as opened:
        told = None if events is None else opened.enter_context(events.open("w", encoding="utf-8", newline=""))
        count = write_companies(stream, told, as_of=as_of.date(), count=rows, seed=seed)
    print_document({"companies": rows, "events": count})


@companies.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--source", "name", required=True, help="Where the file comes from.")
@click.option("--licence", required=True, help="What its data may be used for.")
@click.option("--as-of", type=DAY, required=True, help="The day of rows that give none.")
@click.option("--events", is_flag=True, help="The file tells of dated expansions, not of companies.")
@click.option("--here", is_flag=True, help="Import in this process instead of watching a worker.")
@click.option(
    "--quarantine", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows set aside here (CSV)."
)
@person_options
@reports_problems
def import_companies(
    path: Path,
    name: str,
    licence: str,
    as_of: datetime,
    quarantine: Path | None,
    login: str | None,
    key_file: Path | None,
    *,
    events: bool,
    here: bool,
) -> None:
    """Bring FILE (CSV or XLSX, of any size) into the registry as the page and the API do, and watch it to its end.

    Progress goes to standard error, the report to standard output. Exit 0 when it is done, 1 when it ended otherwise or
    took no row, 2 when the file or what was said of it is refused. Interrupted, it goes on with a worker.
    """
    from marketplace.api.company_imports import CompanyImport
    from marketplace.composition import build
    from marketplace.formats.quarantine import write_quarantine
    from services.rules.company_imports import ImportKind, ImportStatus
    from services.usecases import company_imports as use_cases

    with ExitStack() as opened:
        target = None if quarantine is None else opened.enter_context(_opened(quarantine))
        market = opened.enter_context(build(read_settings()))
        actor = acting_person(market, login, key_file)
        click.echo(f"Reading {path} (about a minute for a million rows) ...", err=True)
        with market.workshop.work(actor) as work:
            source_id = use_cases.start_import(
                work,
                kind=ImportKind.EXPANSIONS if events else ImportKind.COMPANIES,
                name=name,
                licence=licence,
                as_of=as_of.date(),
                file_name=path.name,
                path=path,
            ).id
        progress = _Progress(market, actor, source_id)
        try:
            if here:
                use_cases.carry_out_import(market.workshop, actor, source_id=source_id, stopping=progress.told)
            found = progress.watched()
        except KeyboardInterrupt:
            click.echo(f"Left alone: a worker goes on with import {source_id}.", err=True)
            sys.exit(NOT_DONE)
        print_document(CompanyImport.of(found).model_dump(mode="json"))
        if target is not None:
            with market.workshop.work(actor) as work:
                write_quarantine(use_cases.refused_rows(work, source_id=source_id), target)
    if found.status is not ImportStatus.DONE or not found.rows_accepted:
        sys.exit(NOT_DONE)


def _opened(path: Path) -> BinaryIO:
    """Open the file of the rows set aside before anything is imported. Raises BadParameter where it cannot be written."""
    try:
        return path.open("wb")
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--quarantine") from error


class _Progress:
    """Says on standard error how far an import is, whenever that has changed by a twentieth."""

    def __init__(self, market: Marketplace, actor: Actor, source_id: UUID) -> None:
        self._market, self._actor, self._source_id = market, actor, source_id
        self._said: tuple[str, int] | None = None

    def told(self) -> bool:
        """Say how far it is; False, since it is to go on."""
        self._look()
        return False

    def watched(self) -> ImportView:
        """Return the import when it has ended."""
        begun, warned = time.monotonic(), False
        while True:
            found = self._look()
            if found.finished_at is not None:
                return found
            if not warned and found.status == "queued" and time.monotonic() - begun > LONELY_SECONDS:
                click.echo(
                    "No worker has begun it yet. Is one running ('marketplace worker')? It keeps its place.", err=True
                )
                warned = True
            time.sleep(LOOK_SECONDS)

    def _look(self) -> ImportView:
        from services.usecases.company_imports import read_import

        with self._market.workshop.work(self._actor) as work:
            found = read_import(work, source_id=self._source_id).source
        now = (found.status.value, found.percent // 5)
        if now != self._said:
            self._said = now
            click.echo(f"{now[0]}: {found.rows_done:,} of {found.rows_total:,} rows (import {found.id})", err=True)
        return found
