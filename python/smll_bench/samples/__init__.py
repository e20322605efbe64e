"""The texts of the tables: written for this project, or generated from a seed, so that no model has seen them."""

from __future__ import annotations

import base64
import pathlib
import random
import string
import uuid
from typing import Dict

_SEED = 20260401
_FOLDER = pathlib.Path(__file__).parent


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _uuids(rng: random.Random) -> str:
    return "\n".join(str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(40)) + "\n"


def _base64(rng: random.Random) -> str:
    return base64.encodebytes(rng.randbytes(1500)).decode()


def _random(rng: random.Random) -> str:
    return "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(1000)) + "\n"


def content_types() -> Dict[str, str]:
    """Text by kind, the original's eight kinds first."""
    rng = random.Random(_SEED)
    return {
        "LLM-like": _file("assistant.txt"),
        "Wikipedia-like": _file("encyclopedia.txt"),
        "C": _file("ring_buffer.c"),
        "Python": _file("inventory.py"),
        "prose": _file("prose.txt"),
        "JSON": _file("service.json"),
        "repetitive": "All work and no play makes Jack a dull boy.\n" * 40,
        "UUIDs": _uuids(rng),
        "JavaScript": _file("cart.js"),
        "XML": _file("stations.xml"),
        "CSV": _file("weather.csv"),
        "base64": _base64(rng),
        "random": _random(rng),
    }


# Each in the wording that the original's results use.
QUOTES = {
    "Austen": "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife.",
    "Dickens": "It was the best of times, it was the worst of times,",
    "Tolstoy": "All happy families are alike; each unhappy family is unhappy in its own way.",
}


def english() -> str:
    """The English samples, one after another."""
    return "\n".join(_file(name) for name in ("encyclopedia.txt", "assistant.txt", "prose.txt"))


def long_english(characters: int) -> str:
    """The English samples, continued with the language reference that comes with Python."""
    from pydoc_data import topics

    parts = [english()]
    length = len(parts[0])
    for topic in sorted(topics.topics):
        if length >= characters:
            break
        parts.append(topics.topics[topic])
        length += len(parts[-1])
    return "".join(parts)[:characters]
