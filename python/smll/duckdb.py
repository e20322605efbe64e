"""Functions for DuckDB.

    >>> smll.duckdb.register(connection, dictionary="notes.smlld")
    >>> connection.sql("SELECT smll_compress(body) FROM messages")

Needs duckdb and pyarrow: pip install 'smll[duckdb]'.
"""

from __future__ import annotations

from typing import Any, Optional

import duckdb

from . import arrow
from ._compressor import Compressor
from ._identity import DictionaryLike, PathLike, writer

__all__ = ["register"]


def register(
    connection: Any,
    *,
    dictionary: Optional[DictionaryLike] = None,
    model: Optional[PathLike] = None,
    compressor: Optional[Compressor] = None,
    compress: str = "smll_compress",
    decompress: str = "smll_decompress",
) -> None:
    """Make two functions known to a connection: smll_compress(VARCHAR) -> BLOB and smll_decompress(BLOB) -> VARCHAR.

    They work on as many rows at a time as DuckDB hands them, 2,048 at most. The values name neither model nor dictionary:
    what reads them must be registered with the same ones.

    Args:
        connection: a DuckDBPyConnection; `duckdb` itself is the default one.
        dictionary, model: as for Compressor.
        compressor: one that is there, instead of these two.
        compress, decompress: other names, for a second dictionary on the same connection.
    """
    chosen = writer(compressor, dictionary, model)

    def compressed(column: Any) -> Any:
        return _storage(arrow.compress_column(column, compressor=chosen))

    def restored(column: Any) -> Any:
        return arrow.decompress_column(column, compressor=chosen)

    text, blob = duckdb.sqltype("VARCHAR"), duckdb.sqltype("BLOB")
    connection.create_function(compress, compressed, [text], blob, type="arrow")
    connection.create_function(decompress, restored, [blob], text, type="arrow")


def _storage(column: Any) -> Any:
    """Without the type that DuckDB does not know."""
    return column.cast(column.type.storage_type)
