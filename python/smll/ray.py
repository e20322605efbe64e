"""Columns of texts in Ray Data.

    import ray, smll.ray
    small = smll.ray.compress(ray.data.read_json("notes.jsonl"), "text")
    small.write_parquet("notes.parquet")
    notes = smll.ray.decompress(ray.data.read_parquet("notes.parquet"), "text")

Workers need smll and the model. A worker that dies is started again and does its last batch again.
"""

from __future__ import annotations

from typing import Any

from ._columns import compress_column, decompress_column
from ._compressor import Compressor


class Compress:
    """For `Dataset.map_batches` with `batch_format="pyarrow"`: loads the model once, when a worker is started.

    Args:
        column: of texts, which become bytes. Nulls stay.
        **options: as for `smll.Compressor`, with `model_path` among them. `threads` should be the worker's `num_cpus`.
    """

    def __init__(self, column: str, **options: Any) -> None:
        self._column = column
        self._compressor = Compressor(**options)

    def __call__(self, table: Any) -> Any:
        return compress_column(table, self._column, self._compressor)


class Decompress(Compress):
    """The way back: bytes become texts."""

    def __call__(self, table: Any) -> Any:
        return decompress_column(table, self._column, self._compressor)


def compress(
    dataset: Any,
    column: str,
    *,
    workers: int = 1,
    num_cpus: int = 1,
    num_gpus: float = 0,
    batch_size: int = 1024,
    **options: Any,
) -> Any:
    """A dataset with a column's texts compressed, each as `Compressor.compress` does it.

    Args:
        dataset: a `ray.data.Dataset`.
        column: of texts, which become bytes. Nulls stay.
        workers: processes at once.
        num_cpus, num_gpus: what each of them reserves; the model has so many threads, and where there is a GPU runs on it.
        batch_size: rows that a worker takes at once, and does again where it dies over them. A model takes 32 texts at
            once at most, and much smaller batches leave it waiting.
        **options: as for `smll.Compressor`, with `model_path` among them.
    """
    return _mapped(Compress, dataset, column, workers, num_cpus, num_gpus, batch_size, options)


def decompress(
    dataset: Any,
    column: str,
    *,
    workers: int = 1,
    num_cpus: int = 1,
    num_gpus: float = 0,
    batch_size: int = 1024,
    **options: Any,
) -> Any:
    """A dataset with a column's texts restored; the arguments are those of `compress`."""
    return _mapped(Decompress, dataset, column, workers, num_cpus, num_gpus, batch_size, options)


def _mapped(
    step: Any, dataset: Any, column: str, workers: int, num_cpus: int, num_gpus: float, batch_size: int, options: Any
) -> Any:
    from ray.data import ActorPoolStrategy

    if num_gpus:
        options.setdefault("device", "cuda")
    return dataset.map_batches(
        step,
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ActorPoolStrategy(size=workers),
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        fn_constructor_kwargs={"column": column, "threads": num_cpus, **options},
    )
