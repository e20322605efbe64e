"""A progress bar on standard error, when that is a terminal."""

from __future__ import annotations

import sys

_WIDTH = 24


class Progress:
    """Counts steps of a known total."""

    def __init__(self, total: int) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._shown = sys.stderr.isatty()

    def step(self, what: str) -> None:
        """`what` begins now."""
        if self._shown:
            filled = _WIDTH * self._done // self._total
            bar = "█" * filled + "░" * (_WIDTH - filled)
            print(f"\r\x1b[K{bar} {self._done}/{self._total} {what}", end="", file=sys.stderr, flush=True)
        self._done += 1

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
