"""Who acts at the console: a person who gives the password, or a program with a person's API key. Nobody acts unnamed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:  # imported by the commands that need them, so that the console starts fast
    from marketplace.composition import Marketplace
    from tenants.kernel.context import Actor

Command = TypeVar("Command", bound=Callable[..., object])


def person_options(command: Command) -> Command:
    """Add ``--as`` and ``--key-file``, of which one says who acts."""
    login = click.option("--as", "login", metavar="LOGIN", help="Who acts; the password is asked for.")
    key = click.option(
        "--key-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Instead: a file that holds an API key, for programs.",
    )
    return login(key(command))


def acting_person(market: Marketplace, login: str | None, key_file: Path | None) -> Actor:
    """Return who acts, with the rights they have now.

    Raises UsageError unless just one of ``login`` and ``key_file`` is given, Unauthenticated for a wrong password or
    key, TooMany after too many wrong passwords: they count with those of the sign-in page.
    """
    from tenants.kernel.context import system_actor
    from tenants.kernel.identifiers import new_id
    from tenants.rules.people import normal_login
    from tenants.usecases import identity, sign_in_limits

    if (login is None) == (key_file is None):
        raise click.UsageError("Say who acts: '--as LOGIN' (the password is asked for) or '--key-file FILE'.")
    request_id = new_id().hex
    platform = replace(system_actor("console"), request_id=request_id)
    if key_file is not None:
        with market.workshop.work(platform) as work:
            token = key_file.read_text(encoding="utf-8", errors="replace").strip()
            return identity.actor_for_token(work, token=token, request_id=request_id)
    known = normal_login(login or "")
    password = click.prompt("Password", hide_input=True, err=True)
    attempt = sign_in_limits.Attempt("sign-in", known, "console")
    with sign_in_limits.proving(market.workshop, platform, attempt) as work:
        user_id = identity.sign_in(work, login=known, password=password).user_id
        return identity.actor_for_user(work, user_id=user_id, request_id=request_id)
