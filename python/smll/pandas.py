"""Columns of texts in pandas.

    >>> import smll.pandas
    >>> frame["body"] = frame["body"].smll.compress(dictionary="notes.smlld")
    >>> frame["body"].smll.decompress()

A compressed column is what `smll.arrow` makes; `to_parquet` and `read_parquet` keep it, with the identities of its model and
dictionary. Needs pandas and pyarrow: pip install 'smll[pandas]'.
"""

from __future__ import annotations

from typing import Any, Optional

import pandas
import pyarrow as pa

from . import arrow
from ._compressor import Compressor
from ._identity import DictionaryLike, Identity, PathLike

__all__ = ["SeriesAccessor", "TextDtype"]


@pandas.api.extensions.register_extension_dtype
class TextDtype(pandas.ArrowDtype):
    """The dtype of compressed columns: Arrow's `smll.text`."""

    @classmethod
    def construct_from_string(cls, string: str) -> "TextDtype":
        # What pandas notes in Parquet files; the metadata stands in Arrow's schema.
        if not string.startswith("extension<smll.text"):
            raise TypeError(f"{string!r} is another dtype")
        return cls(arrow.TextType(Identity("", "", 0)))

    def __from_arrow__(self, array: Any) -> Any:
        return self.construct_array_type()(array)


@pandas.api.extensions.register_series_accessor("smll")
class SeriesAccessor:
    """`series.smll`."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def compress(
        self,
        *,
        dictionary: Optional[DictionaryLike] = None,
        model: Optional[PathLike] = None,
        compressor: Optional[Compressor] = None,
    ) -> Any:
        """A series of compressed texts, as `smll.arrow.compress_column` makes them."""
        texts = pa.Array.from_pandas(self._series)
        column = arrow.compress_column(texts, dictionary=dictionary, model=model, compressor=compressor)
        return self._like(column, TextDtype(column.type))

    def decompress(
        self,
        *,
        dictionary: Optional[DictionaryLike] = None,
        model: Optional[PathLike] = None,
        compressor: Optional[Compressor] = None,
    ) -> Any:
        """The texts, as pandas' strings; the arguments are those of `smll.arrow.decompress_column`."""
        column = arrow.decompress_column(
            pa.Array.from_pandas(self._series), dictionary=dictionary, model=model, compressor=compressor
        )
        return self._like(column, "string[pyarrow]")

    def _like(self, column: Any, dtype: Any) -> Any:
        return pandas.Series(column, dtype=dtype, index=self._series.index, name=self._series.name)
