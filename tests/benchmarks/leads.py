"""Leads of a million companies: retrieval and ranking beside the bare scan they cannot do without, and the index's build."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np

from services.gateways.lead_index import LeadIndex, build_index
from services.gateways.leads import run_leads
from services.gateways.positions import locate
from services.rules.companies import Company
from services.rules.demo_companies import CITIES, TRADES
from services.rules.leads import Brief, brief_words
from services.rules.ranking.listing import rank_registry
from tests.benchmarks.figures import Figure

COMPANIES = 1_000_000
MOVES = 60_000
ROUNDS = 5
TODAY = date(2026, 11, 27)
BRIEF = Brief("510104", ("38", "39"), ("储能", "锂离子电池"), 100.0, 50, exclude_own_region=True)


def bench_leads() -> list[Figure]:
    """Measure (about two minutes, most of it making the rows up)."""
    with tempfile.TemporaryDirectory() as folder:
        before, began = _anonymous_mb(), time.process_time()
        index = build_index(_companies(), Path(folder))
        built, held = time.process_time() - began, _anonymous_mb() - before
        bare = _least(lambda: _bare(index))
        ours = _least(lambda: rank_registry(BRIEF, index.registry, index.scopes, locate, TODAY))
        report = _least(lambda: run_leads(BRIEF, Path(folder), TODAY, progress=_quiet), rounds=1)
        events = Path(folder, "moves.csv")
        _write_moves(index, events)
        fitted = _least(lambda: run_leads(BRIEF, Path(folder), TODAY, events, progress=_quiet), rounds=1)
    rows = f"{COMPANIES:,} companies, one core"
    return [
        Figure("leads, ranked", f"{ours / bare:.2f}", "≤ 3", f"{ours * 1e3:.0f} ms ÷ {bare * 1e3:.0f} ms bare; {rows}"),
        Figure("leads, time", f"{ours * 1e3:.0f} ms", "≤ 250 ms", f"CPU, retrieval and ranking; {rows}"),
        Figure("leads, report", f"{report:.1f} s", "≤ 10 s", f"CPU, with its documents; {rows}"),
        Figure(
            "leads, report, fitted",
            f"{fitted:.1f} s",
            "≤ 10 s",
            f"CPU, with a ranker fitted on {MOVES:,} moves; {rows}",
        ),
        Figure(
            "leads, index", f"{built:.0f} s", "≤ 90 s", f"CPU, with making the rows up; {held:.0f} MB kept of ≤ 1 GiB"
        ),
    ]


def _bare(index: LeadIndex) -> None:
    """Score every row by a bare formula and every scope by BM25, and find the best fifty: no filter, no tie, no reason."""
    registry = index.registry
    text = sum(index.scopes.scores(word) for word in brief_words(BRIEF))
    far = np.linspace(10, 2000, len(registry.regions))[registry.region]
    scores = 3 * np.log1p(registry.expansions) - np.log(far + 20) + np.where(text > 0, 0.0, -9.0)
    np.argpartition(scores, len(scores) - BRIEF.count)


def _companies() -> Iterator[Company]:
    chance = random.Random(1)
    syllables = "研发生产销售服务技术电子材料设备系统工程管理咨询进出口贸易食品医药机械能源环保建筑软件信息通信网络"
    words = ["".join(chance.choices(syllables, k=3)) for _ in range(3000)]
    scopes = ["、".join(chance.choices(words, k=18)) for _ in range(20_000)]
    for number in range(COMPANIES):
        code, word, scope = TRADES[number % len(TRADES)]
        city = CITIES[number // 7 % len(CITIES)]
        yield Company(
            uscc=f"91{city}{number:010d}",
            as_of=date(2026, 11, 1),
            name=f"{word}企业{number}有限公司",
            region_code=city,
            industry_code=code,
            expansions=number * 7919 % 13 if number % 5 == 0 else 0,
            scope=scopes[number * 104_729 % len(scopes)] + scope,
            active=True,
            founded_on=date(2000 + number % 25, 1, 1),
            capital_fen=10**9 + number,
        )


def _write_moves(index: LeadIndex, path: Path) -> None:
    """Write moves of six years: a few companies make many."""
    chance = random.Random(2)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("uscc,city,date\n")
        for _ in range(MOVES):
            row = int(COMPANIES * chance.random() ** 3)
            day = date.fromordinal(TODAY.toordinal() - chance.randrange(1, 2190))
            stream.write(f"{index.registry.codes[row].decode()},{chance.choice(CITIES)},{day}\n")


def _quiet(_stage: str, _done: float) -> None:
    """Tell nobody."""


def _least(case: Callable[[], object], rounds: int = ROUNDS) -> float:
    case()
    found = []
    for _ in range(rounds):
        began = time.process_time()
        case()
        found.append(time.process_time() - began)
    return min(found)


def _anonymous_mb() -> float:
    """Return what this process holds in memory of its own; mapped files are the system's to drop."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))
