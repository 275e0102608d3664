"""A linear program on sparse arrays, column-wise, as a solver wants it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.rules.twin.inputs import Floats, Ints

INFINITY = float("inf")
Ints32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LinearProgram:
    """Minimise ``cost · x`` with ``row_lower ≤ A x ≤ row_upper`` and ``lower ≤ x ≤ upper``.

    A is given by columns: column j holds ``values[starts[j]:starts[j + 1]]`` in the rows ``indices[…]``.
    ``binaries`` names the columns that must be 0 or 1.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    starts: Ints32
    indices: Ints32
    values: Floats
    binaries: Ints32


def with_fixed(program: LinearProgram, solution: Floats) -> LinearProgram:
    """Return the program with its binaries held where a solution has them: a plain one, whose duals can be read."""
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[program.binaries] = upper[program.binaries] = np.round(solution[program.binaries])
    return replace(program, lower=lower, upper=upper, binaries=program.binaries[:0])


@dataclass(eq=False)
class Rows:
    """Collects rows block by block; memory stays at three arrays per block."""

    count: int = 0
    _rows: list[Ints] = field(default_factory=list)
    _columns: list[Ints] = field(default_factory=list)
    _values: list[Floats] = field(default_factory=list)
    _lower: list[Floats] = field(default_factory=list)
    _upper: list[Floats] = field(default_factory=list)

    def add(
        self, size: int, lower: ArrayLike, upper: ArrayLike, *terms: tuple[ArrayLike, ArrayLike, ArrayLike]
    ) -> None:
        """Add ``size`` rows. A term is (row within the block, column, coefficient), each a scalar or an array."""
        for row, column, value in terms:
            rows, columns, values = np.broadcast_arrays(*(np.atleast_1d(item) for item in (row, column, value)))
            self._rows.append(rows.astype(np.int64) + self.count)
            self._columns.append(columns.astype(np.int64))
            self._values.append(values.astype(np.float64))
        self._lower.append(np.broadcast_to(np.asarray(lower, dtype=np.float64), (size,)))
        self._upper.append(np.broadcast_to(np.asarray(upper, dtype=np.float64), (size,)))
        self.count += size

    def program(self, cost: Floats, lower: Floats, upper: Floats, binaries: ArrayLike = ()) -> LinearProgram:
        """Sort what was collected into columns."""
        rows, columns = np.concatenate(self._rows), np.concatenate(self._columns)
        order = np.lexsort((rows, columns))
        starts = np.searchsorted(columns[order], np.arange(len(cost) + 1))
        return LinearProgram(
            cost=cost,
            lower=lower,
            upper=upper,
            row_lower=np.concatenate(self._lower),
            row_upper=np.concatenate(self._upper),
            starts=starts.astype(np.int32),
            indices=rows[order].astype(np.int32),
            values=np.concatenate(self._values)[order],
            binaries=np.asarray(binaries, dtype=np.int32),
        )
