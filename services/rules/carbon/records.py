"""The activity ledger: what a record may say, what it emits, and how a correction takes a record's place.

A record is never edited. A correction is a new record that names the one it replaces; of a chain only the last counts,
and one that withdraws something has the quantity zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from services.rules.carbon.factors import AVERAGE, HEAT, Factor
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

LONGEST_SPAN = 366
EARLIEST = date(2000, 1, 1)


class Category(StrEnum):
    """The headings of GB/T 32150 under which a record counts."""

    FUEL = "fuel"
    VEHICLE = "vehicle"
    PROCESS = "process"
    REFRIGERANT = "refrigerant"
    ELECTRICITY = "electricity"
    OWN_GREEN = "own_green"
    HEAT = "heat"
    SOLD_ELECTRICITY = "sold_electricity"
    SOLD_HEAT = "sold_heat"

    @property
    def scope(self) -> int:
        """Return 1 for what the site emits itself, 2 for what its bought power and heat emit."""
        return 1 if self in _SCOPE_1 else 2

    @property
    def sign(self) -> int:
        """Return −1 for what GB/T 32150 takes off the total: power and heat made from the site's fuel and passed on.

        Zero for power of the site's own sun and wind, which emits nothing.
        """
        if self is Category.OWN_GREEN:
            return 0
        return -1 if self in {Category.SOLD_ELECTRICITY, Category.SOLD_HEAT} else 1

    @property
    def electric(self) -> bool:
        """Tell whether the record is of electricity, so that it has a market-based result of its own."""
        return self in {Category.ELECTRICITY, Category.OWN_GREEN, Category.SOLD_ELECTRICITY}

    def takes(self, item: str) -> bool:
        """Tell whether ``item`` can be recorded under this heading."""
        return item.startswith(_ITEMS[self])


_SCOPE_1 = frozenset({Category.FUEL, Category.VEHICLE, Category.PROCESS, Category.REFRIGERANT})
_ITEMS = {
    Category.FUEL: ("fuel.",),
    Category.VEHICLE: ("fuel.",),
    Category.PROCESS: ("process.", "gas."),
    Category.REFRIGERANT: ("gas.",),
    Category.ELECTRICITY: (AVERAGE,),
    Category.OWN_GREEN: (AVERAGE,),
    Category.HEAT: (HEAT,),
    Category.SOLD_ELECTRICITY: (AVERAGE,),
    Category.SOLD_HEAT: (HEAT,),
}


@dataclass(frozen=True)
class Record:
    """One activity: ``[start, end)`` in days of the site's zone, ``base_quantity`` in the unit of ``factor``.

    ``grams`` is the location-based emission without its sign. Electricity bears a second factor, the residual mix, for
    what no certificate covers.
    """

    id: UUID
    replaces: UUID | None
    category: Category
    start: date
    end: date
    base_quantity: Decimal
    factor: Factor
    grams: int
    residual: Factor | None = None

    @property
    def signed(self) -> int:
        """Return the grams as they enter the total."""
        return self.grams * self.category.sign


def check_span(start: date, end: date, today: date) -> None:
    """Refuse a span that is empty, longer than a year, before 2000, or not over yet; Invalid at ``start`` or ``end``."""
    if start < EARLIEST:
        raise _wrong("start", msg("开始日期不能早于 {earliest}。", earliest=EARLIEST))
    if not timedelta(0) < end - start <= timedelta(days=LONGEST_SPAN):
        raise _wrong("end", msg("结束日期须晚于开始日期，跨度不超过一年。"))
    if end > today + timedelta(days=1):
        raise _wrong("end", msg("只能登记已经发生的活动。"))


def check_item(category: Category, item: str) -> None:
    """Refuse an item that does not belong under the heading; Invalid at ``item``."""
    if not category.takes(item):
        raise _wrong("item", msg("“{item}”不属于所选的排放类别。请换一个类别或活动。", item=item))


def standing(records: Iterable[Record]) -> tuple[Record, ...]:
    """Return the records that count: those which no other one replaces."""
    known = tuple(records)
    replaced = {record.replaces for record in known if record.replaces is not None}
    return tuple(record for record in known if record.id not in replaced)


def _wrong(field: str, message: Message) -> Invalid:
    code = f"carbon.{field}"
    return Invalid(code, message, errors=[FieldError(field, code, message)])
