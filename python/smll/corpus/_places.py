"""Places that hold files: directories and buckets, at paths and fsspec URLs."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from typing import IO, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ._errors import Refused, Unfit

# What a run keeps in its target while it is at work.
STATE = ".smll-corpus"
# A file of these appears when it is closed, whole; elsewhere it grows, and gets its name when it is whole.
_APPEAR_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"}
_COPY_SIZE = 1 << 20


class Found(NamedTuple):
    """A file of a place, by its name there: a relative path with slashes."""

    name: str
    size: int


def check_name(name: str) -> str:
    """Refuses a name that would lead out of its place, or into what is kept beside files."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name or parts[0] == STATE:
        raise Unfit("its name is none of a file below a directory")
    return name


class Place:
    """A directory, or one file, at a path or fsspec URL."""

    def __init__(self, url: "str | os.PathLike[str]") -> None:
        try:
            from fsspec import filesystem
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise Refused("corpora need the package fsspec: pip install 'smll[corpus]'") from error
        self.url = os.fspath(url)
        self.root: str
        if "://" in self.url:
            try:
                self.fs, root = url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                raise Refused(f"{self.url}: {error}") from error
            self.root = root.rstrip("/")
        else:  # a plain path, which may hold what means something in a URL
            self.fs, self.root = filesystem("file"), os.path.abspath(self.url)
        protocol = self.fs.protocol
        self.protocols: Tuple[str, ...] = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        self.is_local = "file" in self.protocols

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def is_file(self) -> bool:
        return bool(self.fs.isfile(self.root))

    def files(self, passed_over: Callable[[str], object] = lambda name: None) -> List[Found]:
        """All files, by name; the place's own, by its last part, where it is one. Tells what is neither file nor
        directory, links among them."""
        if self.is_file():
            return [Found(self.root.rsplit("/", 1)[-1], int(self.fs.size(self.root)))]
        if self.is_local:
            found = list(self._local_files(passed_over))
        else:
            found = self._remote_files()
        return sorted(each for each in found if each.name.split("/")[0] != STATE)

    def _local_files(self, passed_over: Callable[[str], object]) -> Iterator[Found]:
        def fail(error: OSError) -> None:
            raise error

        if not os.path.isdir(self.root):
            return
        for directory, directories, names in os.walk(self.root, onerror=fail):
            for name in [*directories, *names]:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                shown = os.path.relpath(path, self.root)
                if stat.S_ISREG(status.st_mode):
                    yield Found(shown, status.st_size)
                elif not stat.S_ISDIR(status.st_mode):
                    passed_over(shown)

    def _remote_files(self) -> List[Found]:
        self.fs.invalidate_cache()
        try:
            listing: Dict[str, Dict[str, Any]] = self.fs.find(self.root, detail=True)
        except FileNotFoundError:
            listing = {}
        begin = self.root + "/" if self.root else ""
        return [
            Found(path[len(begin) :], int(info["size"] or 0))
            for path, info in listing.items()
            if info["type"] == "file" and path.startswith(begin) and not path.endswith("/")
        ]

    def open(self, name: str, **options: Any) -> IO[bytes]:
        file: IO[bytes] = self.fs.open(self.path(name), "rb", **options)
        return file

    def read(self, name: str) -> Optional[bytes]:
        """A file's bytes; None where there is none."""
        try:
            with self.open(name) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def sha256(self, name: str) -> Optional[Tuple[int, str]]:
        """A file's size and checksum; None where there is none."""
        try:
            with self.open(name) as file:
                return size_and_sha256(file)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self.path(name)))

    @contextlib.contextmanager
    def put(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write to, which gets its name once it is whole. What raises in the block leaves nothing."""
        if self.is_local:
            with self._put_locally(self.path(name)) as file:
                yield file
            return
        # A writer of fsspec's may put in place what it has when it is closed, be it whole or not.
        with tempfile.TemporaryFile() as whole:
            yield whole
            whole.seek(0)
            self._upload(whole, self.path(name))

    @contextlib.contextmanager
    def _put_locally(self, path: str) -> Iterator[IO[bytes]]:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.makedirs(self.path(STATE), exist_ok=True)
        new = self.path(f"{STATE}/new-{uuid.uuid4().hex}")
        try:
            with open(new, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            raise

    def _upload(self, whole: IO[bytes], path: str) -> None:
        if not _APPEAR_WHOLE.isdisjoint(self.protocols):
            self._write(whole, path)
            return
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        self.fs.makedirs(self.path(STATE), exist_ok=True)
        new = self.path(f"{STATE}/new-{uuid.uuid4().hex}")
        try:
            self._write(whole, new)
            self.fs.mv(new, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self.fs.rm_file(new)
            raise

    def _write(self, whole: IO[bytes], path: str) -> None:
        file = self.fs.open(path, "wb")
        try:
            shutil.copyfileobj(whole, file, _COPY_SIZE)
        except BaseException:
            file.discard()
            file.closed = True
            raise
        file.close()

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def remove_state(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm(self.path(STATE), recursive=True)

    def state_files(self, below: str) -> List[str]:
        """Names of the files in a directory of the state."""
        self.fs.invalidate_cache()
        path = self.path(f"{STATE}/{below}")
        begin = self.root + "/"
        try:
            found = self.fs.find(path)
        except FileNotFoundError:
            return []
        return sorted(each[len(begin) :] for each in found if each.startswith(begin))

    @contextlib.contextmanager
    def only_run(self) -> Iterator[None]:
        """Refuses a second run on a directory of this machine while the first is at work. Two runs on a bucket write the
        same bytes, so that they only do each other's work again."""
        if not self.is_local:
            yield
            return
        path = self.path(f"{STATE}/lock")
        descriptor = self._locked(path)
        try:
            for each in os.listdir(self.path(STATE)):
                if each.startswith("new-"):  # of a run that was killed
                    os.unlink(self.path(f"{STATE}/{each}"))
            yield
        finally:
            os.close(descriptor)

    def _locked(self, path: str) -> int:
        while True:
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except FileNotFoundError:
                continue  # a run that ends has removed the directory in between
            except OSError as error:
                raise Refused(f"{self.url}: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise Refused(f"{self.url}: another run is at work there; wait for it to end") from None
            except FileNotFoundError:
                pass
            os.close(descriptor)  # of a lock that a run which has just ended took away


def check_apart(source: Place, target: Place) -> None:
    """Refuses a target in its source and a source in its target, where files would be taken for what they are not."""
    if source.protocols != target.protocols:
        return
    first, second = (os.path.realpath(each.root) if each.is_local else each.root for each in (source, target))
    if f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/"):
        raise Refused(f"{source.url} and {target.url}: one is in the other; choose places apart from each other")


def size_and_sha256(file: IO[bytes]) -> Tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    while part := file.read(_COPY_SIZE):
        digest.update(part)
        size += len(part)
    return size, digest.hexdigest()
