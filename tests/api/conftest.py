"""A province behind the API."""

from tests.support.province_fixtures import database, peopled, province

__all__ = ["database", "peopled", "province"]
