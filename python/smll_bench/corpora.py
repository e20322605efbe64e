"""Training and test texts for the comparison with n-gram tables.

The tables learn from text that comes with every Python; the test texts were written for this project, so that neither
the model nor the tables have seen them.
"""

from __future__ import annotations

import ast
import pathlib
import sysconfig
from typing import Iterable, Iterator, List, NamedTuple

from .samples import english

# Bytes of training text at most: of a full run and a quick one.
_TRAINING, _QUICK_TRAINING = 8 << 20, 3 << 20
_TEST, _QUICK_TEST = 20_000, 1_000


class Corpus(NamedTuple):
    label: str
    training: str  # what it is
    test: str
    train_bytes: bytes
    test_bytes: bytes


def _library_sources() -> Iterator[str]:
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(folder.rglob("*.py")):
        if not {"test", "tests", "site-packages", "lib2to3", "pydoc_data"} & set(path.parts):
            yield path.read_text(encoding="utf-8", errors="ignore")


def _docstrings(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


def _joined(parts: Iterable[str], size: int) -> bytes:
    return "\n".join(parts).encode()[:size]


def _english_training(size: int) -> bytes:
    from pydoc_data import topics

    parts = list(topics.topics.values())
    for source in _library_sources():
        parts.extend(_docstrings(source))
    return _joined(parts, size)


def _own_sources() -> bytes:
    folder = pathlib.Path(__file__).parents[1]
    paths = sorted(path for path in folder.rglob("*.py") if path.parent.name != "samples")
    return "\n".join(path.read_text(encoding="utf-8") for path in paths).encode()


def _own_documents() -> bytes:
    """The documents of the checkout that this package lies in; nothing in an installed one."""
    for folder in pathlib.Path(__file__).resolve().parents:
        if (folder / "docs" / "spec" / "format.md").exists():
            paths = sorted(path for part in ("guide", "design") for path in (folder / "docs" / part).glob("*.md"))
            return "\n".join(path.read_text(encoding="utf-8") for path in paths).encode()
    return b""


def corpora(quick: bool) -> List[Corpus]:
    """The kinds of text, those with the same training text one after another."""
    train, test = (_QUICK_TRAINING, _QUICK_TEST) if quick else (_TRAINING, _TEST)
    library = "Python's library"
    docstrings = f"docstrings of {library} and its language reference"
    english_training = _english_training(train)
    found = [
        Corpus("Python source", library, "smll's own Python sources",
               _joined(_library_sources(), train), _own_sources()[:test]),
        Corpus("English prose", docstrings, "the three English samples", english_training, english().encode()[:test]),
    ]  # fmt: skip
    documents = _own_documents()
    if documents:
        found.append(Corpus("technical English", docstrings, "smll's own documents", english_training,
                            documents[:test]))  # fmt: skip
    return found
