"""Figures that the original smll (PyPI: pysmll) published, with its model SmolLM2-360M: from the file
benchmark/results/results.json of its repository. Its texts are not ours, so ratios compare in kind only; the
quotes and their lengths are the same."""

from __future__ import annotations

from typing import Dict

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

# Bits a character by length in characters.
BITS_BY_LENGTH: Dict[int, float] = {50: 2.24, 100: 1.44, 500: 0.976, 1000: 0.848, 2000: 1.664}

# Bytes of each quote.
QUOTE_BYTES: Dict[str, int] = {"Austen": 10, "Dickens": 6, "Tolstoy": 9}

# Characters a second, "~700" on an Apple M4 Max in its README.
CHARACTERS_A_SECOND = 700
