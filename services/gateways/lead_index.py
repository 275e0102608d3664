"""A registry and the index of its scopes in a folder: built once in bounded memory, then mapped by every engine that asks.

One NumPy file a column. ``meta.json`` is written last, so a folder without one was never finished and counts for nothing.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from services.gateways.company_files import open_company_path
from services.rules.companies import Company
from services.rules.ranking.registry import Columns, Ints, Registry
from services.rules.ranking.retrieval import Bm25, build_bm25
from services.rules.ranking.texts import Texts

FORMAT = 1
_TELL_EVERY = 20_000
META = "meta.json"
_COLUMNS = (
    "codes", "region", "industry", "as_of", "founded", "capital_fen", "expansions", "active", "signs", "texts_hash",
    "scope_lengths",
)  # fmt: skip
_INDEX = ("pairs", "starts", "texts", "counts", "lengths")


@dataclass(frozen=True)
class Refusals:
    """How many rows a reader refused, and what it warned of."""

    rows: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeadIndex:
    """A registry with the index of its scopes, how many of its rows were refused, and what its reader warned of."""

    registry: Registry
    scopes: Bm25
    refused: int = 0
    warnings: tuple[str, ...] = ()


def build_index(companies: Iterable[Company], folder: Path, report: Callable[[], Refusals] = Refusals) -> LeadIndex:
    """Write the index of ``companies`` into an empty folder and return it, mapped; order and repetition change nothing.

    ``report`` is asked, after the last row, for what the reader of the rows refused.
    """
    registry = _take_in(companies, folder)
    for name in _COLUMNS:
        np.save(folder / f"{name}.npy", getattr(registry, name), allow_pickle=False)
    index = build_bm25(registry.scopes, _mapped(folder), _release)
    for name in ("pairs", "starts", "lengths"):
        np.save(folder / f"bm25-{name}.npy", getattr(index, name), allow_pickle=False)
    refusals = report()
    meta = {
        "format": FORMAT,
        "regions": registry.regions,
        "industries": registry.industries,
        "refused": refusals.rows,
        "warnings": refusals.warnings,
    }
    _write_meta(folder, meta)
    return open_index(folder)


def open_index(folder: Path) -> LeadIndex:
    """Return the index in a folder; its columns are mapped, not read. Raises OSError where none was finished."""
    meta = json.loads((folder / META).read_bytes())
    if meta["format"] != FORMAT:
        raise OSError(f"format {meta['format']}")
    registry = Registry(
        regions=tuple(meta["regions"]),
        industries=tuple(meta["industries"]),
        names=_texts(folder, "names"),
        scopes=_texts(folder, "scopes"),
        **{name: _load(folder, name) for name in _COLUMNS},
    )
    scopes = Bm25(**{name: _load(folder, f"bm25-{name}") for name in _INDEX})
    return LeadIndex(registry, scopes, meta["refused"], tuple(meta["warnings"]))


def index_company_file(path: Path, folder: Path, *, default_as_of: date, progress: Callable[[int], None]) -> LeadIndex:
    """Write the index of a registry's export (CSV or XLSX) into an empty folder; ``progress`` is told the rows read."""
    rows = open_company_path(path, default_as_of=default_as_of)

    def told() -> Iterator[Company]:
        for number, company in enumerate(rows.rows()):
            if number % _TELL_EVERY == 0:
                progress(number)
            yield company

    return build_index(told(), folder, lambda: Refusals(rows.reasons.total(), tuple(rows.warnings)))


def _take_in(companies: Iterable[Company], folder: Path) -> Registry:
    """Read rows once, writing their texts down as they come, then those of the rows that count in their order."""
    columns = Columns()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        texts = {name: _Arriving(Path(place, name)) for name in ("names", "scopes")}
        for company in companies:
            columns.add(company)
            texts["names"].add(company.name)
            texts["scopes"].add(company.scope)
        found = {name: each.finish() for name, each in texts.items()}
        rows = columns.newest(lambda row: columns.company(row, found["names"][row], found["scopes"][row]))
        for name, each in found.items():
            _write_texts(folder, name, each, rows)
    return columns.registry(rows, _texts(folder, "names"), _texts(folder, "scopes"))


class _Arriving:
    """Texts written to a file as they come."""

    def __init__(self, path: Path) -> None:
        self._path, self._ends = path, [0]
        self._blocks: list[Ints] = []
        self._stream: BinaryIO = path.open("wb")

    def add(self, text: str) -> None:
        self._ends.append(self._ends[-1] + self._stream.write(text.encode()))
        if len(self._ends) > 100_000:
            self._blocks.append(np.array(self._ends[:-1], dtype=np.int64))
            self._ends = self._ends[-1:]

    def finish(self) -> Texts:
        self._stream.close()
        starts = np.concatenate([*self._blocks, np.array(self._ends, dtype=np.int64)])
        return Texts(_bytes(self._path), starts)


def _write_texts(folder: Path, name: str, texts: Texts, rows: Ints) -> None:
    """Write the texts of some rows, in their order."""
    sizes = np.diff(texts.starts)[rows]
    np.save(folder / f"{name}-starts.npy", np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
    view = texts.data.data
    with (folder / f"{name}.bin").open("wb") as stream:
        for begin, size in zip(texts.starts[rows].tolist(), sizes.tolist(), strict=True):
            stream.write(view[begin : begin + size])


def _texts(folder: Path, name: str) -> Texts:
    return Texts(_bytes(folder / f"{name}.bin"), _load(folder, f"{name}-starts"))


def _bytes(path: Path) -> NDArray[np.uint8]:
    if not path.stat().st_size:  # an empty file cannot be mapped
        return np.empty(0, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="r")


def _load(folder: Path, name: str) -> Any:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _mapped(folder: Path) -> Callable[[str, int, type[np.generic]], NDArray[Any]]:
    """Return what makes arrays that lie in files of a folder."""

    def make(name: str, size: int, kind: type[np.generic]) -> NDArray[Any]:
        path = folder / f"bm25-{name}.npy"
        if not size:
            np.save(path, np.empty(0, dtype=kind))
            return np.empty(0, dtype=kind)
        return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=(size,))

    return make


def _release(array: NDArray[Any]) -> None:
    """Let go of a mapped file's pages; what was written stays with the system, which writes it to the file."""
    base: object = array.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def _write_meta(folder: Path, meta: dict[str, object]) -> None:
    with (folder / "meta.part").open("w", encoding="utf-8") as stream:
        json.dump(meta, stream)
        stream.flush()
        os.fsync(stream.fileno())
    (folder / "meta.part").replace(folder / META)
