"""The cheapest path to a target: which measure stands from which year, as a mixed-integer program, and its check.

Two solves. The first makes what is missing of the yearly limits as small as it can be without offsets; the second is
the cheapest plan that misses no more. Offsets fill what is left, so they come last by construction, and what even they
do not cover is named. The check recomputes every year in decimals from the measures alone; it knows no solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

import numpy as np

from services.rules.carbon.measures import Baseline, Kind, Measure, yearly_cost
from services.rules.twin.inputs import Floats
from services.rules.twin.linear_program import INFINITY, LinearProgram, Rows

Solve = Callable[[LinearProgram], Floats]
"""Takes a program, returns the values of its columns."""
_TOLERANCE_T = 1e-6
_LEAST_KWH = Decimal("0.01")
"""Less green power than this is the solver's tolerance, not a wish."""
_YUAN = 1000.0  # costs go to the solver in thousands, so that they are as large as tonnes


@dataclass(frozen=True)
class Goal:
    """Where a path must arrive: a share of the base year's emissions by ``year``, in even steps when ``even``."""

    year: int
    remaining_share: Decimal
    even: bool = False

    def limits(self, baseline: Baseline) -> dict[int, Decimal]:
        """Return tonnes allowed in each year after the base year; only the last is limited unless steps are even."""
        aim, span = baseline.tonnes * self.remaining_share, self.year - baseline.year
        if not self.even:
            return dict.fromkeys(range(baseline.year + 1, self.year), baseline.tonnes) | {self.year: aim}
        return {
            baseline.year + step: baseline.tonnes + (aim - baseline.tonnes) * step / span for step in range(1, span + 1)
        }


@dataclass(frozen=True)
class PathYear:
    """One year: tonnes before offsets, what offsets cover, and cost in yuan (offsets included)."""

    year: int
    limit_t: Decimal
    emissions_t: Decimal
    offset_t: Decimal
    missing_t: Decimal
    green_kwh: Decimal
    cost_yuan: Decimal


@dataclass(frozen=True)
class Path:
    """A plan: the year from which each built measure stands, kWh of green power and tonnes of offsets by measure."""

    starts: Mapping[str, int]
    bought: Mapping[str, Mapping[int, Decimal]]
    """Per divisible measure and year: kWh of green power, or tonnes of offsets."""


def find_path(measures: Sequence[Measure], baseline: Baseline, goal: Goal, rate: Decimal, solve: Solve) -> Path:
    """Return the cheapest path; ``measures`` have passed ``check_measures``."""
    model = _Model([m for m in measures if m.kind is not Kind.OFFSET], baseline, goal, rate)
    if not model.columns:
        return _with_offsets(Path({}, {}), measures, baseline, goal, rate)
    least = solve(model.program(model.missing_cost()))[model.missing_columns]
    best = solve(model.program(model.money_cost(), most_missing=least))
    return _with_offsets(model.read(best), measures, baseline, goal, rate)


def check_path(
    path: Path, measures: Sequence[Measure], baseline: Baseline, goal: Goal, rate: Decimal
) -> tuple[PathYear, ...]:
    """Recompute a path year by year. Raises ValueError where it takes more than there is, which is a fault of ours."""
    known = {measure.key: measure for measure in measures}
    years = []
    for year, limit in goal.limits(baseline).items():
        standing = [known[key] for key, start in path.starts.items() if start <= year]
        green = {key: kwh.get(year, Decimal(0)) for key, kwh in path.bought.items() if known[key].green_kwh}
        offsets = {key: t.get(year, Decimal(0)) for key, t in path.bought.items() if known[key].kind is Kind.OFFSET}
        _check_year(year, standing, green, offsets, known, baseline)
        green_kwh = sum(green.values(), Decimal(0))
        emitted = (
            baseline.tonnes
            - sum((baseline.abated(measure) for measure in standing), Decimal(0))
            - green_kwh * baseline.kg_per_kwh / 1000
        )
        covered = sum(offsets.values(), Decimal(0))
        cost = sum((yearly_cost(measure, rate) for measure in standing), Decimal(0))
        cost += sum((known[k].yearly_yuan * kwh / known[k].green_kwh for k, kwh in green.items()), Decimal(0))
        cost += sum((known[k].yearly_yuan * t / known[k].offset_t for k, t in offsets.items()), Decimal(0))
        years.append(
            PathYear(
                year=year,
                limit_t=limit,
                emissions_t=emitted,
                offset_t=covered,
                missing_t=max(Decimal(0), emitted - covered - limit),
                green_kwh=green_kwh,
                cost_yuan=cost.quantize(Decimal("0.01"), ROUND_HALF_UP),
            )
        )
    return tuple(years)


def _check_year(
    year: int,
    standing: Sequence[Measure],
    green: Mapping[str, Decimal],
    offsets: Mapping[str, Decimal],
    known: Mapping[str, Measure],
    baseline: Baseline,
) -> None:
    saved = sum((measure.saved_kwh for measure in standing), Decimal(0)) + sum(green.values(), Decimal(0))
    if saved > baseline.uncovered_kwh:
        raise ValueError(f"{year}: more electricity saved than there is")
    for label, (amount, _kg) in baseline.fuels.items():
        if sum((m.saved_fuel for m in standing if m.fuel == label), Decimal(0)) > amount:
            raise ValueError(f"{year}: more {label} saved than there is")
    if any(measure.first_year > year for measure in standing):
        raise ValueError(f"{year}: a measure stands too early")
    if any(not 0 <= kwh <= known[key].green_kwh for key, kwh in green.items()):
        raise ValueError(f"{year}: more green power than can be had")
    if any(not 0 <= tonnes <= known[key].offset_t for key, tonnes in offsets.items()):
        raise ValueError(f"{year}: more offsets than can be had")


def _with_offsets(path: Path, measures: Sequence[Measure], baseline: Baseline, goal: Goal, rate: Decimal) -> Path:
    """Fill what is missing of each year with offsets, the cheapest first."""
    offsets = sorted(
        (measure for measure in measures if measure.kind is Kind.OFFSET and measure.offset_t > 0),
        key=lambda measure: (measure.yearly_yuan / measure.offset_t, measure.key),
    )
    taken: dict[str, dict[int, Decimal]] = {}
    for year in check_path(path, measures, baseline, goal, rate):
        missing = year.missing_t
        for offset in offsets:
            part = min(missing, offset.offset_t) if offset.first_year <= year.year else Decimal(0)
            if part > 0:
                taken.setdefault(offset.key, {})[year.year] = part
                missing -= part
    return Path(path.starts, {**path.bought, **taken})


class _Model:
    """Columns: for each built measure and year whether it stands, for each divisible one its share, then what misses."""

    def __init__(self, measures: Sequence[Measure], baseline: Baseline, goal: Goal, rate: Decimal) -> None:
        self.measures, self.baseline = measures, baseline
        self.limits = goal.limits(baseline)
        self.years = list(self.limits)
        self.columns = len(measures) * len(self.years)
        self.missing_columns = np.arange(self.columns, self.columns + len(self.years))
        self._rate = rate

    def column(self, measure: int, year: int) -> int:
        """Return the column of a measure in a year, both by place."""
        return measure * len(self.years) + year

    def missing_cost(self) -> Floats:
        """Return costs that count missing tonnes only."""
        cost = np.zeros(self.columns + len(self.years))
        cost[self.missing_columns] = 1.0
        return cost

    def money_cost(self) -> Floats:
        """Return each column's discounted cost in thousands of yuan."""
        cost = np.zeros(self.columns + len(self.years))
        for place, measure in enumerate(self.measures):
            yearly = float(yearly_cost(measure, self._rate)) / _YUAN
            for step in range(len(self.years)):
                cost[self.column(place, step)] = yearly / float(1 + self._rate) ** (step + 1)
        return cost

    def program(self, cost: Floats, most_missing: Floats | None = None) -> LinearProgram:
        """Return the program with ``cost``, missing no more than ``most_missing``."""
        rows, steps = Rows(), len(self.years)
        abated = [float(self.baseline.abated(measure)) for measure in self.measures]
        for step, limit in enumerate(self.limits.values()):
            own = [self.column(place, step) for place in range(len(self.measures))]
            least = float(self.baseline.tonnes - limit)
            rows.add(1, least, INFINITY, (0, own, abated), (0, self.columns + step, 1.0))
            power = [float(measure.saved_kwh + measure.green_kwh) / 1000 for measure in self.measures]
            rows.add(1, -INFINITY, float(self.baseline.uncovered_kwh) / 1000, (0, own, power))
            for label, (amount, _kg) in self.baseline.fuels.items():
                users = [place for place, measure in enumerate(self.measures) if measure.fuel == label]
                if users:
                    saved = [float(self.measures[place].saved_fuel / amount) for place in users]
                    rows.add(1, -INFINITY, 1.0, (0, [self.column(place, step) for place in users], saved))
        for place, measure in enumerate(self.measures):
            if not measure.kind.divisible:
                for step in range(1, steps):
                    before, now = self.column(place, step - 1), self.column(place, step)
                    rows.add(1, 0.0, INFINITY, (0, now, 1.0), (0, before, -1.0))
        upper = np.full(self.columns + steps, np.inf)
        for place, measure in enumerate(self.measures):
            for step, year in enumerate(self.years):
                upper[self.column(place, step)] = 1.0 if year >= measure.first_year else 0.0
        if most_missing is not None:
            upper[self.missing_columns] = np.maximum(most_missing, 0.0) + _TOLERANCE_T
        whole = [
            self.column(place, step)
            for place, measure in enumerate(self.measures)
            if not measure.kind.divisible
            for step in range(steps)
        ]
        return rows.program(cost, np.zeros(self.columns + steps), upper, whole)

    def read(self, values: Floats) -> Path:
        """Return the plan that a solution is. Green power is rounded up to whole kWh, within what there is."""
        starts: dict[str, int] = {}
        bought: dict[str, Mapping[int, Decimal]] = {}
        for place, measure in enumerate(self.measures):
            shares = [float(values[self.column(place, step)]) for step in range(len(self.years))]
            if not measure.kind.divisible:
                standing = [year for year, share in zip(self.years, shares, strict=True) if share > 0.5]
                if standing:
                    starts[measure.key] = standing[0]
        free = {
            year: self.baseline.uncovered_kwh
            - sum((m.saved_kwh for m in self.measures if starts.get(m.key, year + 1) <= year), Decimal(0))
            for year in self.years
        }
        for place, measure in enumerate(self.measures):
            if measure.kind.divisible and measure.green_kwh > 0:
                taken: dict[int, Decimal] = {}
                for step, year in enumerate(self.years):
                    asked = Decimal(repr(float(values[self.column(place, step)]))) * measure.green_kwh
                    kwh = asked.to_integral_value(ROUND_CEILING) if asked > _LEAST_KWH else Decimal(0)
                    kwh = min(kwh, measure.green_kwh, free[year])
                    free[year] -= kwh
                    if kwh > 0:
                        taken[year] = kwh
                bought[measure.key] = taken
        return Path(starts, bought)
