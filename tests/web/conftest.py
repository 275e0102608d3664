"""Pages over a small province."""

from collections.abc import Callable

import pytest

from tests.support.province import Province
from tests.support.province_fixtures import database, peopled, province
from tests.support.visitor import Visitor

__all__ = ["database", "peopled", "province"]


@pytest.fixture
def visitor(province: Province) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(province.app)


@pytest.fixture
def signed_in(province: Province) -> Callable[[str], Visitor]:
    """Sign people in."""

    def enter(login: str) -> Visitor:
        somebody = Visitor(province.app)
        answer = somebody.sign_in(login)
        assert answer.status_code == 200, answer.text
        return somebody

    return enter
