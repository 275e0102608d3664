"""Made-up tables for the demo's positionings: who buys from whom among ten sectors, and what their projects need."""

from __future__ import annotations

_SECTORS = (
    ("D01", "食品", "13;14;15"), ("D02", "纺织服装", "17;18"), ("D03", "化工材料", "26;28;29"), ("D04", "医药", "27"),
    ("D05", "金属制品", "31;32;33"), ("D06", "装备", "34;35"), ("D07", "汽车", "36"), ("D08", "电气", "38"),
    ("D09", "电子", "39;40"), ("D10", "仓储物流", "54;59"), ("D11", "软件与技术服务", "65;73;74"),
)  # fmt: skip
_FLOWS = (
    (240, 4, 8, 12, 1, 1, 1, 1, 1, 3, 2), (3, 210, 6, 4, 2, 3, 9, 2, 1, 2, 1), (22, 65, 300, 48, 20, 18, 40, 35, 42, 2, 3),
    (2, 1, 4, 60, 0, 0, 0, 0, 0, 0, 2), (8, 3, 12, 4, 260, 130, 150, 95, 40, 5, 2), (6, 8, 10, 5, 18, 140, 60, 22, 15, 4, 3),
    (1, 0, 1, 0, 2, 12, 210, 2, 1, 18, 2), (4, 3, 8, 2, 10, 45, 70, 180, 60, 6, 9), (2, 1, 4, 6, 4, 38, 48, 55, 320, 3, 34),
    (26, 12, 24, 10, 22, 14, 18, 13, 12, 40, 4), (5, 3, 10, 16, 7, 22, 20, 18, 40, 8, 60),
)  # fmt: skip
_DEMANDS = (
    ("13", 60, 120_000, 90, "0.72"), ("14", 50, 150_000, 110, "0.75"), ("17", 80, 110_000, 140, "0.64"),
    ("26", 150, 160_000, 260, "0.58"), ("27", 90, 220_000, 170, "0.80"), ("35", 70, 200_000, 120, "0.78"),
    ("36", 120, 210_000, 160, "0.74"), ("38", 130, 230_000, 300, "0.62"), ("39", 60, 300_000, 320, "0.70"),
    ("59", 200, 90_000, 30, "0.85"), ("65", 15, 400_000, 150, "0.90"),
)  # fmt: skip


def demo_input_output() -> bytes:
    """Return a made-up input–output table as a CSV."""
    lines = [",".join(("code", "name", "divisions", *(code for code, _, _ in _SECTORS)))]
    for sector, flows in zip(_SECTORS, _FLOWS, strict=True):
        lines.append(",".join((*sector, *map(str, flows))))
    return ("\n".join(lines) + "\n").encode()


def demo_demands() -> bytes:
    """Return made-up needs of industries as a CSV."""
    lines = ["division,area_mu,land_price_yuan_per_mu,power_kva_per_mu,electricity_yuan_per_kwh,source"]
    lines += [f"{code},{area},{land},{power},{price},演示数据（虚构）" for code, area, land, power, price in _DEMANDS]
    return ("\n".join(lines) + "\n").encode()
