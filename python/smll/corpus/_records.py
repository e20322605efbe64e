"""Records of a source: lines, or values of a column of a Parquet file, which are coded as a line of JSON each."""

from __future__ import annotations

import json
from typing import IO, Any, Iterable, Iterator, List, NamedTuple

from ._errors import Refused, Unfit

# A record is held in memory, and much more than this is no record.
MAX_RECORD = 64 << 20
# Rows of a Parquet file that are read and written at once.
_ROWS = 1024


class Records(NamedTuple):
    """Some consecutive records, each with its line end where it has one."""

    lines: List[bytes]

    def groups(self, count: int) -> List[bytes]:
        """`count` records each, the last one fewer."""
        return [b"".join(self.lines[first : first + count]) for first in range(0, len(self.lines), count)]


def parts_of(lines: Iterable[bytes], part_size: int) -> Iterator[Records]:
    """Cuts records into parts that end with the record that makes them `part_size` bytes or more."""
    part: List[bytes] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size >= part_size:
            yield Records(part)
            part, size = [], 0
    if part:
        yield Records(part)


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """What ends in a line feed, and what may follow the last of them."""
    while line := file.readline(MAX_RECORD + 1):
        if len(line) > MAX_RECORD:
            raise Unfit(f"a line is longer than {MAX_RECORD:,} bytes: compress such files whole, with records=\"files\"")
        yield line


def column_lines(file: IO[bytes], column: str) -> Iterator[bytes]:
    """The values of a column of texts, or nulls, as JSON."""
    parquet = _parquet().ParquetFile(file)
    if column not in parquet.schema_arrow.names:
        raise Unfit(f"it has no column {column!r}, but {', '.join(parquet.schema_arrow.names)}")
    kind = str(parquet.schema_arrow.field(column).type)
    if kind not in ("string", "large_string", "string_view"):
        raise Unfit(f"its column {column!r} holds {kind}, not text")
    for batch in parquet.iter_batches(_ROWS, columns=[column]):
        for value in batch.column(0).to_pylist():
            yield json.dumps(value, ensure_ascii=False).encode() + b"\n"


def write_column(lines: Iterable[bytes], column: str, file: IO[bytes]) -> None:
    """A Parquet file with one column, of the values that `column_lines` gave."""
    import pyarrow

    schema = pyarrow.schema([(column, pyarrow.large_string())])
    with _parquet().ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _batches(lines):
            writer.write_batch(pyarrow.record_batch([pyarrow.array(rows, pyarrow.large_string())], schema=schema))


def _batches(lines: Iterable[bytes]) -> Iterator[List[Any]]:
    rows: List[Any] = []
    for line in lines:
        value = json.loads(line)
        if value is not None and not isinstance(value, str):
            raise Unfit("a record is not a text")
        rows.append(value)
        if len(rows) == 64 * _ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise Refused("Parquet files need the package pyarrow: pip install pyarrow") from error
    return pyarrow.parquet
