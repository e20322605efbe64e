"""From a corpus back to its sources, and whether that would work."""

from __future__ import annotations

import hashlib
from typing import Dict, Iterator, List, NamedTuple, Optional, Union

from .. import _file
from .._compressor import Compressor
from .._dictionary import Dictionary
from .._smll import Error
from ._errors import Refused, Unfit
from ._manifest import DICTIONARY, MANIFEST, Header, Manifest, Part, Source, read_manifest
from ._places import STATE, Place, check_apart
from ._progress import Progress
from ._records import column_lines, lines_of, write_column
from ._run import DEFAULT_JOBS, Summary, Workers

_READ_SIZE = 256 << 10


class _Job(NamedTuple):
    name: str  # of the source
    part: Part
    path: str  # where the part's data goes; "" where it goes nowhere


def decompress(
    source: str,
    target: str,
    *,
    compressor: Optional[Compressor] = None,
    jobs: int = DEFAULT_JOBS,
    force: bool = False,
    progress: Optional[Progress] = None,
) -> Summary:
    """Restore what a corpus was made of. May be stopped and run again, and goes on where it was. Files that are there
    already, with what they should hold, stay as they are.

    Args:
        source: a path or fsspec URL, where `compress` put a corpus.
        target: the same, where the files go.
        compressor: whose model is used; None means `Compressor()`. Without a dictionary of its own, it takes the corpus's.
        jobs: how many archives are restored at once.
        force: overwrite files of the corpus's names that hold something else.
        progress: is told how far it is.

    Raises:
        Refused: nothing can be done.
        Error: of the kind "model", where the model or dictionary is another one. Other errors are in the summary.
    """
    corpus = Place(source)
    manifest = manifest_of(corpus)
    place = Place(target)
    check_apart(corpus, place)
    if place.is_file():
        raise Refused(f"{place.url}: this is a file; name a directory")
    compressor = compressor_for(corpus, manifest.header, compressor)
    restoring = _Restoring(corpus, place, manifest, compressor, jobs, progress or Progress())
    with place.only_run():
        return restoring.run(force)


def verify(
    target: str,
    *,
    source: Optional[str] = None,
    stored_only: bool = False,
    compressor: Optional[Compressor] = None,
    jobs: int = DEFAULT_JOBS,
    progress: Optional[Progress] = None,
) -> Summary:
    """Read a corpus, restore all of it and compare checksums; nothing is written.

    Args:
        target: where `compress` put the corpus.
        source: what it was made of; then that is compared as well.
        stored_only: compare checksums of the archives as they are stored, and restore nothing.
        compressor, jobs, progress: as for `decompress`.
    """
    corpus = Place(target)
    manifest = manifest_of(corpus)
    workers = Workers(jobs, progress or Progress())
    if not stored_only:
        compressor = compressor_for(corpus, manifest.header, compressor)
    return _Verifying(corpus, manifest, None if stored_only else compressor, workers).run(
        None if source is None else Place(source), progress or Progress()
    )


def manifest_of(corpus: Place) -> Manifest:
    manifest = read_manifest(corpus)
    if manifest is None:
        begun = "; a run that was to make it has not ended: run it again" if corpus.state_files("journal") else ""
        raise Refused(f"{corpus.url}: there is no {MANIFEST}, so this is no corpus{begun}")
    return manifest


def compressor_for(corpus: Place, header: Header, compressor: Optional[Compressor]) -> Compressor:
    """The one that was given, with the corpus's dictionary where it has none, if it has the model that the corpus needs."""
    compressor = compressor or Compressor()
    if header.dictionary is not None and compressor._options["dictionary"] is None:
        data = corpus.read(DICTIONARY)
        if data is None:
            raise Refused(f"{corpus.url}: {DICTIONARY} is missing; give the dictionary {header.dictionary['identity']}")
        compressor = Compressor(compressor._spec or None, **{**compressor._options, "dictionary": Dictionary(data)})
    if header.model is not None:
        fingerprint = f"{compressor.model['fingerprint']:016x}"
        if fingerprint != header.model["fingerprint"]:
            error = Error(
                f"{corpus.url}: the corpus was made with the model {header.model['name']!r} ({header.model['fingerprint']}), "
                f"and this is {compressor.model['name']!r} ({fingerprint}): name the right one"
            )
            error.kind = "model"
            raise error
    return compressor


def restored(corpus: Place, part: Part, compressor: Compressor) -> Iterator[bytes]:
    """A part's data, a piece at a time. Raises where it is not what the manifest says, the latest behind its last piece."""
    digest = hashlib.sha256()
    size = 0
    with corpus.open(part.path) as stored, _file.SmllFile(stored, "rb", compressor=compressor) as archive:
        while data := archive.read1(_READ_SIZE):
            digest.update(data)
            size += len(data)
            if size > part.size:
                break
            yield data
    if size != part.size or digest.hexdigest() != part.sha256:
        raise Unfit(f"{part.path} holds something else than the manifest says")


class _Restoring:
    def __init__(
        self, corpus: Place, place: Place, manifest: Manifest, compressor: Compressor, jobs: int, progress: Progress
    ) -> None:
        self._corpus, self._place = corpus, place
        self._header = manifest.header
        self._sources = manifest.sources
        self._compressor = compressor
        self._workers = Workers(jobs, progress)
        self._progress = progress
        self._missing: Dict[str, int] = {}  # parts of each source that are not there yet
        self._failures: Dict[str, BaseException] = {}
        self._parts = self._kept = 0

    def run(self, force: bool) -> Summary:
        self._progress.begin(sum(source.size for source in self._sources.values()), self._header.records)
        self._workers.run(self._jobs(force), self._work, self._done)
        if not self._failures:
            self._place.remove_state()
        self._progress.clear()
        done = [source for name, source in self._sources.items() if name not in self._failures]
        return Summary.of(done, self._parts, self._kept, self._failures)

    def _jobs(self, force: bool) -> Iterator[_Job]:
        for source in self._sources.values():
            try:
                there = self._is_there(source, force)
                if there:
                    self._count(source.parts, kept=True)
                elif len(source.parts) == 1 and self._header.records != "parquet":
                    yield _Job(source.name, source.parts[0], source.name)
                elif not source.parts:
                    self._join(source)
                else:
                    self._missing[source.name] = len(source.parts)
                    for part, path in zip(source.parts, _part_names(source)):
                        yield _Job(source.name, part, path)
            except Refused:
                raise
            except Exception as error:
                self._failures[source.name] = error

    def _is_there(self, source: Source, force: bool) -> bool:
        content = content_of(self._place, source.name, self._header)
        if content == (source.size, source.sha256):
            return True
        if content is not None and not force:
            raise Unfit("it is there and holds something else; use force to overwrite it")
        return False

    def _count(self, parts: "tuple[Part, ...]", kept: bool) -> None:
        for part in parts:
            self._parts += 1
            self._kept += kept
            self._progress.add_items(part.records or 1)
            if kept:
                self._progress.add_bytes(part.size, worked=False)

    def _work(self, job: _Job) -> bool:
        """Puts the part's data in place; whether it was there."""
        if job.path.startswith(STATE) and self._place.sha256(job.path) == (job.part.size, job.part.sha256):
            self._progress.add_bytes(job.part.size, worked=False)
            return True
        with self._place.put(job.path) as out:
            for data in restored(self._corpus, job.part, self._compressor):
                out.write(data)
                self._workers.advance(len(data))
        return False

    def _done(self, job: _Job, result: Union[bool, Exception]) -> None:
        if isinstance(result, Exception):
            self._failures.setdefault(job.name, result)
            return
        self._parts += 1
        self._kept += result
        self._progress.add_items(job.part.records or 1)
        if job.name in self._missing:
            self._missing[job.name] -= 1
            if self._missing[job.name] == 0:
                try:
                    self._join(self._sources[job.name])
                except Exception as error:
                    self._failures.setdefault(job.name, error)

    def _join(self, source: Source) -> None:
        """A source of its parts, which are there."""
        names = _part_names(source)
        try:
            self._put_joined(source, names)
        except FileNotFoundError:
            pass  # where two runs are at work, the other one may have put it in place, and will be found out
        if content_of(self._place, source.name, self._header) != (source.size, source.sha256):
            self._place.remove(source.name)
            raise Unfit("its parts make something else than the manifest says")
        for name in names:
            self._place.remove(name)

    def _put_joined(self, source: Source, names: List[str]) -> None:
        with self._place.put(source.name) as out:
            if self._header.records == "parquet":
                write_column(self._lines(names), self._header.column, out)
            else:
                for name in names:
                    with self._place.open(name) as file:
                        while data := file.read(_READ_SIZE):
                            out.write(data)

    def _lines(self, names: List[str]) -> Iterator[bytes]:
        for name in names:
            with self._place.open(name) as file:
                yield from lines_of(file)


def _part_names(source: Source) -> List[str]:
    """Where the parts of a source are kept until all of them are there."""
    directory = hashlib.sha256(source.name.encode("utf-8", "surrogatepass")).hexdigest()
    return [f"{STATE}/parts/{directory}/{number:05}" for number in range(len(source.parts))]


def content_of(place: Place, name: str, header: Header) -> "Optional[tuple[int, str]]":
    """Size and checksum of a source as the manifest has them: of a Parquet file those of its records. None where there is
    no such file; some that no file has where it is no such file."""
    if header.records != "parquet":
        return place.sha256(name)
    try:
        with place.open(name) as file:
            digest = hashlib.sha256()
            size = 0
            for line in column_lines(file, header.column):
                digest.update(line)
                size += len(line)
            return size, digest.hexdigest()
    except FileNotFoundError:
        return None
    except ValueError:
        return -1, ""


class _Verifying:
    def __init__(self, corpus: Place, manifest: Manifest, compressor: Optional[Compressor], workers: Workers) -> None:
        self._corpus, self._manifest, self._compressor, self._workers = corpus, manifest, compressor, workers
        self._failures: Dict[str, BaseException] = {}
        self._parts = 0

    def run(self, source: Optional[Place], progress: Progress) -> Summary:
        sources = self._manifest.sources.values()
        progress.begin(sum(each.size for each in sources), self._manifest.header.records)

        def done(job: _Job, result: Union[None, Exception]) -> None:
            self._parts += 1
            progress.add_items(job.part.records or 1)
            if isinstance(result, Exception):
                self._failures.setdefault(job.name, result)

        self._workers.run((_Job(each.name, part, "") for each in sources for part in each.parts), self._work, done)
        if source is not None:
            self._compare(source)
        progress.clear()
        whole = [each for each in sources if each.name not in self._failures]
        return Summary.of(whole, self._parts, 0, self._failures)

    def _work(self, job: _Job) -> None:
        if self._corpus.sha256(job.part.path) != (job.part.stored_size, job.part.stored_sha256):
            raise Unfit(f"{job.part.path} is missing, or not what was stored")
        if self._compressor is None:
            return
        for data in restored(self._corpus, job.part, self._compressor):
            self._workers.advance(len(data))

    def _compare(self, source: Place) -> None:
        """The sources with what the manifest says of them."""
        found = {file.name for file in source.files()}
        for name in sorted(found - self._manifest.sources.keys()):
            self._failures[name] = Unfit("it is not in the corpus")
        for each in self._manifest.sources.values():
            if each.name not in found:
                self._failures.setdefault(each.name, Unfit("it has gone from the source"))
                continue
            try:
                content = content_of(source, "" if source.is_file() else each.name, self._manifest.header)
            except Exception as error:
                self._failures.setdefault(each.name, error)
                continue
            if content != (each.size, each.sha256):
                self._failures.setdefault(each.name, Unfit("it has changed since it was compressed"))
