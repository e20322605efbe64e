"""Columns of texts in polars.

    >>> import smll.polars
    >>> frame = frame.with_columns(pl.col("body").smll.compress(dictionary="notes.smlld"))
    >>> frame.with_columns(pl.col("body").smll.decompress())

A compressed column is what `smll.arrow` makes, with the identities of its model and dictionary. Needs polars 2, whose
columns keep their extension type, and pyarrow: pip install 'smll[polars]'.
"""

from __future__ import annotations

from typing import Any, Optional

import polars
import pyarrow as pa

from . import arrow
from ._compressor import Compressor
from ._identity import DictionaryLike, PathLike, identity_of, writer

__all__ = ["ExprNamespace", "SeriesNamespace"]

if int(polars.__version__.split(".")[0]) < 2:
    raise ImportError(
        f"smll.polars needs polars 2 or later: {polars.__version__} forgets a column's extension type, which names model and "
        "dictionary. smll.arrow works on its columns by way of to_arrow()"
    )


@polars.api.register_series_namespace("smll")
class SeriesNamespace:
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
        column = arrow.compress_column(self._series, dictionary=dictionary, model=model, compressor=compressor)
        return polars.Series(self._series.name, column)

    def decompress(
        self,
        *,
        dictionary: Optional[DictionaryLike] = None,
        model: Optional[PathLike] = None,
        compressor: Optional[Compressor] = None,
    ) -> Any:
        """A series of the texts; the arguments are those of `smll.arrow.decompress_column`."""
        column = arrow.decompress_column(self._series, dictionary=dictionary, model=model, compressor=compressor)
        return polars.Series(self._series.name, column, dtype=polars.String)


@polars.api.register_expr_namespace("smll")
class ExprNamespace:
    """`expression.smll`."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression

    def compress(
        self,
        *,
        dictionary: Optional[DictionaryLike] = None,
        model: Optional[PathLike] = None,
        compressor: Optional[Compressor] = None,
    ) -> Any:
        """The compressed texts. Loads the model now, as the column's type tells its identity."""
        chosen = writer(compressor, dictionary, model)
        text_type = pa.chunked_array(polars.Series([], dtype=polars.String)).type
        empty = pa.array([], arrow.TextType(identity_of(chosen), text_type))
        return self._expression.map_batches(
            lambda series: series.cast(polars.String).smll.compress(compressor=chosen),
            return_dtype=polars.Series(empty).dtype,
            is_elementwise=True,
        )

    def decompress(
        self,
        *,
        dictionary: Optional[DictionaryLike] = None,
        model: Optional[PathLike] = None,
        compressor: Optional[Compressor] = None,
    ) -> Any:
        """The texts."""
        return self._expression.map_batches(
            lambda series: series.smll.decompress(dictionary=dictionary, model=model, compressor=compressor),
            return_dtype=polars.String,
            is_elementwise=True,
        )
