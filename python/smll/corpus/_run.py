"""Jobs of a run: several at once, each with its own result or error."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Sequence, TypeVar, Union

from .._smll import Error
from ._manifest import Source
from ._progress import Progress

Job = TypeVar("Job")
Result = TypeVar("Result")

DEFAULT_JOBS = 16


class Failure(NamedTuple):
    """A file that could not be done, and why."""

    name: str
    error: BaseException


class Summary(NamedTuple):
    """What came of a run.

    Attributes:
        sources: files whose content is, or was, compressed.
        records: of them; 0 where whole files are compressed.
        size: of the sources, bytes.
        stored_size: of their archives, bytes.
        parts: archives.
        kept: of these, what earlier runs had done.
        failures: the files that are not among the sources.
    """

    sources: int
    records: int
    size: int
    stored_size: int
    parts: int
    kept: int
    failures: List[Failure]

    @classmethod
    def of(cls, sources: Sequence[Source], parts: int, kept: int, failures: Mapping[str, BaseException]) -> "Summary":
        return cls(
            sources=len(sources),
            records=sum(source.records for source in sources),
            size=sum(source.size for source in sources),
            stored_size=sum(source.stored_size for source in sources),
            parts=parts,
            kept=kept,
            failures=[Failure(*failure) for failure in failures.items()],
        )


class _Stopped(BaseException):
    """Ends a job of a run that was ended."""


class Workers:
    """Threads that do jobs. The texts of all of them meet in one model's lanes, so that more jobs than cores are faster."""

    def __init__(self, count: int, progress: Progress) -> None:
        self._count = count
        self._progress = progress
        self._stop = threading.Event()

    def advance(self, size: int) -> None:
        """Tells that a job has done so many bytes more. Raises in a job of a run that has ended."""
        if self._stop.is_set():
            raise _Stopped
        self._progress.add_bytes(size)

    def run(
        self,
        jobs: Iterable[Job],
        work: Callable[[Job], Result],
        done: Callable[[Job, Union[Result, Exception]], object],
    ) -> None:
        """Calls `work` for each job, in any thread, and `done` with what comes of it, in this one. Takes few more jobs than
        are at work. A model that is missing ends it, as does what `jobs` and `done` raise."""
        pool = concurrent.futures.ThreadPoolExecutor(self._count, "smll-corpus")
        at_work: Dict["concurrent.futures.Future[Result]", Job] = {}
        try:
            for job in jobs:
                at_work[pool.submit(work, job)] = job
                if len(at_work) >= 2 * self._count:
                    self._take(at_work, done)
            while at_work:
                self._take(at_work, done)
        except BaseException:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    @staticmethod
    def _take(
        at_work: Dict["concurrent.futures.Future[Result]", Job],
        done: Callable[[Job, Union[Result, Exception]], object],
    ) -> None:
        finished, _ = concurrent.futures.wait(at_work, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in finished:
            job = at_work.pop(future)
            try:
                result: Union[Result, Exception] = future.result()
            except Exception as error:
                if isinstance(error, Error) and error.kind == "model":
                    raise
                result = error
            done(job, result)
