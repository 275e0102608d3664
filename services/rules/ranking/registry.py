"""A company registry as columns: one row a company, in order of the credit codes, so that a million fit and scan fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b, sha256

import numpy as np
from numpy.typing import NDArray

from services.rules.companies import Company
from services.rules.ranking.texts import Texts, pack_texts

Ints = NDArray[np.int64]
Days = NDArray[np.int32]
UNKNOWN = -1
NAME_SIGNS = (("集团", "控股"), ("股份",), ("分公司", "分店", "营业部", "分厂", "个体"))
"""Parts of names that tell a group, a joint-stock company, and a branch or a one-person business: bits 1, 2 and 4."""


@dataclass(frozen=True)
class Registry:
    """Of each company its newest row. Days are ordinals, ``UNKNOWN`` where nobody said; capital is in fen."""

    codes: NDArray[np.bytes_]
    regions: tuple[str, ...]
    region: NDArray[np.int32]
    industries: tuple[str, ...]
    industry: NDArray[np.int32]
    as_of: Days
    founded: Days
    capital_fen: Ints
    expansions: NDArray[np.int32]
    active: NDArray[np.bool_]
    signs: NDArray[np.uint8]
    texts_hash: NDArray[np.uint64]
    """Of name and scope (BLAKE2b, 8 bytes), so that rows are hashed without reading their texts."""
    scope_lengths: NDArray[np.int32]
    """In characters."""
    names: Texts
    scopes: Texts

    def __len__(self) -> int:
        return len(self.codes)

    def company(self, row: int) -> Company:
        """Return a row as a company."""
        founded, capital = int(self.founded[row]), int(self.capital_fen[row])
        return Company(
            uscc=self.codes[row].decode(),
            as_of=date.fromordinal(int(self.as_of[row])),
            name=self.names[row],
            region_code=self.regions[self.region[row]],
            industry_code=self.industries[self.industry[row]],
            expansions=int(self.expansions[row]),
            scope=self.scopes[row],
            active=bool(self.active[row]),
            founded_on=None if founded == UNKNOWN else date.fromordinal(founded),
            capital_fen=None if capital == UNKNOWN else capital,
        )

    def digest(self, rows: Ints) -> str:
        """Return the SHA-256 of all that some rows say, whatever else is in the registry."""
        found = sha256()
        for table, column in ((self.regions, self.region), (self.industries, self.industry)):
            used, numbers = np.unique(column[rows], return_inverse=True)
            found.update("\0".join(table[at] for at in used.tolist()).encode())
            found.update(numbers.astype("<i4").tobytes())
        for values in (self.as_of, self.founded, self.capital_fen, self.expansions, self.texts_hash):
            found.update(np.ascontiguousarray(values[rows]).tobytes())
        found.update(self.codes[rows].tobytes())
        return found.hexdigest()

    def rows_of(self, codes: Iterable[str]) -> dict[str, int]:
        """Return the rows of those codes that are known."""
        wanted = sorted(set(codes))
        keys = np.array([code.encode() for code in wanted], dtype="S18")
        at = np.minimum(np.searchsorted(self.codes, keys), max(len(self) - 1, 0))
        known = self.codes[at] == keys if len(self) else np.zeros(len(keys), dtype=bool)
        return {code: int(row) for code, row, there in zip(wanted, at, known, strict=True) if there}


def build_registry(companies: Iterable[Company]) -> Registry:
    """Return the registry of some rows, in memory; order and repetition of rows change nothing."""
    columns = Columns()
    names: list[str] = []
    scopes: list[str] = []
    for company in companies:
        columns.add(company)
        names.append(company.name)
        scopes.append(company.scope)
    rows = columns.newest(lambda row: columns.company(row, names[row], scopes[row]))
    return columns.registry(rows, pack_texts(names[row] for row in rows), pack_texts(scopes[row] for row in rows))


class Columns:
    """Rows taken in one by one, all but their texts, a few dozen bytes each."""

    def __init__(self) -> None:
        self._codes = bytearray()
        self._regions: dict[str, int] = {}
        self._industries: dict[str, int] = {}
        self._cells: list[NDArray[np.int64]] = []
        self._block: list[tuple[int, ...]] = []

    def add(self, company: Company) -> None:
        """Take a row in."""
        self._codes += company.uscc.encode().ljust(18, b"\0")
        self._block.append(
            (
                self._regions.setdefault(company.region_code, len(self._regions)),
                self._industries.setdefault(company.industry_code, len(self._industries)),
                company.as_of.toordinal(),
                UNKNOWN if company.founded_on is None else company.founded_on.toordinal(),
                UNKNOWN if company.capital_fen is None else company.capital_fen,
                company.expansions,
                int(company.active),
                name_signs(company.name),
                _hash_of(company.name, company.scope),
                len(company.scope),
            )
        )
        if len(self._block) == 10_000:
            self._pack()

    def newest(self, company: Callable[[int], Company]) -> Ints:
        """Return the numbers of the rows that count, in order of their codes: the newest, of equally new ones the greatest.

        ``company`` makes the company of a row's number; only equally new rows of one code are asked for.
        """
        self._pack()
        codes, as_of = self._all_codes(), self._column(2)
        order = np.lexsort((as_of, codes))
        codes, as_of = codes[order], as_of[order]
        ends = np.append(codes[1:] != codes[:-1], True) if len(order) else np.zeros(0, dtype=bool)
        last = np.flatnonzero(ends)
        found = order[last]
        tied = last[(last > 0) & (codes[last - 1] == codes[last]) & (as_of[last - 1] == as_of[last])]
        for end in tied.tolist():
            first = end
            while first and codes[first - 1] == codes[end] and as_of[first - 1] == as_of[end]:
                first -= 1
            best = max(order[first : end + 1].tolist(), key=lambda row: _place_of(company(row)))
            found[np.searchsorted(last, end)] = best
        return found.astype(np.int64)

    def company(self, row: int, name: str, scope: str) -> Company:
        """Return a row with its texts."""
        one = self.registry(np.array([row]), pack_texts([name]), pack_texts([scope]))
        return one.company(0)

    def registry(self, rows: Ints, names: Texts, scopes: Texts) -> Registry:
        """Return the registry of some rows; the texts are theirs, in the same order."""
        self._pack()
        regions, region = _in_order(self._regions, self._column(0)[rows])
        industries, industry = _in_order(self._industries, self._column(1)[rows])
        return Registry(
            codes=self._all_codes()[rows],
            regions=regions,
            region=region,
            industries=industries,
            industry=industry,
            as_of=self._column(2)[rows].astype(np.int32),
            founded=self._column(3)[rows].astype(np.int32),
            capital_fen=self._column(4)[rows],
            expansions=self._column(5)[rows].astype(np.int32),
            active=self._column(6)[rows].astype(np.bool_),
            signs=self._column(7)[rows].astype(np.uint8),
            texts_hash=self._column(8)[rows].view(np.uint64),
            scope_lengths=self._column(9)[rows].astype(np.int32),
            names=names,
            scopes=scopes,
        )

    def _pack(self) -> None:
        if self._block:
            self._cells.append(np.array(self._block, dtype=np.int64))
            self._block = []

    def _column(self, at: int) -> Ints:
        if not self._cells:
            return np.empty(0, dtype=np.int64)
        return np.concatenate([cells[:, at] for cells in self._cells])

    def _all_codes(self) -> NDArray[np.bytes_]:
        return np.frombuffer(bytes(self._codes), dtype="S18")


def name_signs(name: str) -> int:
    """Return the bits of ``NAME_SIGNS`` that a name has."""
    return sum(1 << place for place, signs in enumerate(NAME_SIGNS) if any(sign in name for sign in signs))


def _place_of(company: Company) -> tuple[object, ...]:
    """Return what puts equally new rows of a code in one order: all that they say, what nobody said before all else."""
    founded, capital = company.founded_on or date.min, UNKNOWN if company.capital_fen is None else company.capital_fen
    known = (company.name, company.region_code, company.industry_code, company.expansions, company.scope)
    return (*known, company.active, founded, capital)


def _hash_of(name: str, scope: str) -> int:
    found = blake2b(f"{name}\0{scope}".encode(), digest_size=8).digest()
    return int.from_bytes(found, "little", signed=True)


def _in_order(known: dict[str, int], numbers: Ints) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the values that occur in their own order, and the numbers of the rows in it."""
    used = np.unique(numbers).tolist()
    by_number = {number: value for value, number in known.items()}
    values = sorted(by_number[number] for number in used)
    place = {value: at for at, value in enumerate(values)}
    table = np.zeros(len(known) + 1, dtype=np.int32)
    for number in used:
        table[number] = place[by_number[number]]
    return tuple(values), table[numbers].astype(np.int32)
