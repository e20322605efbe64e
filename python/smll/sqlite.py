"""SQLite's extension: where it is, and loading it.

    >>> connection = sqlite3.connect("chat.db")
    >>> smll.sqlite.load(connection)
    >>> connection.execute("SELECT smll_enable('messages', 'body')")

`docs/guide/databases.md` has its functions.
"""

from __future__ import annotations

import pathlib
import sqlite3
import sys
from typing import List

USAGE = """usage: smll sqlite
Prints where SQLite's extension is, for .load of the program sqlite3 and for load_extension()."""


def path() -> str:
    """The extension's file. Raises FileNotFoundError where smll was built without SQLite's headers."""
    file = pathlib.Path(__file__).with_name("smll_sqlite.so")
    if not file.exists():
        raise FileNotFoundError(
            f"{file} is missing: smll was built without SQLite's headers (Debian: libsqlite3-dev); install them and build it again"
        )
    return str(file)


def load(connection: sqlite3.Connection) -> None:
    """Make smll's functions known to a connection.

    Raises:
        FileNotFoundError: smll was built without SQLite's headers.
        sqlite3.NotSupportedError: this Python's sqlite3 was built without loadable extensions.
        sqlite3.OperationalError: SQLite is older than 3.37.
    """
    file = path()
    if not hasattr(connection, "enable_load_extension"):
        raise sqlite3.NotSupportedError(
            f"the sqlite3 of {sys.executable} was built without loadable extensions; use the system's Python, the program sqlite3, "
            f"or apsw, and load {file}"
        )
    connection.enable_load_extension(True)
    try:
        connection.load_extension(file)
    finally:
        connection.enable_load_extension(False)


def main(arguments: List[str]) -> int:
    if arguments:
        wants_help = arguments[0] in ("-h", "--help")
        print(USAGE, file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    try:
        print(path())
    except FileNotFoundError as error:
        print(f"smll: {error}", file=sys.stderr)
        return 1
    return 0
