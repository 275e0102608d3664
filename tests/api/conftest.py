"""A province behind the API."""

from __future__ import annotations

import pytest
from flask import Flask

from tenants.kernel.work import WorkShop
from tests.support.province import Province, build_province


@pytest.fixture
def province(app: Flask, workshop: WorkShop) -> Province:
    """The province, without money or rules yet."""
    return build_province(app, workshop)
