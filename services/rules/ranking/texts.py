"""Many texts as two arrays: UTF-8 one after the other, and where each begins. They may lie in a mapped file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4096

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Texts:
    """``starts`` has one entry more than there are texts; text i is ``data[starts[i]:starts[i + 1]]``."""

    data: Bytes
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, at: int) -> str:
        return self.data[self.starts[at] : self.starts[at + 1]].tobytes().decode()

    def blocks(self, size: int) -> Iterator[tuple[int, int, str]]:
        """Yield the first and the one after the last text of each block of ``size``, and the block in one string."""
        for first in range(0, len(self), size):
            end = min(first + size, len(self))
            yield first, end, self.data[self.starts[first] : self.starts[end]].tobytes().decode()

    def character_counts(self) -> NDArray[np.int64]:
        """Return how many characters each text has: its bytes that do not continue one."""
        found = np.empty(len(self), dtype=np.int64)
        for first in range(0, len(self), _BLOCK):
            end = min(first + _BLOCK, len(self))
            begins = (self.data[self.starts[first] : self.starts[end]] & 0xC0) != 0x80
            sums = np.concatenate([[0], np.cumsum(begins)])
            found[first:end] = np.diff(sums[self.starts[first : end + 1] - self.starts[first]])
        return found


def pack_texts(texts: Iterable[str]) -> Texts:
    """Return texts as arrays."""
    parts = [text.encode() for text in texts]
    starts = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=starts[1:])
    return Texts(np.frombuffer(b"".join(parts), dtype=np.uint8), starts)
