"""The JSON API, one file per noun: parse, call one use case, show."""

from __future__ import annotations

from flask_openapi3.openapi import OpenAPI


def register(app: OpenAPI) -> None:
    """Add every call to ``app``."""
