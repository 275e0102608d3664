"""Commands that need no database: a JSON document in, a JSON document out; exit 2 and a problem for bad input."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

from billing.formats.documents import read_json
from marketplace.doors.problems import problem_document
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg

BAD_INPUT = 2
P = ParamSpec("P")

input_option = click.option(
    "--input", "source", required=True, metavar="FILE", help="The JSON document; - reads standard input."
)
output_option = click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to.",
)


def reports_problems(command: Callable[P, None]) -> Callable[P, None]:
    """Print a refusal as a problem document on standard error and exit 2."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Problem as problem:
            click.echo(json.dumps(problem_document(problem, "zh"), ensure_ascii=False, indent=2), err=True)
            sys.exit(BAD_INPUT)

    return run


def read_document(source: str) -> object:
    """Return the JSON in the file ``source`` (or standard input), fractions exact; Invalid when there is none."""
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        reason = msg("无法读取文件 {file}:{reason}。请核对路径与权限。", file=source, reason=error.strerror)
        raise Invalid("input.unreadable", reason, errors=[FieldError("input", "input.unreadable", reason)]) from error
    return read_json(raw.removeprefix(codecs.BOM_UTF8))


def print_document(document: object) -> None:
    """Write a JSON document to standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
