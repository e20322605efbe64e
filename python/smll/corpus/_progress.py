"""How far a run is: records, bytes, rate, time left."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO, Optional

_PAUSE = 0.2  # seconds between two lines that replace each other
_LINE_PAUSE = 10.0  # and between two that stay


class Progress:
    """Counts, and writes a line to a file now and then: over the line before on a terminal, below it elsewhere.

    Args:
        file: where to; None writes nothing.
    """

    def __init__(self, file: Optional[IO[str]] = None) -> None:
        self._file = file
        self._replaces = file is not None and file.isatty()
        self._lock = threading.Lock()
        self._begun = self._shown = time.monotonic()
        self._unit = "files"
        self._total = 0
        self._bytes = self._worked = self._items = 0

    @classmethod
    def on_terminal(cls) -> "Progress":
        """On standard error, where that is a terminal."""
        return cls(sys.stderr if sys.stderr.isatty() else None)

    def begin(self, total: int, unit: str) -> None:
        """`total` bytes are to be done; what is counted besides bytes is called `unit`."""
        self._total, self._unit = total, unit

    def add_bytes(self, size: int, worked: bool = True) -> None:
        """So many more are done, or, where nobody worked, were done before."""
        with self._lock:
            self._bytes += size
            if worked:
                self._worked += size
            now = time.monotonic()
            if self._file is not None and now - self._shown > (_PAUSE if self._replaces else _LINE_PAUSE):
                self._shown = now
                self._show(self.line(now - self._begun))

    def add_items(self, count: int) -> None:
        with self._lock:
            self._items += count

    def line(self, seconds: float) -> str:
        """What is said after so many seconds."""
        rate = self._worked / seconds if seconds > 0 else 0.0
        share = f"{100 * min(self._bytes / self._total, 1):.0f} %, " if self._total else ""
        left = f", {_duration((max(self._total - self._bytes, 0)) / rate)} left" if self._total and rate else ""
        return f"{share}{self._items:,} {self._unit}, {_size(self._bytes)}, {_size(rate)}/s{left}"

    def clear(self) -> None:
        """Takes the line off the terminal."""
        if self._file is not None and self._replaces:
            self._file.write("\r\x1b[K")
            self._file.flush()

    def _show(self, line: str) -> None:
        assert self._file is not None
        self._file.write(f"\r\x1b[K{line}" if self._replaces else f"{line}\n")
        self._file.flush()


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
