"""Columns of texts in tables of Arrow, and one compressor for all of them that a process gets."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Iterable, List, Optional

from ._compressor import Compressor

Options = Dict[str, Any]  # of a Compressor, with "model_path" among them


@functools.lru_cache(maxsize=2)
def _kept(items: Any) -> Compressor:
    return Compressor(**dict(items))


def kept_compressor(options: Options) -> Compressor:
    """A compressor with these options, the same one for the next who asks: a worker's process loads a model once."""
    return _kept(tuple(sorted(options.items())))


def with_nulls(work: Callable[[List[Any]], List[Any]], values: Iterable[Optional[Any]]) -> List[Optional[Any]]:
    """What `work` gives for the values that are there, in their places."""
    values = list(values)
    results = iter(work([value for value in values if value is not None]))
    return [None if value is None else next(results) for value in values]


def compress_values(values: Iterable[Any], compressor: Compressor) -> List[Optional[bytes]]:
    return with_nulls(compressor.compress_many, values)


def decompress_values(values: Iterable[Any], compressor: Compressor) -> List[Optional[str]]:
    return with_nulls(compressor.decompress_many, values)


def compress_column(table: Any, column: str, compressor: Compressor) -> Any:
    """A pyarrow Table or RecordBatch with a column's texts compressed."""
    import pyarrow

    return _replaced(table, column, pyarrow.binary(), lambda values: compress_values(values, compressor))


def decompress_column(table: Any, column: str, compressor: Compressor) -> Any:
    """A pyarrow Table or RecordBatch with a column's texts restored."""
    import pyarrow

    return _replaced(table, column, pyarrow.string(), lambda values: decompress_values(values, compressor))


def _replaced(table: Any, column: str, kind: Any, work: Callable[[List[Any]], List[Any]]) -> Any:
    import pyarrow

    at = table.schema.get_field_index(column)
    if at < 0:
        raise ValueError(f"there is no one column {column!r} among {', '.join(table.schema.names)}")
    columns = list(table.columns)
    columns[at] = pyarrow.array(work(table.column(at).to_pylist()), kind)
    schema = table.schema.set(at, pyarrow.field(column, kind))
    return type(table).from_arrays(columns, schema=schema)
