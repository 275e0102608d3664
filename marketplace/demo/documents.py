"""Documents the demo's people send: a week of a park for a quick twin run, a brief for leads, a bank statement."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from services.rules.demo_park import demo_park
from services.rules.twin.calendar import make_calendar, make_horizon
from services.rules.twin.demo_load import demo_load
from tenants.kernel.clock import CHINA


def week_of_park(name: str) -> dict[str, Any]:
    """Return a park of a week at hourly steps: the same engine as a year, in a second."""
    return {
        **demo_park(name=name),
        "period": {"from": "2025-07-07", "to": "2025-07-14"},
        "step_minutes": 60,
    }


def year_of_load(year: int = 2025, seed: int = 7) -> bytes:
    """Return a year of 15-minute load as the CSV that a park's meter exports (``time,kw``, stamps in China's time)."""
    first, until = datetime(year, 1, 1, tzinfo=CHINA), datetime(year + 1, 1, 1, tzinfo=CHINA)
    calendar = make_calendar(make_horizon(first.date(), until.date(), 15, "Asia/Shanghai"))
    step = timedelta(minutes=15)
    rows = (
        f"{first + index * step:%Y-%m-%dT%H:%M},{power:.2f}"
        for index, power in enumerate(demo_load(calendar, seed=seed))
    )
    return ("time,kw\n" + "\n".join(rows) + "\n").encode()


def leads_brief(region_code: str) -> dict[str, Any]:
    """Return a brief for a county that looks for food and textile companies, and for nothing that needs its water."""
    return {
        "region_code": region_code,
        "industries": ["13", "17"],
        "exclusions": ["25", "26"],
        "limits": ["high_water", "heavy_metals"],
        "area_mu": 120,
        "land_price_fen_per_mu": 9_600_000,
        "rent_fen_per_m2_month": 800,
        "power_kva": 12_500,
        "electricity_yuan_per_kwh": "0.6150",
        "logistics": {"motorway_km": 6, "rail_freight_km": 12},
        "budget_fen": 300_000_000,
        "count": 50,
    }


def bank_statement(receipts: Iterable[tuple[str, int, str, str]]) -> Callable[[str], bytes]:
    """Return a statement, given its day (YYYYMMDD), with receipts of (bank reference, fen, payer, text)."""
    rows = list(receipts)

    def on(day: str) -> bytes:
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(["交易日期", "交易流水号", "收入金额", "对方户名", "摘要"])
        for reference, amount_fen, payer, remittance in rows:
            table.writerow(
                [
                    day,
                    f"{day}{reference}",
                    f"{amount_fen // 100}.{amount_fen % 100:02d}",
                    payer,
                    f"技术服务费 {remittance}",
                ]
            )
        return text.getvalue().encode("utf-8")

    return on
