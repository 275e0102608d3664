"""The console's commands."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import click

from marketplace.cli.companies import companies
from marketplace.cli.documents import (
    BAD_INPUT,
    input_option,
    output_option,
    print_document,
    read_document,
    reports_problems,
)
from marketplace.cli.installation import read_settings
from marketplace.settings import home


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="park-technology-marketplace")
def main() -> None:
    """A marketplace where parks rent subsidised technology services."""


main.add_command(companies)


@main.command()
def serve() -> None:
    """Serve the pages and the API with gunicorn, until told to stop."""
    settings = read_settings()
    config = home() / "infra" / "gunicorn.conf.py"
    os.execvp(  # noqa: S606 - gunicorn takes this process over, signals and all
        str(Path(sys.executable).with_name("gunicorn")),
        ["gunicorn", "-c", str(config), "-b", f"{settings.host}:{settings.port}"],
    )


@main.command()
def worker() -> None:
    """Work the job queue until told to stop."""
    from marketplace.composition import build
    from marketplace.doors.logs import configure
    from marketplace.jobs.worker import settle, work

    settings = read_settings()
    configure(settings.log_format)
    with build(settings) as market:
        settle()
        asyncio.run(work(market))


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema; several at once wait for the first."""
    from migrations.apply import provide_login, upgrade
    from tenants.kernel.database import connect

    settings = read_settings()
    engine = connect(settings.database_owner_url, pool_size=1)
    upgrade(engine)
    provide_login(engine, settings.database_url)
    engine.dispose()


@main.command()
@click.option("--demo", is_flag=True, help="The demo province: parks, providers, offerings, programmes, history.")
@click.option("--json", "as_json", is_flag=True, help="Print the demo's logins as JSON.")
@click.option("--parks", default=0, show_default=True, help="Further parks, for measuring.")
@click.option("--events", default=0, show_default=True, help="Usage events of the further parks, for measuring.")
def seed(*, demo: bool, as_json: bool, parks: int, events: int) -> None:
    """Fill an empty database. Run again, it changes nothing and prints the same."""
    from marketplace.composition import build
    from marketplace.demo.logins import describe
    from marketplace.demo.province import seed_province
    from marketplace.demo.scale import seed_scale

    settings = read_settings()
    if demo and not settings.is_demo:
        raise click.ClickException("The demo has known passwords: seed it only with MARKETPLACE_MODE=demo.")
    with build(settings) as market:
        if demo:
            logins = seed_province(market)
            print_document(logins.document()) if as_json else click.echo(describe(logins))
        if parks or events:
            click.echo(seed_scale(market, parks=parks, events=events), err=True)


@main.command()
@click.option("--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
def openapi(target: Path | None) -> None:
    """Print the API's OpenAPI 3.1 document."""
    from marketplace.wsgi import openapi_document

    text = json.dumps(openapi_document(), ensure_ascii=False, indent=2)
    if target is None:
        click.echo(text)
    else:
        target.write_text(text + "\n", encoding="utf-8")


@main.command()
def check() -> None:
    """Check every money and isolation invariant over the whole database; exit 1 and a list on any break."""
    from marketplace.composition import build
    from marketplace.usecases import invariants
    from tenants.kernel.context import system_actor

    with build(read_settings()) as market, market.workshop.work(system_actor("check")) as work:
        broken = invariants.check(work)
    for each in broken:
        click.echo(f"BROKEN {each.name}: {each.sentence}")
        for row in each.rows:
            click.echo("    " + json.dumps(row, ensure_ascii=False, default=str))
    click.echo(f"{len(invariants.ALL)} invariants, {len(broken)} broken")
    if broken:
        sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the story as JSON.")
def demo(*, as_json: bool) -> None:
    """Tell the main job as a story on a throw-away database."""
    from marketplace.demo.runner import run_story

    story = run_story(say=None if as_json else click.echo)
    if as_json:
        print_document(story.document())
    if not story.held:
        sys.exit(1)


@main.command()
@input_option
@reports_problems
def quote(source: str) -> None:
    """Evaluate subsidy policies on an order, purely."""
    from billing.usecases.alone import quote_document

    print_document(quote_document(read_document(source)))


@main.command()
@input_option
@reports_problems
def rate(source: str) -> None:
    """Meter and rate usage events, purely."""
    from billing.usecases.alone import rate_document

    print_document(rate_document(read_document(source)))


@main.command()
@input_option
@reports_problems
def settle(source: str) -> None:
    """Settle a year of a joint facility between its parks, purely."""
    from billing.usecases.alone import settle_document

    print_document(settle_document(read_document(source)))


@main.command()
@input_option
@click.option("--output", "folder", type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
@click.option("--estimate", is_flag=True, help="Only say whether the input is whole, its steps, CPU seconds and price.")
@click.option("--unit-price", default="10000", show_default=True, help="Yuan a run, for the estimate.")
@reports_problems
def twin(source: str, folder: Path | None, *, estimate: bool, unit_price: str) -> None:
    """Run the digital twin alone, or estimate it first; an estimate of invalid input exits 2."""
    from marketplace.cli.estimates import estimate_document
    from services.usecases.twin_alone import twin_command

    if estimate:
        document = estimate_document(Path(source), unit_price)
        print_document(document)
        if not document["valid"]:
            sys.exit(BAD_INPUT)
        return
    if folder is None:
        raise click.UsageError("Missing option '--output', or '--estimate'.")
    print_document(twin_command(Path(source), folder).kpis)


@main.command("park-schema")
def park_schema() -> None:
    """Print the JSON Schema of park.json."""
    from services.usecases.twin_schema import park_json_schema

    print_document(park_json_schema())


@main.command("brief-schema")
def brief_schema() -> None:
    """Print the JSON Schema of a lead list's brief."""
    from services.usecases.briefs import brief_json_schema

    print_document(brief_json_schema())


@main.command()
@input_option
@click.option(
    "--companies", "registry", required=True, type=click.Path(dir_okay=False, path_type=Path), help="CSV or XLSX."
)
@click.option(
    "--events", type=click.Path(dir_okay=False, path_type=Path), help="Dated expansions, CSV or XLSX: who, where, when."
)
@click.option(
    "--input-output", "flows", type=click.Path(dir_okay=False, path_type=Path), help="Who buys from whom, CSV."
)
@click.option("--demands", type=click.Path(dir_okay=False, path_type=Path), help="What industries need, CSV.")
@output_option
@reports_problems
def leads(
    source: str, registry: Path, events: Path | None, flows: Path | None, demands: Path | None, folder: Path
) -> None:
    """Rank leads alone."""
    from services.usecases.leads_alone import leads_command

    result = leads_command(Path(source), registry, folder, events_path=events, flows_path=flows, demands_path=demands)
    print_document(result.kpis)
