"""The installation that a command works on."""

from __future__ import annotations

import click

from marketplace.settings import Settings, SettingsError


def read_settings() -> Settings:
    """Return the settings of the environment; what is missing ends the command with its name."""
    try:
        return Settings.from_environment()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
