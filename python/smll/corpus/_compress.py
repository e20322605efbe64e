"""From sources to a corpus."""

from __future__ import annotations

import hashlib
import io
from typing import IO, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union, cast

from .. import _file
from .._compressor import Compressor
from ._errors import Refused
from ._manifest import DICTIONARY, MANIFEST, Header, Journal, Manifest, Part, Source, read_manifest
from ._places import STATE, Found, Place, check_apart, check_name, size_and_sha256
from ._progress import Progress
from ._records import Records, column_lines, lines_of, parts_of
from ._run import DEFAULT_JOBS, Summary, Workers

_READ_SIZE = 256 << 10
# Of a Compressor's settings, those that decide what it makes; the others only limit it, or say where its model is.
_SETTINGS = ("level", "backend", "experts", "lanes", "window", "learn")
_WITHOUT_MODEL = ("cm", "cm-fast")


class Plan(NamedTuple):
    """What is compressed as one.

    Attributes:
        records: "files": each file, whole, as an archive of its name. "lines": the lines of each file (JSONL, logs).
            "parquet": the values of a column of texts of Parquet files.
        column: the column's name.
        group: so many records begin a frame, which is what reading one of them decodes. More make smaller archives.
        part_size: an archive ends with the record that makes it so many bytes, uncompressed.
    """

    records: str = "files"
    column: str = ""
    group: int = 16
    part_size: int = 1 << 20


class _Job(NamedTuple):
    name: str
    number: int  # of the part
    path: str  # of the archive
    records: Optional[Records]  # None: the whole file
    size: int
    sha256: str  # "" where it is not known yet


class _Sources:
    """What is known of each source while its parts are done in any order."""

    def __init__(self) -> None:
        self._parts: Dict[str, Dict[int, Part]] = {}
        self._whole: Dict[str, Tuple[int, int, str]] = {}  # number of parts, size, checksum
        self.failures: Dict[str, BaseException] = {}

    def add(self, name: str, number: int, part: Part) -> None:
        self._parts.setdefault(name, {})[number] = part

    def end(self, name: str, parts: int, size: int, sha256: str) -> None:
        self._whole[name] = (parts, size, sha256)

    def fail(self, name: str, error: BaseException) -> None:
        self.failures.setdefault(name, error)

    def done(self) -> Iterator[Source]:
        for name, (count, size, sha256) in self._whole.items():
            if name not in self.failures:
                parts = self._parts.get(name, {})
                yield Source(name, size, sha256, tuple(parts[number] for number in range(count)))


def compress(
    source: str,
    target: str,
    *,
    plan: Plan = Plan(),
    compressor: Optional[Compressor] = None,
    jobs: int = DEFAULT_JOBS,
    progress: Optional[Progress] = None,
    passed_over: Callable[[str], object] = lambda name: None,
) -> Summary:
    """Compress the files at `source` into archives at `target`, beside a manifest. May be stopped and run again: what is
    done is not done again unless its source has changed, and the result is the same to the byte.

    Args:
        source: a path or fsspec URL, of a directory, a bucket's part or one file.
        target: the same, empty or from an earlier run with the same plan, model and settings. Files that have gone from
            the source stay in it.
        plan: what is compressed as one.
        compressor: None means `Compressor()`.
        jobs: how many archives are made at once. More than cores is faster: one model's lanes take them together.
        progress: is told how far it is.
        passed_over: is called with the name of what is neither file nor directory.

    Raises:
        Refused: nothing can be done, or what `target` holds is not of this plan.
        Error: of the kind "model", where the model cannot be had. What fails for one file alone is in the summary.
    """
    return _Compressing(source, target, plan, compressor or Compressor(), jobs, progress or Progress()).run(passed_over)


class _Compressing:
    def __init__(
        self, source: str, target: str, plan: Plan, compressor: Compressor, jobs: int, progress: Progress
    ) -> None:
        _check(plan, jobs)
        self._source, self._target = Place(source), Place(target)
        check_apart(self._source, self._target)
        self._plan = plan
        self._compressor = compressor
        self._workers = Workers(jobs, progress)
        self._progress = progress
        self._header = _header_of(plan, compressor)
        self._journal = Journal(self._target, self._header)
        self._earlier: Dict[Tuple[str, int, str], Part] = {}
        self._sources = _Sources()
        self._parts = self._kept = 0

    def run(self, passed_over: Callable[[str], object]) -> Summary:
        if not self._source.fs.exists(self._source.root):
            raise Refused(f"{self._source.url}: there is nothing of this name")
        if self._target.is_file():
            raise Refused(f"{self._target.url}: this is a file; name a directory")
        if not any(map(self._target.exists, (MANIFEST, STATE))) and self._target.files():
            raise Refused(f"{self._target.url}: there are files, but no corpus; choose an empty place")
        with self._target.only_run():
            files = self._source.files(passed_over)
            before = self._recall()
            self._journal.begin()
            self._keep_dictionary()
            self._progress.begin(sum(file.size for file in files), self._plan.records)
            try:
                self._workers.run(self._jobs(files), self._work, self._done)
            finally:
                self._journal.flush()
            manifest = self._manifest(before)
            with self._target.put(MANIFEST) as out:
                out.write(manifest.to_bytes())
            self._remove_stale(before, manifest)
            if not self._sources.failures:
                self._target.remove_state()
        self._progress.clear()
        return self._summary(manifest, {file.name for file in files})

    def _recall(self) -> Optional[Manifest]:
        """What earlier runs have done."""
        manifest = read_manifest(self._target)
        if manifest is not None and manifest.header != self._header:
            differs = [key for key, mine, its in zip(Header._fields, self._header, manifest.header) if mine != its]
            raise Refused(f"{self._target.url}: the corpus there was made with other settings ({', '.join(differs)}); go on "
                          "with the same ones, or choose another place")  # fmt: skip
        for source in manifest.sources.values() if manifest else ():
            for number, part in enumerate(source.parts):
                self._earlier[source.name, number, part.sha256] = part
        for name, number, part in self._journal.read():
            self._earlier[name, number, part.sha256] = part
        return manifest

    def _keep_dictionary(self) -> None:
        dictionary = self._compressor._shared[0].dictionary
        if dictionary is not None and not self._target.exists(DICTIONARY):
            with self._target.put(DICTIONARY) as out:
                out.write(dictionary.serialize())

    def _jobs(self, files: List[Found]) -> Iterator[_Job]:
        for name, size in files:
            try:
                check_name(name)
                if self._plan.records == "files":
                    yield _Job(name, 0, f"{name}.smll", None, size, "")
                else:
                    yield from self._record_jobs(name)
            except Refused:
                raise
            except Exception as error:
                self._sources.fail(name, error)

    def _record_jobs(self, name: str) -> Iterator[_Job]:
        whole = hashlib.sha256()
        size = number = 0
        with self._source.open(self._name_at_source(name)) as file:
            is_lines = self._plan.records == "lines"
            lines = lines_of(file) if is_lines else column_lines(file, self._plan.column)
            for records in parts_of(lines, self._plan.part_size):
                data = b"".join(records.lines)
                whole.update(data)
                size += len(data)
                path = f"{name}/{number:05}.smll"
                yield _Job(name, number, path, records, len(data), hashlib.sha256(data).hexdigest())
                number += 1
        self._sources.end(name, number, size, whole.hexdigest())

    def _name_at_source(self, name: str) -> str:
        return "" if self._source.is_file() else name

    def _work(self, job: _Job) -> Tuple[Part, bool]:
        """The job's part, and whether an earlier run made it."""
        if job.records is None:
            with self._source.open(self._name_at_source(job.name)) as file:
                size, sha256 = size_and_sha256(file)
            job = job._replace(size=size, sha256=sha256)
        part = self._earlier.get((job.name, job.number, job.sha256))
        if part is not None and self._target.sha256(part.path) == (part.stored_size, part.stored_sha256):
            self._progress.add_bytes(part.size, worked=False)
            return part, True
        return self._make(job), False

    def _make(self, job: _Job) -> Part:
        groups = job.records.groups(self._plan.group) if job.records is not None else []
        with self._target.put(job.path) as out:
            hashed = _Hashing(out)
            with _file.SmllFile(cast(IO[bytes], hashed), "wb", compressor=self._compressor) as archive:
                if job.records is not None:
                    for group in groups:
                        archive.write(group)
                        archive.flush()
                        self._workers.advance(len(group))
                else:
                    job = self._copy(job, archive)
        return Part(
            job.path, job.size, job.sha256, hashed.size, hashed.digest.hexdigest(),
            tuple(map(len, groups)), len(job.records.lines) if job.records is not None else 0,
        )  # fmt: skip

    def _copy(self, job: _Job, archive: _file.SmllFile) -> _Job:
        """A whole file; gives what was read this time, whatever it was when it was looked at."""
        digest = hashlib.sha256()
        size = 0
        with self._source.open(self._name_at_source(job.name)) as file:
            while data := file.read(_READ_SIZE):
                digest.update(data)
                size += len(data)
                archive.write(data)
                self._workers.advance(len(data))
        return job._replace(size=size, sha256=digest.hexdigest())

    def _done(self, job: _Job, result: Union[Tuple[Part, bool], Exception]) -> None:
        if isinstance(result, Exception):
            self._sources.fail(job.name, result)
            return
        part, kept = result
        self._parts += 1
        self._kept += kept
        self._sources.add(job.name, job.number, part)
        if job.records is None:
            self._sources.end(job.name, 1, part.size, part.sha256)
        if not kept:
            self._journal.add(job.name, job.number, part)
        self._progress.add_items(len(job.records.lines) if job.records is not None else 1)

    def _manifest(self, before: Optional[Manifest]) -> Manifest:
        sources = dict(before.sources) if before else {}
        for name in self._sources.failures:
            sources.pop(name, None)  # some of its archives may be new ones
        sources.update((source.name, source) for source in self._sources.done())
        return Manifest(self._header, sources)

    def _remove_stale(self, before: Optional[Manifest], manifest: Manifest) -> None:
        """Archives of sources that have changed and have fewer parts now."""
        kept = {part.path for source in manifest.sources.values() for part in source.parts}
        for source in before.sources.values() if before else ():
            if source.name in manifest.sources:
                for part in source.parts:
                    if part.path not in kept:
                        self._target.remove(part.path)

    def _summary(self, manifest: Manifest, names: "set[str]") -> Summary:
        sources = [source for source in manifest.sources.values() if source.name in names]
        return Summary.of(sources, self._parts, self._kept, self._sources.failures)


class _Hashing(io.RawIOBase):
    """Writes to a file and keeps size and checksum of what it was given."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._out.write(data)
        self.digest.update(data)
        size = memoryview(data).nbytes
        self.size += size
        return size


def _check(plan: Plan, jobs: int) -> None:
    if plan.records not in ("files", "lines", "parquet"):
        raise ValueError(f'records must be "files", "lines" or "parquet", not {plan.records!r}')
    if (plan.records == "parquet") != bool(plan.column):
        raise ValueError("a column is named for the records of Parquet files, and for no others")
    if plan.group < 1 or plan.part_size < 1 or jobs < 1:
        raise ValueError("group, part_size and jobs are 1 or more")


def _header_of(plan: Plan, compressor: Compressor) -> Header:
    settings, experts, _ = compressor._shared
    model = compressor.model if experts not in _WITHOUT_MODEL else None
    dictionary = settings.dictionary if model is not None else None
    records = plan.records != "files"
    return Header(
        records=plan.records,
        column=plan.column,
        group=plan.group if records else 0,
        part_size=plan.part_size if records else 0,
        settings={key: compressor._options[key] for key in _SETTINGS if compressor._options[key] is not None},
        model=model and {"name": model["name"], "fingerprint": f"{model['fingerprint']:016x}"},
        dictionary=None if dictionary is None else {"name": dictionary.name, "identity": f"{dictionary.identity:016x}"},
    )
