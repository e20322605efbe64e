"""Names of files, as reports show them."""

from __future__ import annotations

import os
import pathlib


def shown_name(path: pathlib.Path) -> str:
    """The last part of a path as text that can be encoded: U+FFFD stands for what is not UTF-8."""
    return os.fsencode(path.name).decode("utf-8", "replace")
