"""Columns of texts in Spark.

    import smll.spark
    small = smll.spark.compress(spark.read.json("notes.jsonl"), "text")
    small.write.parquet("notes.parquet")
    notes = smll.spark.decompress(spark.read.parquet("notes.parquet"), "text")

The executors' Python needs smll, pyarrow and the model. A task whose worker dies is run again.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Iterable, Iterator

from ._columns import Options, compress_column, decompress_column, kept_compressor
from ._compressor import Compressor


def compress(frame: Any, column: str, **options: Any) -> Any:
    """A DataFrame with a column's texts compressed, each as `Compressor.compress` does it.

    Args:
        frame: a `pyspark.sql.DataFrame`. What Spark passes on at once, `spark.sql.execution.arrow.maxRecordsPerBatch`
            rows (10,000), is compressed at once.
        column: of texts, which become bytes. Nulls stay.
        **options: as for `smll.Compressor`, with `model_path` among them. Unless `threads` says it, a model has as many
            threads as a task has CPUs (`spark.task.cpus`).
    """
    from pyspark.sql.types import BinaryType

    return _mapped(compress_column, frame, column, BinaryType(), options)


def decompress(frame: Any, column: str, **options: Any) -> Any:
    """A DataFrame with a column's texts restored; the arguments are those of `compress`."""
    from pyspark.sql.types import StringType

    return _mapped(decompress_column, frame, column, StringType(), options)


def _mapped(
    step: Callable[[Any, str, Compressor], Any], frame: Any, column: str, kind: Any, options: Options
) -> Any:
    from pyspark.sql.types import StructField, StructType

    if column not in frame.columns:
        raise ValueError(f"there is no column {column!r} among {', '.join(frame.columns)}")
    schema = StructType(
        [StructField(field.name, kind if field.name == column else field.dataType, field.nullable) for field in frame.schema]
    )
    return frame.mapInArrow(functools.partial(_each, step=step, column=column, options=options), schema)


def _each(
    batches: Iterable[Any], step: Callable[[Any, str, Compressor], Any], column: str, options: Options
) -> Iterator[Any]:
    from pyspark import TaskContext

    context = TaskContext.get()
    compressor = kept_compressor({"threads": context.cpus() if context else 0, **options})
    for batch in batches:
        yield step(batch, column, compressor)
