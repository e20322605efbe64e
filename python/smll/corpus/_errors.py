"""What ends a run before it begins, or one file of it."""

from __future__ import annotations


class Refused(RuntimeError):
    """The whole run cannot be done: two places that do not fit, a manifest that is damaged, another run at work."""


class Unfit(ValueError):
    """One file or record cannot be done; the others can."""


def described(error: BaseException) -> str:
    """An error as a message shows it. File systems of fsspec raise errors of their own, whose texts say little alone."""
    text = str(error)
    if isinstance(error, (Unfit, Refused)) or (isinstance(error, (OSError, RuntimeError)) and text):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def printable(name: str) -> str:
    """A name as messages show it: with escapes for what would be no character of a line."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
