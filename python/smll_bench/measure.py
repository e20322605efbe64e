"""Sizes and times, each after a verified round trip."""

from __future__ import annotations

import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from .codecs import Codec, Transform
from .progress import Progress

# What is fast is timed until this many seconds have passed, and the best run counts.
_TIMING_SECONDS = 0.05
_MOST_RUNS = 20


class Cell(NamedTuple):
    """What one codec made of one text. `verified`: its bytes came back."""

    size: int
    pack_seconds: float
    unpack_seconds: float
    verified: bool


class Row(NamedTuple):
    """One text: its size, and what each codec (by name) made of it; None where it did not run."""

    label: str
    characters: int
    bytes: int
    cells: Dict[str, Optional[Cell]]


class Table(NamedTuple):
    key: str
    title: str
    rows: List[Row]


def _timed(transform: Transform, data: bytes, slow: bool) -> Tuple[bytes, float]:
    best, spent, runs = float("inf"), 0.0, 0
    while True:
        start = time.perf_counter()
        result = transform(data)
        seconds = time.perf_counter() - start
        best, spent, runs = min(best, seconds), spent + seconds, runs + 1
        if slow or spent > _TIMING_SECONDS or runs == _MOST_RUNS:
            return result, best


def measure(codec: Codec, data: bytes) -> Optional[Cell]:
    """None when the codec does not take texts of this size, or failed."""
    if len(data) > codec.largest:
        return None
    try:
        packed, pack_seconds = _timed(codec.compress, data, codec.slow)
    except Exception as error:  # another's codec: one failure must not end the run
        print(f"smll bench: {codec.name} failed: {error}")
        return None
    try:
        restored, unpack_seconds = _timed(codec.decompress, packed, codec.slow)
    except Exception as error:
        print(f"smll bench: {codec.name} does not decompress what it compressed: {error}")
        return Cell(len(packed), pack_seconds, float("nan"), False)
    return Cell(len(packed), pack_seconds, unpack_seconds, restored == data)


def table(
    key: str, title: str, texts: Dict[str, str], codecs: List[Codec], progress: Progress
) -> Table:
    """Measure every text with every codec."""
    rows = []
    for label, text in texts.items():
        data = text.encode("utf-8", "surrogateescape")
        cells: Dict[str, Optional[Cell]] = {}
        for codec in codecs:
            progress.step(f"{label}: {codec.name}")
            cells[codec.name] = measure(codec, data)
        rows.append(Row(label, len(text), len(data), cells))
    return Table(key, title, rows)


def unverified(tables: List[Table]) -> List[str]:
    """Where the bytes did not come back."""
    return [
        f"{row.label}: {codec}"
        for each in tables
        for row in each.rows
        for codec, cell in row.cells.items()
        if cell is not None and not cell.verified
    ]
