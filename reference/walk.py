"""A token as a path of decisions through the sorted vocabulary: docs/spec/payload.md, "The walk"."""

from __future__ import annotations

import numpy as np

from reference.vocabulary import Vocabulary

CERTAINLY_NOT, CERTAINLY = 0, 65536


class Walk:
    """`sums`: of the frequencies of all rows before each row, one entry more than rows. [lo, hi) are the rows that are still possible."""

    def __init__(self, vocabulary: Vocabulary, sums: np.ndarray) -> None:
        self.vocabulary = vocabulary
        self.sums = sums
        self.lo, self.hi, self.middle = 0, len(vocabulary), 0
        self.depth = 0  # whole bytes that are known
        self.byte, self.shift = 0, 7  # the next one's leading bits, and where the next bit belongs

    def can_end(self) -> bool:
        """Whether the bytes so far are a token: they sort before all that begin with them."""
        return self.depth > 0 and len(self.vocabulary.bytes(self.lo)) == self.depth

    def end(self) -> int:
        """P(the token ends before its next byte)."""
        if not self.can_end():
            return CERTAINLY_NOT
        if self.hi - self.lo == 1:
            return CERTAINLY
        return self.ratio(self.lo, self.lo + 1)

    def set_end(self, ended: bool) -> None:
        if not ended and self.can_end():
            self.lo += 1

    def bit(self) -> int:
        """P(the next bit is one)."""
        self.middle = self.vocabulary.lower_bound(self.lo, self.hi, self.depth, self.byte | 1 << self.shift)
        if self.middle == self.lo:
            return CERTAINLY
        if self.middle == self.hi:
            return CERTAINLY_NOT
        return self.ratio(self.middle, self.hi)

    def set_bit(self, bit: int) -> None:
        if bit:
            self.lo = self.middle
        else:
            self.hi = self.middle
        self.byte |= bit << self.shift
        self.shift -= 1
        if self.shift < 0:
            self.byte, self.shift = 0, 7
            self.depth += 1

    def ratio(self, first: int, end: int) -> int:
        part = int(self.sums[end]) - int(self.sums[first])
        whole = int(self.sums[self.hi]) - int(self.sums[self.lo])
        while whole >> 47:
            part, whole = part >> 1, whole >> 1
        return min(max((part << 16) // whole, 1), CERTAINLY - 1)
