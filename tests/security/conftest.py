"""A province behind the API, with two parks that must not meet."""

from tests.support.province_fixtures import database, peopled, province

__all__ = ["database", "peopled", "province"]
