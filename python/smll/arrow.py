"""Columns of texts in Arrow, and so in Parquet, polars, pandas and DuckDB.

    >>> column = smll.arrow.compress_column(table["body"], dictionary="notes.smlld")
    >>> smll.arrow.decompress_column(column)

A compressed column has the extension type `smll.text` over binary values, one for each row, compressed by itself. Its metadata
says which model and dictionary it needs. Needs pyarrow: pip install 'smll[arrow]'.
"""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Sequence

try:
    import pyarrow as pa
except ImportError as error:
    raise ImportError("smll.arrow needs pyarrow: pip install 'smll[arrow]'") from error

from ._columns import compress_values, decompress_values
from ._compressor import Compressor
from ._identity import DictionaryLike, Identity, PathLike, identity_of, reader, writer

__all__ = ["TextType", "compress_batches", "compress_column", "decompress_batches", "decompress_column"]

# Rows that are worked on at once, and their bytes, unless a single row has more.
_ROWS = 1024
_BYTES = 8 * 1024 * 1024
# What offsets of 32 bits reach.
_SMALL = 2**31 - 1

_TEXTS = {"string": pa.string(), "large_string": pa.large_string(), "string_view": pa.string_view()}


class TextType(pa.ExtensionType):
    """Texts that were compressed one by one: binary values with the identity of what they were compressed with.

    Attributes:
        identity: an Identity: model, fingerprint, window, learn, dictionary, dictionary_name.
        text_type: the Arrow type of what they were compressed from.
    """

    def __init__(self, identity: Identity, text_type: Any = None, storage_type: Any = None) -> None:
        self.identity = identity
        self.text_type = pa.string() if text_type is None else text_type
        super().__init__(pa.binary() if storage_type is None else storage_type, "smll.text")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.identity.serialize(type=str(self.text_type))

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> "TextType":
        identity, members = Identity.parse(serialized)
        return cls(identity, _TEXTS.get(str(members.get("type")), pa.string()), storage_type)

    def to_pandas_dtype(self) -> Any:
        from .pandas import TextDtype

        return TextDtype(self)


def compress_column(
    column: Any,
    *,
    dictionary: Optional[DictionaryLike] = None,
    model: Optional[PathLike] = None,
    compressor: Optional[Compressor] = None,
) -> Any:
    """Compress a column of texts; nulls stay nulls.

    Args:
        column: a pyarrow Array or ChunkedArray of strings, or what has the Arrow PyCapsule interface: a Series of polars
            or pandas, a relation of DuckDB with one column.
        dictionary, model: as for Compressor.
        compressor: one that is there, instead of these two.

    Returns:
        an Array of the type `smll.text`, or a ChunkedArray where chunks were given.
    """
    return _compressed(_texts(column), writer(compressor, dictionary, model))


def decompress_column(
    column: Any,
    *,
    dictionary: Optional[DictionaryLike] = None,
    model: Optional[PathLike] = None,
    compressor: Optional[Compressor] = None,
) -> Any:
    """Restore what `compress_column` gave.

    A model that this machine knows and a dictionary that it keeps are found by the column's metadata. Those that are given
    must be the same ones. A plain binary column has no metadata: whoever restores it gives what it was compressed with.

    Raises:
        Error: of the kind "model" where model or dictionary is not here, of the kind "data" where a value is damaged; its
            `index` is the value's number among those of its chunk that are not null.
    """
    column = _arrow(column)
    return _restored(column, _reader_of(column.type, compressor, dictionary, model))


def compress_batches(
    source: Any,
    columns: Sequence[str],
    *,
    dictionary: Optional[DictionaryLike] = None,
    model: Optional[PathLike] = None,
    compressor: Optional[Compressor] = None,
) -> Any:
    """Compress columns of a stream of record batches while it is read, a batch at a time.

    Args:
        source: what has the Arrow PyCapsule interface for streams: a pyarrow Table or RecordBatchReader, a polars
            DataFrame, a DuckDB relation.
        columns: names of columns of strings.

    Returns:
        a pyarrow.RecordBatchReader.
    """
    stream = pa.RecordBatchReader.from_stream(source)
    chosen = writer(compressor, dictionary, model)
    identity = identity_of(chosen)
    schema = stream.schema
    for name in columns:
        place = _place(schema, name)
        schema = schema.set(place, schema.field(place).with_type(TextType(identity, _text_type(schema.field(place).type))))
    return _mapped(stream, schema, columns, lambda column, _: _compressed(column, chosen))


def decompress_batches(
    source: Any,
    columns: Optional[Sequence[str]] = None,
    *,
    dictionary: Optional[DictionaryLike] = None,
    model: Optional[PathLike] = None,
    compressor: Optional[Compressor] = None,
) -> Any:
    """Restore columns of a stream of record batches while it is read: those of the type `smll.text`, unless named."""
    stream = pa.RecordBatchReader.from_stream(source)
    schema = stream.schema
    if columns is None:
        columns = [field.name for field in schema if isinstance(field.type, TextType)]
    readers = {}
    for name in columns:
        place = _place(schema, name)
        kind = schema.field(place).type
        readers[name] = _reader_of(kind, compressor, dictionary, model)
        schema = schema.set(place, schema.field(place).with_type(_restored_type(kind)))
    return _mapped(stream, schema, columns, lambda column, name: _restored(column, readers[name]))


def _mapped(stream: Any, schema: Any, columns: Sequence[str], work: Any) -> Any:
    def batches() -> Iterator[Any]:
        for batch in stream:
            arrays = [
                work(array, field.name) if field.name in columns else array
                for array, field in zip(batch.columns, batch.schema)
            ]
            arrays = [array.cast(field.type) if array.type != field.type else array for array, field in zip(arrays, schema)]
            yield pa.record_batch(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _place(schema: Any, name: str) -> int:
    place: int = schema.get_field_index(name)
    if place < 0:
        raise KeyError(f"there is no column {name!r}, or more than one")
    return place


def _arrow(column: Any) -> Any:
    """A pyarrow Array or ChunkedArray."""
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        return column
    if hasattr(column, "__arrow_c_stream__"):
        chunks = pa.chunked_array(column)
        if pa.types.is_struct(chunks.type):
            if chunks.type.num_fields != 1:
                raise TypeError(f"a single column is expected, not {chunks.type.num_fields}")
            chunks = pa.chunked_array([chunk.field(0) for chunk in chunks.chunks], chunks.type.field(0).type)
        return chunks
    if hasattr(column, "__arrow_c_array__"):
        return pa.array(column)
    raise TypeError(f"an Arrow column is expected, not {type(column).__name__}")


def _text_type(kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if str(kind) in _TEXTS:
        return kind
    if pa.types.is_null(kind):
        return pa.string()
    raise TypeError(f"a column of strings is expected, not of {kind}")


def _texts(column: Any) -> Any:
    column = _arrow(column)
    _text_type(column.type)
    return column


def _chunked(column: Any, kind: Any, work: Any) -> Any:
    """What `work` makes of a column's chunks, or of the one that it is."""
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([work(chunk).cast(kind) for chunk in column.chunks], kind)
    return work(column)


def _size(array: Any) -> int:
    """Bytes of its values, nearly."""
    try:
        size: int = array.nbytes
    except pa.ArrowTypeError:  # of views, before pyarrow 22
        size = sum(value.as_buffer().size for value in array if value.is_valid)
    return size


def _pieces(array: Any) -> Iterator[Any]:
    start = 0
    while start < len(array):
        rows = _ROWS
        while rows > 1 and _size(array.slice(start, rows)) > _BYTES:
            rows //= 2
        yield array.slice(start, rows)
        start += rows


def _joined(parts: List[Any], small: Any, large: Any) -> Any:
    if not parts:
        return pa.array([], small)
    total = sum(map(_size, parts))
    return pa.concat_arrays([part.cast(small if total <= _SMALL else large) for part in parts])


def _compressed(column: Any, compressor: Compressor) -> Any:
    identity = identity_of(compressor)
    kind = TextType(identity, _text_type(column.type))

    def of_array(array: Any) -> Any:
        if pa.types.is_dictionary(array.type):
            # A text that many rows share is compressed once.
            return pa.ExtensionArray.from_storage(kind, of_array(array.dictionary).storage.take(array.indices))
        parts = []
        for piece in _pieces(array):
            values = piece.cast(pa.large_binary()).to_pylist()
            parts.append(pa.array(compress_values(values, compressor), pa.large_binary()))
        storage = _joined(parts, pa.binary(), pa.large_binary())
        if storage.type == pa.binary():
            return pa.ExtensionArray.from_storage(kind, storage)
        return pa.ExtensionArray.from_storage(TextType(identity, kind.text_type, storage.type), storage)

    return _chunked(column, kind, of_array)


def _restored_type(kind: Any) -> Any:
    return kind.text_type if isinstance(kind, TextType) else pa.string()


def _reader_of(
    kind: Any,
    compressor: Optional[Compressor],
    dictionary: Optional[DictionaryLike],
    model: Optional[PathLike],
) -> Compressor:
    if isinstance(kind, TextType):
        return reader(kind.identity, compressor, dictionary, model)
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)):
        raise TypeError(f"a compressed column is expected, not one of {kind}")
    return writer(compressor, dictionary, model)


def _restored(column: Any, compressor: Compressor) -> Any:
    kind = _restored_type(column.type)

    def of_array(array: Any) -> Any:
        storage = array.storage if isinstance(array.type, TextType) else array
        parts = []
        for piece in _pieces(storage):
            values = piece.cast(pa.large_binary()).to_pylist()
            parts.append(pa.array(decompress_values(values, compressor), pa.large_string()))
        return _joined(parts, kind, pa.large_string())

    return _chunked(column, kind, of_array)


# Readers of Arrow and Parquet then know the type by its name.
pa.register_extension_type(TextType(Identity("", "", 0)))
