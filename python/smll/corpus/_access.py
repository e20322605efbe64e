"""Single records of a corpus, wherever it is."""

from __future__ import annotations

import bisect
import itertools
from typing import Iterator, List, Optional

from .. import _file
from .._compressor import Compressor
from ._errors import Refused, Unfit
from ._manifest import Source
from ._places import Place
from ._restore import compressor_for, manifest_of, restored

# Of an archive as much is fetched at once, where it is far away. Its frames and index are small.
_BLOCK = 16 << 10


class Corpus:
    """Reads a corpus by the names of its sources and the numbers of their records.

    For a record, its group is decoded, and of its archive only the index and the frames of that group are fetched, over
    HTTP and from buckets as from disks.

        >>> logs = Corpus("https://example.org/logs")
        >>> logs.record("monday.jsonl", 12345)
        b'{"at": ...}\\n'

    Args:
        url: a path or fsspec URL, where `smll corpus` put it.
        compressor: whose model is used; None means `Compressor()`. Without a dictionary of its own, it takes the corpus's.

    Raises:
        Refused: there is no corpus, or its manifest is damaged.
    """

    def __init__(self, url: str, *, compressor: Optional[Compressor] = None) -> None:
        self._place = Place(url)
        manifest = manifest_of(self._place)
        self._header = manifest.header
        self._sources = manifest.sources
        self._compressor = compressor_for(self._place, self._header, compressor)

    @property
    def names(self) -> List[str]:
        """Of the sources."""
        return sorted(self._sources)

    def records(self, name: str) -> int:
        """How many records a source has."""
        return self._of(name).records

    def read(self, name: str) -> bytes:
        """All of a source; of a Parquet file its records, as `record` gives them."""
        source = self._of(name)
        return b"".join(data for part in source.parts for data in restored(self._place, part, self._compressor))

    def record(self, name: str, number: int) -> bytes:
        """A record of a source, counted from 0, with its line end: a line, or a text of a Parquet column as JSON.

        Raises:
            KeyError: there is no such source.
            IndexError: it has no such record.
        """
        if self._header.group == 0:
            raise Refused(f"{self._place.url}: its files were compressed whole, without records")
        source = self._of(name)
        ends = list(itertools.accumulate(part.records for part in source.parts))
        if not 0 <= number < source.records:
            raise IndexError(f"{name} has {source.records:,} records")
        at = bisect.bisect_right(ends, number)
        part = source.parts[at]
        group, line = divmod(number - (ends[at] - part.records), self._header.group)
        start = sum(part.groups[:group])
        with self._place.open(part.path, block_size=_BLOCK) as stored:
            with _file.SmllFile(stored, "rb", compressor=self._compressor) as archive:
                data = archive.read_at(start, part.groups[group])
        record = next(itertools.islice(_lines(data), line, None), None)
        if record is None:
            raise Unfit(f"{part.path} holds something else than the manifest says")
        return record

    def _of(self, name: str) -> Source:
        return self._sources[name]


def _lines(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        yield data[at:end]
        at = end
