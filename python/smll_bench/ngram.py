"""N-gram lookup tables, to compare the language model with.

A table of order n holds how often each byte followed each n bytes of the training text. A byte's probability blends
the orders 0 to n (Witten and Bell, "The zero-frequency problem", 1991): an order is trusted the more often its context
was seen and the fewer different bytes followed it, and what it leaves goes to the next shorter one. Sizes are ideal ones:
-log2 of the probabilities, without a coder's rounding.
"""

from __future__ import annotations

from typing import Any, List, NamedTuple

import numpy as np

MAX_ORDER = 6


class Score(NamedTuple):
    """Bits of the test text, and the table's size in entries (context and byte) of all its orders."""

    order: int
    bits: float
    entries: int


def _grams(data: Any, length: int) -> Any:
    """Each run of `length` (at most 8) bytes as one number; the last byte is the lowest."""
    grams: Any = np.zeros(len(data) - length + 1, dtype=np.uint64)
    for i in range(length):
        grams = (grams << np.uint64(8)) | data[i : len(data) - length + 1 + i]
    return grams


def _lookup(keys: Any, counts: Any, wanted: Any) -> Any:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, counts[at], 0)


class _Order(NamedTuple):
    """The table of one order: sorted keys (context and byte) with their counts, and sorted contexts."""

    keys: Any
    counts: Any
    contexts: Any
    seen: Any  # how often each context was
    different: Any  # bytes that followed it


def _order(train: Any, order: int) -> _Order:
    keys, counts = np.unique(_grams(train, order + 1), return_counts=True)
    context = keys >> np.uint64(8)
    first = np.flatnonzero(np.append(True, context[1:] != context[:-1]))
    different: Any = np.diff(np.append(first, len(keys)))
    return _Order(keys, counts, context[first], np.add.reduceat(counts, first), different)


class Tables:
    """The tables of the orders 0 to 6 of one training text."""

    def __init__(self, train: bytes) -> None:
        data = np.frombuffer(train, dtype=np.uint8).astype(np.uint64)
        self._orders = [_order(data, order) for order in range(MAX_ORDER + 1)]

    def scores(self, test: bytes) -> List[Score]:
        """Bits of `test` with the tables up to each order from 1 on."""
        data = np.frombuffer(test, dtype=np.uint8).astype(np.uint64)
        probability = np.full(len(test), 1 / 256)
        result = []
        entries = 0
        for order, table in enumerate(self._orders):
            wanted = _grams(data, order + 1)
            seen = _lookup(table.contexts, table.seen, wanted >> np.uint64(8))
            different = _lookup(table.contexts, table.different, wanted >> np.uint64(8))
            hits = _lookup(table.keys, table.counts, wanted)
            blended = (hits + different * probability[order:]) / np.maximum(seen + different, 1)
            probability[order:] = np.where(seen > 0, blended, probability[order:])
            entries += len(table.keys)
            if order > 0:
                result.append(Score(order, float(-np.log2(probability).sum()), entries))
        return result
