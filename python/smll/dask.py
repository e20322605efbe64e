"""Texts in Dask's bags.

    import dask.bag, smll.dask
    small = smll.dask.compress(dask.bag.from_sequence(["a note", "another note"]))
    notes = smll.dask.decompress(small).compute()

`import smll` makes `compression="smll"` known to fsspec, and so to `dask.bag.read_text` and `to_textfiles`; on the
workers of a cluster `register` does.
"""

from __future__ import annotations

import multiprocessing
from typing import Any, Iterable, List, Optional

from ._columns import Options, compress_values, decompress_values, kept_compressor


def compress(bag: Any, **options: Any) -> Any:
    """A bag of texts, each compressed as `Compressor.compress` does it. None stays.

    Args:
        bag: a `dask.bag.Bag`. A partition is what a worker does at once, and does again where it dies over it. A model
            takes 32 texts at once at most, and much smaller partitions leave it waiting.
        **options: as for `smll.Compressor`, with `model_path` among them. Unless `threads` says it, a model has as many
            threads as the worker that loads it.
    """
    return bag.map_partitions(_compress, options)


def decompress(bag: Any, **options: Any) -> Any:
    """A bag of texts, restored; the options are those of `compress`."""
    return bag.map_partitions(_decompress, options)


def register(client: Any) -> None:
    """Makes `compression="smll"` known on all workers of a `distributed.Client`, later ones as well."""
    client.register_worker_callbacks(_know_smll)


def _know_smll() -> None:
    pass  # this module's package registers it when it is imported


def _compress(texts: Iterable[Any], options: Options) -> List[Optional[bytes]]:
    return compress_values(texts, kept_compressor(_with_threads(options)))


def _decompress(archives: Iterable[Any], options: Options) -> List[Optional[str]]:
    return decompress_values(archives, kept_compressor(_with_threads(options)))


def _with_threads(options: Options) -> Options:
    return {"threads": _threads(), **options}


def _threads() -> int:
    """Of this worker: all its tasks share a model."""
    try:
        from distributed import get_worker

        return int(get_worker().state.nthreads)
    except (ImportError, ValueError):
        # Dask's processes are one a core, its threads all of one process.
        return 1 if multiprocessing.parent_process() is not None else 0
