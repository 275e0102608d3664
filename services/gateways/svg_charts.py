"""Small charts as inline SVG: they need no script and no network, and print as they are seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 760, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 36, 28
_TICKS = 4
_ALL_DIGITS = 1e4


@dataclass(frozen=True)
class Line:
    """One named row of values with its colour; ``dashed`` sets a comparison apart."""

    name: str
    colour: str
    values: Sequence[float]
    dashed: bool = False


def _scale(lowest: float, highest: float) -> tuple[float, float]:
    """Return round ends of an axis that holds both values and zero."""
    low, high = min(0.0, lowest), max(0.0, highest)
    span = max(high - low, 1e-9)
    step = 10 ** math.floor(math.log10(span / _TICKS))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if factor * step * _TICKS >= span)
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _y(value: float, axis: tuple[float, float]) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (axis[1] - value) / (axis[1] - axis[0])


def _frame(title: str, axis: tuple[float, float], labels: Sequence[str], lines: Sequence[Line]) -> list[str]:
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in range(_TICKS + 1):
        value = axis[0] + (axis[1] - axis[0]) * tick / _TICKS
        y = _y(value, axis)
        text = f"{value:,.4g}" if abs(value) < _ALL_DIGITS else f"{value:,.0f}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    slot = (_WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    parts += [
        f'<text x="{_LEFT + slot * (i + 0.5):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>'
        for i, label in enumerate(labels)
    ]
    x = _LEFT
    for line in lines:
        parts.append(
            f'<rect x="{x}" y="10" width="12" height="12" fill="{line.colour}"/>'
            f'<text x="{x + 17}" y="20">{escape(line.name)}</text>'
        )
        x += 34 + 13 * len(line.name)
    return parts


def bars(title: str, labels: Sequence[str], rows: Sequence[Line]) -> str:
    """Stack ``rows`` at each label; negative values hang below zero."""
    up = [sum(max(row.values[i], 0) for row in rows) for i in range(len(labels))]
    down = [sum(min(row.values[i], 0) for row in rows) for i in range(len(labels))]
    axis = _scale(min(down, default=0), max(up, default=0))
    parts = _frame(title, axis, labels, rows)
    slot = (_WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    width = min(slot * 0.62, 90)
    for i in range(len(labels)):
        high = low = 0.0
        x = _LEFT + slot * (i + 0.5) - width / 2
        for row in rows:
            value = row.values[i]
            base = high if value >= 0 else low
            y, height = _y(max(base, base + value), axis), abs(_y(base, axis) - _y(base + value, axis))
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{row.colour}">'
                f"<title>{escape(labels[i])} {escape(row.name)} {value:,.1f}</title></rect>"
            )
            high, low = (base + value, low) if value >= 0 else (high, base + value)
    return "".join([*parts, "</svg>"])


def curves(title: str, labels: Sequence[str], rows: Sequence[Line]) -> str:
    """Draw each row as a line over the whole width; labels are spread evenly."""
    values = [value for row in rows for value in row.values]
    axis = _scale(min(values), max(values))
    parts = _frame(title, axis, labels, rows)
    width = _WIDTH - _LEFT - _RIGHT
    for row in rows:
        count = len(row.values)
        points = " ".join(
            f"{_LEFT + width * (i + 0.5) / count:.1f},{_y(value, axis):.1f}" for i, value in enumerate(row.values)
        )
        dash = ' stroke-dasharray="5 4"' if row.dashed else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{row.colour}" stroke-width="2"{dash}/>')
    return "".join([*parts, "</svg>"])
