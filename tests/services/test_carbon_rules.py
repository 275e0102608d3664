"""The carbon ledger's rules: units, corrections, sums by month, certificates, and the path that a search confirms."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateways.emission_factors import built_in
from services.gateways.solver import Solver
from services.rules.carbon import measures as m
from services.rules.carbon import path as p
from services.rules.carbon.certificates import Certificate, End, Origin, check_number, check_retirement, cover
from services.rules.carbon.factors import AVERAGE, HEAT, RESIDUAL, Factor
from services.rules.carbon.inventory import months_of, take_inventory
from services.rules.carbon.quantities import grams, split, to_base, units_for
from services.rules.carbon.records import Category, Record, check_item, check_span, standing
from services.rules.twin.inputs import Floats
from services.rules.twin.linear_program import LinearProgram
from tenants.kernel.errors import Invalid
from tenants.kernel.identifiers import new_id

TABLE = built_in()
GRID, MIX = TABLE.grid(2023), TABLE.grid(2023, RESIDUAL)
DIESEL, GAS = TABLE.find("fuels-2015", "fuel.diesel"), TABLE.find("fuels-2015", "fuel.natural_gas")
ITEMS = {
    Category.FUEL: GAS,
    Category.VEHICLE: DIESEL,
    Category.ELECTRICITY: GRID,
    Category.OWN_GREEN: GRID,
    Category.HEAT: TABLE.find("heat-2015", HEAT),
    Category.SOLD_ELECTRICITY: GRID,
}


def record(
    category: Category, quantity: Decimal | int, start: date, end: date, *, replaces: UUID | None = None
) -> Record:
    """A record of ``quantity`` base units."""
    factor = ITEMS[category]
    amount = Decimal(quantity)
    residual = MIX if category.electric else None
    return Record(new_id(), replaces, category, start, end, amount, factor, grams(amount, factor), residual)


@pytest.mark.parametrize(
    ("quantity", "unit", "factor", "density", "base"),
    [
        ("1.5", "MWh", GRID, None, "1500"),
        ("2", "10^4kWh", GRID, None, "20000"),
        ("1000", "kWh", TABLE.find("heat-2015", HEAT), None, "3.6"),
        ("500", "MJ", TABLE.find("heat-2015", HEAT), None, "0.5"),
        ("3", "10^4Nm3", GAS, None, "30000"),
        ("389.31", "GJ", GAS, None, "10000"),
        ("43.33", "GJ", DIESEL, None, "1"),
        ("1000", "L", DIESEL, "0.84", "0.84"),
        ("250", "kg", DIESEL, None, "0.25"),
    ],
)
def test_quantities_become_the_units_of_their_factor(
    quantity: str, unit: str, factor: Factor, density: str | None, base: str
) -> None:
    """Each way that the standard knows from a bill's unit to the factor's."""
    assert to_base(Decimal(quantity), unit, factor, density and Decimal(density)) == Decimal(base)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quantity", "unit", "factor", "field"),
    [
        ("1", "L", DIESEL, "density_kg_per_l"),
        ("1", "GJ", GRID, "unit"),
        ("1", "t", GAS, "unit"),
        ("1", "lb", DIESEL, "unit"),
        ("-1", "t", DIESEL, "quantity"),
        ("NaN", "t", DIESEL, "quantity"),
    ],
)
def test_a_quantity_that_cannot_be_converted_is_refused(quantity: str, unit: str, factor: Factor, field: str) -> None:
    """No default density, no gigajoules of electricity, no tonnes of a gas."""
    with pytest.raises(Invalid) as refused:
        to_base(Decimal(quantity), unit, factor)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_figure_worked_by_hand() -> None:
    """1,000 MWh at 0.5306 is 530.6 t; 10,000 Nm3 of gas 21.622 t; both to the gram."""
    assert grams(to_base(Decimal(1000), "MWh", GRID), GRID) == 530_600_000
    assert grams(to_base(Decimal(1), "10^4Nm3", GAS), GAS) == 21_621_888
    assert "L" not in units_for(GAS)


@given(total=st.integers(0, 10**12), weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=14))
def test_a_split_sums_to_the_whole(total: int, weights: list[int]) -> None:
    """No gram is lost or made, and no part is a gram away from its share."""
    if not any(weights):
        weights[0] = 1
    parts = split(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part * sum(weights) - total * weight) < sum(weights) for part, weight in zip(parts, weights, strict=True)
    )


SPANS = st.tuples(st.dates(date(2022, 1, 1), date(2025, 6, 1)), st.integers(1, 366))
RECORDS = st.lists(
    st.builds(
        lambda category, quantity, span: record(category, quantity, span[0], span[0] + timedelta(days=span[1])),
        st.sampled_from(list(ITEMS)),
        st.decimals(0, 10**7, places=6),
        SPANS,
    ),
    max_size=12,
)


@given(RECORDS)
@settings(max_examples=60)
def test_the_years_sum_to_the_records(records: list[Record]) -> None:
    """Over all years, headings and lines of the inventories are the sum of the signed records, to the gram."""
    years = [take_inventory(year, records) for year in range(2022, 2028)]
    whole = sum(each.signed for each in records)
    assert sum(year.total_location for year in years) == whole
    assert sum(line.grams for year in years for line in year.lines) == whole
    assert all(sum(year.months) == year.total_location for year in years)
    assert all(days > 0 for each in records for _, days in months_of(each))


@given(RECORDS, st.data())
@settings(max_examples=60)
def test_of_a_chain_of_corrections_only_the_last_counts(records: list[Record], data: st.DataObject) -> None:
    """Whatever is corrected, and corrected again, the standing ones sum to what a ledger without mistakes would."""
    ledger, truth = list(records), {each.id: each for each in records}
    for _ in range(data.draw(st.integers(0, 6))):
        if not truth:
            break
        wrong = data.draw(st.sampled_from(sorted(truth.values(), key=lambda each: each.id)))
        right = record(wrong.category, data.draw(st.integers(0, 1000)), wrong.start, wrong.end, replaces=wrong.id)
        ledger.append(right)
        del truth[wrong.id]
        truth[right.id] = right
    assert sum(each.signed for each in standing(ledger)) == sum(each.signed for each in truth.values())
    assert len(standing(ledger)) == len(truth)


YEAR = (date(2024, 1, 1), date(2025, 1, 1))


def certificate(mwh: int, origin: Origin, end: End | None, year: int | None = 2024) -> Certificate:
    """A certificate of May 2024."""
    return Certificate("X-000001", origin, mwh, date(2024, 5, 1), end, year if end is End.RETIRED else None)


def test_certificates_cover_bought_power_and_the_rest_is_the_residual_mix() -> None:
    """1,000 MWh bought, 400 covered: 600 MWh at 0.6096; location-based nothing changes."""
    bought = record(Category.ELECTRICITY, 1_000_000, *YEAR)
    year = take_inventory(2024, [bought], [certificate(400, Origin.PURCHASED, End.RETIRED)])
    assert year.total_location == 530_600_000
    assert year.total_market == 365_760_000
    assert sum(year.market_months) == year.market


def test_more_certificates_than_power_cover_no_more_than_the_power() -> None:
    """What is over is neither negative nor another year's."""
    bought = record(Category.ELECTRICITY, 100_000, *YEAR)
    year = take_inventory(2024, [bought], [certificate(400, Origin.PURCHASED, End.RETIRED)])
    assert (year.cover.offered, year.cover.used) == (Decimal(400_000), Decimal(100_000))
    assert year.total_market == 0
    assert take_inventory(2024, [bought], [certificate(400, Origin.PURCHASED, End.RETIRED, 2025)]).cover.used == 0


def test_own_power_whose_certificates_are_sold_is_not_green() -> None:
    """It counts as bought from the rest of the grid; retiring its own certificate instead keeps it green, no more."""
    own, bought = record(Category.OWN_GREEN, 500_000, *YEAR), record(Category.ELECTRICITY, 100_000, *YEAR)
    green = take_inventory(2024, [own, bought])
    sold = take_inventory(2024, [own, bought], [certificate(300, Origin.OWN_USED, End.SOLD)])
    kept = take_inventory(2024, [own, bought], [certificate(300, Origin.OWN_USED, End.RETIRED)])
    fed_in = take_inventory(2024, [own, bought], [certificate(300, Origin.OWN_FED_IN, End.SOLD)])
    assert green.total_market == kept.total_market == fed_in.total_market == 60_960_000
    assert sold.total_market == 243_840_000
    assert sold.total_location == green.total_location == 53_060_000


@given(
    bought=st.integers(0, 10**7),
    own=st.integers(0, 10**7),
    held=st.lists(st.tuples(st.integers(1, 5000), st.sampled_from(Origin), st.sampled_from([None, *End])), max_size=8),
)
def test_certificates_never_make_less_than_nothing(
    bought: int, own: int, held: list[tuple[int, Origin, End | None]]
) -> None:
    """Cover stays within consumption, and selling never lowers what is emitted."""
    certificates = [certificate(*each) for each in held]
    covered = cover(2024, certificates, Decimal(bought), Decimal(own))
    assert 0 <= covered.used <= min(covered.offered, bought + covered.given_away)
    assert 0 <= covered.given_away <= own
    assert (
        cover(2024, [c for c in certificates if c.end is not End.SOLD], Decimal(bought), Decimal(own)).given_away == 0
    )


def test_certificates_and_records_that_cannot_be_are_refused() -> None:
    """Lapsed, for a year before their power, misspelt; spans that are not over; items of another heading."""
    assert check_number(" gec-2024-0001 ") == "GEC-2024-0001"
    check_retirement(date(2024, 5, 1), 2024, date(2026, 4, 30))
    for attempt in (
        lambda: check_number("短"),
        lambda: check_retirement(date(2024, 5, 1), 2024, date(2026, 5, 1)),
        lambda: check_retirement(date(2024, 5, 1), 2023, date(2024, 7, 1)),
        lambda: check_retirement(date(2024, 5, 1), 2025, date(2024, 7, 1)),
        lambda: check_span(date(2024, 5, 1), date(2024, 5, 1), date(2024, 7, 1)),
        lambda: check_span(date(2024, 5, 1), date(2025, 5, 3), date(2026, 7, 1)),
        lambda: check_span(date(2024, 5, 1), date(2024, 8, 1), date(2024, 7, 1)),
        lambda: check_item(Category.FUEL, AVERAGE),
        lambda: check_item(Category.HEAT, "fuel.diesel"),
    ):
        with pytest.raises(Invalid):
            attempt()


BASE = m.Baseline(
    year=2024,
    grams=2_000_000_000,
    uncovered_kwh=Decimal(2_000_000),
    kg_per_kwh=Decimal("0.6096"),
    fuels={"gas": (Decimal(300_000), Decimal("2.1621888"))},
)
RATE = Decimal("0.08")


def solve(program: LinearProgram) -> Floats:
    """Solve as the platform does."""
    return Solver().solve(program).values


def measure(key: str, kind: m.Kind, **values: int | str | None) -> m.Measure:
    """A measure with decimals written short."""
    numbers = {
        name: value if name in {"life_years", "fuel", "first_year"} else Decimal(value or 0)
        for name, value in values.items()
    }
    return m.Measure(key, key, kind, **numbers)  # type: ignore[arg-type]


MEASURES = (
    measure("led", m.Kind.EFFICIENCY, capex_yuan=200_000, yearly_yuan=-90_000, life_years=10, saved_kwh=150_000),
    measure("pv", m.Kind.PV, capex_yuan=3_000_000, yearly_yuan=-500_000, life_years=20, saved_kwh=900_000),
    measure(
        "pump", m.Kind.ELECTRIFICATION, capex_yuan=2_000_000, yearly_yuan=100_000, life_years=15,
        saved_kwh=-400_000, fuel="gas", saved_fuel=250_000,
    ),
    measure("gec", m.Kind.GREEN_POWER, yearly_yuan=45_000, green_kwh=1_500_000),
    measure("ccer", m.Kind.OFFSET, yearly_yuan=80_000, offset_t=1000),
)  # fmt: skip


def test_the_abatement_curve_goes_from_cheap_to_dear_with_offsets_last() -> None:
    """Costs are the annuity plus the year's; LED lamps earn money, credits stand behind whatever they cost."""
    steps = m.abatement_curve(MEASURES, BASE, RATE)
    assert [step.measure.key for step in steps][-1] == "ccer"
    costs = [step.yuan_per_tonne for step in steps[:-1]]
    assert costs == sorted(costs)
    led = next(step for step in steps if step.measure.key == "led")
    assert led.tonnes == Decimal("91.44")
    assert round(led.yuan_per_tonne, 2) == round(
        (Decimal(200_000) * m.annuity(RATE, 10) - 90_000) / Decimal("91.44"), 2
    )
    assert m.annuity(Decimal(0), 4) == Decimal("0.25")


@pytest.mark.parametrize("share", ["0.8", "0.5", "0.2", "0"])
@pytest.mark.parametrize("even", [False, True])
def test_a_path_reaches_its_target_or_names_what_is_left(share: str, even: bool) -> None:
    """Recomputed from the measures alone; offsets are used only in years in which the others do not suffice."""
    goal = p.Goal(2032, Decimal(share), even)
    path = p.find_path(MEASURES, BASE, goal, RATE, solve)
    years = p.check_path(path, MEASURES, BASE, goal, RATE)
    last = years[-1]
    assert last.emissions_t - last.offset_t - last.missing_t <= last.limit_t
    assert all(year.missing_t == 0 for year in years)
    if share in {"0.8", "0.5"}:
        assert all(year.offset_t == 0 for year in years)
    assert path.starts["led"] == 2025


def test_what_no_measure_can_save_is_named() -> None:
    """Without offsets a site that burns gas does not reach zero."""
    goal = p.Goal(2026, Decimal(0))
    left = [each for each in MEASURES if each.kind is m.Kind.EFFICIENCY]
    last = p.check_path(p.find_path(left, BASE, goal, RATE, solve), left, BASE, goal, RATE)[-1]
    assert last.missing_t == last.emissions_t == Decimal(2000) - Decimal("91.44")
    nothing = p.check_path(p.find_path((), BASE, goal, RATE, solve), (), BASE, goal, RATE)[-1]
    assert nothing.missing_t == 2000


@given(
    built=st.lists(
        st.tuples(st.integers(0, 500_000), st.integers(-80_000, 200_000), st.integers(-100_000, 600_000)),
        min_size=1,
        max_size=4,
    ),
    share=st.decimals("0.3", "1", places=2),
)
@settings(max_examples=25, deadline=None)
def test_a_path_costs_no_more_than_any_other_that_misses_no_more(
    built: list[tuple[int, int, int]], share: Decimal
) -> None:
    """Against every choice of start years over three years: least missing first, then least cost."""
    measures = [
        measure(f"m{place}", m.Kind.EFFICIENCY, capex_yuan=capex, yearly_yuan=yearly, life_years=8, saved_kwh=kwh)
        for place, (capex, yearly, kwh) in enumerate(built)
    ]
    goal = p.Goal(2027, share, even=True)

    def judged(path: p.Path) -> tuple[float, float]:
        years = p.check_path(path, measures, BASE, goal, RATE)
        money = sum(float(y.cost_yuan) / 1.08 ** (n + 1) for n, y in enumerate(years))
        return float(sum(year.missing_t for year in years)), money

    best: tuple[float, float] | None = None
    for choice in product((2025, 2026, 2027, None), repeat=len(measures)):
        starts = {each.key: year for each, year in zip(measures, choice, strict=True) if year is not None}
        try:
            found = judged(p.Path(starts, {}))
        except ValueError:
            continue
        if best is None or (round(found[0], 5), found[1]) < (round(best[0], 5), best[1]):
            best = found
    assert best is not None
    mine = judged(p.find_path(measures, BASE, goal, RATE, solve))
    assert mine[0] <= best[0] + 1e-4
    assert mine[1] <= best[1] + 1.0


def test_measures_beyond_the_ledger_are_refused_with_their_place() -> None:
    """More than the site uses, a fuel it does not burn, the same key twice."""
    wrong = (
        measure("a", m.Kind.EFFICIENCY, saved_kwh=2_000_001),
        measure("a", m.Kind.ELECTRIFICATION, fuel="coal", saved_fuel=1),
        measure("b", m.Kind.ELECTRIFICATION, fuel="gas", saved_fuel=300_001),
    )
    with pytest.raises(Invalid) as refused:
        m.check_measures(wrong, BASE)
    assert [error.field for error in refused.value.errors] == [
        "measures[0].saved_kwh", "measures[1].key", "measures[1].fuel", "measures[2].saved_fuel",
    ]  # fmt: skip


def test_a_path_that_takes_more_than_there_is_is_found_out() -> None:
    """The check knows no solver: each limit is broken on purpose."""
    goal = p.Goal(2026, Decimal("0.5"))
    twice = [measure(key, m.Kind.PV, saved_kwh=1_500_000, first_year=2025) for key in ("a", "b")]
    gas = [measure(key, m.Kind.ELECTRIFICATION, fuel="gas", saved_fuel=200_000) for key in ("a", "b")]
    green = [measure("g", m.Kind.GREEN_POWER, green_kwh=100), measure("o", m.Kind.OFFSET, offset_t=5)]
    for path, known in (
        (p.Path({"a": 2025, "b": 2025}, {}), twice),
        (p.Path({"a": 2024}, {}), [measure("a", m.Kind.PV, saved_kwh=1, first_year=2026)]),
        (p.Path({"a": 2025, "b": 2025}, {}), gas),
        (p.Path({}, {"g": {2025: Decimal(101)}}), green),
        (p.Path({}, {"o": {2025: Decimal(6)}}), green),
    ):
        with pytest.raises(ValueError, match="20"):
            p.check_path(path, known, BASE, goal, RATE)
