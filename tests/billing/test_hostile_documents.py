"""Documents that anybody may have written get an answer or a refusal, never a traceback."""

import json
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.formats.documents import read_json
from billing.usecases.alone import quote_document, rate_document
from tenants.kernel.errors import Invalid

QUOTE = {
    "policies": [
        {
            "programme": "p", "version": 1, "mode": "instant", "currency": "CNY", "base": "net_of_vat",
            "window": {"from": "2026-01-01", "to": "2027-01-01"}, "timezone": "Asia/Shanghai", "year_starts": "07-01",
            "eligible": {"all": [{"any": [{"fact": "size", "is": "in", "value": ["small"]}]}]},
            "rates": [{"when": [{"fact": "n", "is": "gte", "value": 3}], "rate_bp": 7000, "reason": "N"}],
            "price_limit_fen": 9_000_000, "caps": [{"scope": "order", "amount_fen": 5, "when": []}],
            "funders": [{"fund": "a", "share_bp": 4000}, {"fund": "b", "share_bp": 6000}],
            "stacking": {"group": "g", "mode": "MAX", "combined_cap_bp": 7000, "combined_cap_fen": 70},
            "shortfall": "partial", "payee": "tenant",
        }
    ],
    "order": {"date": "2026-05-01", "facts": {"size": "small", "n": 4},
              "lines": [{"offering": "x", "gross_fen": 1000, "vat_bp": 600, "facts": {"m": [1, "a", True]}}]},
    "used": {"order": 1, "p": {"scheme": 2}}, "funds": {"a": 3},
}  # fmt: skip
RATE = {
    "meter": {"slug": "m", "event_type": "use", "aggregation": "sum", "value_property": "$.v",
              "group_by": {"lab": "$.lab"}, "filters": {"$.k": ["a", 1]}},
    "charge": {"model": "graduated", "tiers": [{"up_to": "5", "unit_price": "10", "flat_fee": "1"},
                                               {"up_to": None, "unit_price": "1"}], "minimum": "3", "already_units": "1"},
    "events": [{"specversion": "1.0", "id": "1", "source": "s", "type": "use", "subject": "p",
                "time": "2026-05-10T00:00:00Z", "data": {"v": "2.5", "k": "a", "lab": None}}],
    "period": {"from": "2026-05-01", "to": "2026-06-01", "timezone": "Asia/Shanghai", "windowSize": "DAY"},
}  # fmt: skip

hostile: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, -1, 1, 2**53, 2**63, 10**300, -(10**18), 1.5, float("inf"), float("nan"), 1e308, 5e-324, "",
     "0", "-1", "1e999999999", "NaN", "Infinity", "99999999999999999999", "0.0000000000001", "x" * 10_000, "\0", "\ud800",
     "١٢", "2026-05-01", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "$.a",
     "$." + "a" * 65, "../../etc/passwd", "America/Adak", [], {}, [[]], [None], {"all": []}, {"": 1}, Decimal("1e-50")]
)  # fmt: skip


def places(document, path=()):
    yield path
    members = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, member in members:
        yield from places(member, (*path, key))


def changed(document, path, value):
    if not path:
        return value
    document = deepcopy(document)
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return document


@settings(max_examples=500, deadline=None)
@given(st.data())
@pytest.mark.parametrize(("command", "good"), [(quote_document, QUOTE), (rate_document, RATE)])
def test_any_field_may_hold_anything(command, good, data):
    path = data.draw(st.sampled_from(list(places(good))))
    try:
        answer = command(changed(good, path, data.draw(hostile)))
    except Invalid as refusal:
        for error in refusal.errors:
            assert str(error.message)
            error.field.encode()
    else:
        json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "NaN", "9" * 5_000, b"\xff", '{"a": Infinity}'])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(Invalid):
        read_json(text)


def test_fractions_are_read_exactly():
    assert read_json("[0.1, 1.10000000000000000001]") == [Decimal("0.1"), Decimal("1.10000000000000000001")]
