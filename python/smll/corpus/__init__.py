"""Corpora: many files, or the records of large ones, compressed into a directory or a bucket, and back.

    >>> from smll import corpus
    >>> corpus.compress("logs", "s3://bucket/logs")
    >>> corpus.Corpus("s3://bucket/logs").read("monday.log")

`smll corpus` is the same as a program. A run that was stopped goes on where it was, and ends with the same bytes. Needs
fsspec, whose URLs say where things are, and for Parquet pyarrow.
"""

from ._access import Corpus
from ._compress import Plan, compress
from ._errors import Refused
from ._manifest import MANIFEST
from ._progress import Progress
from ._restore import decompress, verify
from ._run import Failure, Summary

__all__ = ["MANIFEST", "Corpus", "Failure", "Plan", "Progress", "Refused", "Summary", "compress", "decompress", "verify"]
