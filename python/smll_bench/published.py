"""Figures that the original smll (PyPI: pysmll) published, with its model SmolLM2-360M: from the file
benchmark/results/results.json of its repository. The texts of `smll bench` are not its texts, so their ratios compare in
kind only; the quotes and their lengths are the same, and `scripts/bench_original` measures its own texts."""

from __future__ import annotations

from typing import Dict, NamedTuple

MODEL = "SmolLM2-360M"

# Compression ratio by kind of text.
RATIO_BY_TYPE: Dict[str, float] = {
    "LLM-like": 14.96,
    "Wikipedia-like": 14.83,
    "C": 11.19,
    "Python": 10.48,
    "prose": 9.75,
    "JSON": 7.86,
    "repetitive": 75.00,
    "UUIDs": 0.94,
    "JavaScript": 6.39,
    "XML": 3.78,
    "CSV": 4.20,
    "base64": 1.26,
    "random": 1.27,
}



class Text(NamedTuple):
    """One text of its benchmark: the kind in `RATIO_BY_TYPE`, its bytes, and the bytes that its ratio makes of them."""

    kind: str
    bytes: int
    size: int


TEXTS: Dict[str, Text] = {
    "llm_generated.txt": Text("LLM-like", 1197, 80),
    "wikipedia.txt": Text("Wikipedia-like", 1320, 89),
    "c_code.txt": Text("C", 884, 79),
    "python_code.txt": Text("Python", 1121, 107),
    "prose.txt": Text("prose", 1082, 111),
    "json.txt": Text("JSON", 857, 109),
    "javascript_code.txt": Text("JavaScript", 1009, 158),
    "xml.txt": Text("XML", 893, 236),
    "csv.txt": Text("CSV", 512, 122),
    "repetitive.txt": Text("repetitive", 600, 8),
}

# Bits a character by length in characters.
BITS_BY_LENGTH: Dict[int, float] = {50: 2.24, 100: 1.44, 500: 0.976, 1000: 0.848, 2000: 1.664}

# Bytes of each quote.
QUOTE_BYTES: Dict[str, int] = {"Austen": 10, "Dickens": 6, "Tolstoy": 9}

# Characters a second, "~700" on an Apple M4 Max in its README.
CHARACTERS_A_SECOND = 700
