"""Files, as gzip and bz2 have them."""

from __future__ import annotations

import io
import os
import threading
from typing import IO, Any, List, Literal, NoReturn, Optional, Tuple, Union, cast, overload

from . import _smll
from ._compressor import Compressor
from ._dictionary import Dictionary
from ._engine import Engine, Limits, keep

_READ_SIZE = 256 * 1024
# To go farther than this, the frames between are passed over.
_FAR = 1024 * 1024

_BinaryMode = Literal["r", "rb", "w", "wb", "x", "xb", "a", "ab"]
_TextMode = Literal["rt", "wt", "xt", "at"]

# A path, or an object with read() or write().
FileLike = Union[str, bytes, "os.PathLike[str]", IO[bytes]]


class _OneCall:
    """Calls of several threads wait for each other; one from within another raises RuntimeError."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: Optional[int] = None

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError("the file is in use by a call that this one comes from")
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()


class _RawReader(io.RawIOBase):
    """The uncompressed bytes of a file, from its position on."""

    def __init__(self, engine: Engine, file: IO[bytes], limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._file = file
        self._seekable = bool(file.seekable()) if hasattr(file, "seekable") else False
        self._begin = file.tell() if self._seekable else 0
        self._position = 0
        self._one_call = _OneCall()
        self._reader: Optional[_smll.Reader] = engine.reader(file, 0, limits)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        with self._one_call:
            return self._read_on(buffer)

    def _read_on(self, buffer: Any) -> int:
        if self._reader is None:
            self._file.seek(self._begin)
            self._reader = self._engine.reader(self._file, self._position, self._limits)
        try:
            size = self._reader.readinto(buffer)
        except _smll.Error:
            raise  # what is damaged or refused stays so
        except BaseException:
            # What a signal or the file ended can be read again.
            if self._seekable:
                self._reader = None
            raise
        self._position += size
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size: Optional[int] = None
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            size = self._size()
            offset += size
        elif whence != io.SEEK_SET:
            raise ValueError(f"invalid whence: {whence!r}")
        offset = max(0, offset)
        if offset > self._position + _FAR and size is None:
            size = self._size()
        if size is not None or offset < self._position:
            self._reader = None
            self._position = offset if size is None else min(offset, size)
        while self._position < offset and self.read(min(offset - self._position, _READ_SIZE)):
            pass
        return self._position

    def read_at(self, start: int, size: int) -> bytes:
        result = bytearray()
        buffer = bytearray(min(size, _READ_SIZE))
        with self._one_call:
            reader = self._engine.reader(self._from_begin(), start, self._limits, size)
            while part := reader.readinto(buffer):
                result += memoryview(buffer)[:part]
        return bytes(result)

    def frames(self) -> List[Tuple[int, int]]:
        with self._one_call:
            return _smll.frame_spans(self._from_begin())

    def _size(self) -> int:
        with self._one_call:
            return _smll.raw_size(self._from_begin())

    def _from_begin(self) -> IO[bytes]:
        # The reader in use reads ahead, so that another's moves of the file end it.
        self._reader = None
        self._file.seek(self._begin)
        return self._file


class _Head(io.RawIOBase):
    """The first `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return self._file.seek(self._size + offset)
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), max(0, self._size - self._file.tell())))
        buffer[: len(data)] = data
        return len(data)


class SmllFile(io.BufferedIOBase):
    """A binary file whose content is compressed on the way.

    May be used from several threads, whose calls wait for each other. Positions count uncompressed bytes. Reading
    seeks where the file itself does (a pipe is only read forward) and decodes no more than the frame it comes to and
    what follows; writing seeks forward only, by writing zeros. When a write fails or is interrupted, the archive is
    left incomplete: later writes and close(), which closes all the same, raise what it raised.

    Args:
        file: a path, or an object with read() or write().
        mode: "r", "w", "x" or "a", each with or without "b". Appending adds another archive, which readers
            take as one with the first.
        compressor: whose model and settings to use; by default those of `level`.
        level: 1 to 9, see `Compressor`.
    """

    def __init__(
        self,
        file: FileLike,
        mode: str = "rb",
        *,
        compressor: Optional[Compressor] = None,
        level: int = 6,
        dictionary: Union[Dictionary, str, "os.PathLike[str]", None] = None,
    ) -> None:
        self._writer: Optional[_smll.Writer] = None
        self._buffer: Optional[io.BufferedReader] = None
        self._owned: Optional[IO[bytes]] = None
        kind = mode.replace("b", "", 1)
        if kind not in ("r", "w", "x", "a"):
            raise ValueError(f"invalid mode: {mode!r}")
        if compressor is not None and dictionary is not None:
            raise ValueError("a compressor has its dictionary already")
        if compressor is None:
            compressor = Compressor(level=level, dictionary=dictionary)
            keep(compressor._open_engine())
        engine = compressor._open_engine()
        self._name: Union[str, bytes] = ""
        if isinstance(file, (str, bytes, os.PathLike)):
            self._name = os.fspath(file)
            file = self._owned = io.open(file, kind + "b")
        elif isinstance(getattr(file, "name", None), (str, bytes)):
            self._name = file.name
        self._file = file
        # Where what is written begins; None: not known yet, behind the so many bytes that the file has.
        self._begin: Optional[int] = 0
        self._appended_at = 0
        try:
            if kind == "r":
                self._buffer = io.BufferedReader(_RawReader(engine, file, compressor._limits), _READ_SIZE)
            else:
                self._writer = engine.writer(file)
            if kind == "a" and self._owned is not None:
                self._appended_at = self._owned.tell()
                self._begin = 0 if self._appended_at == 0 else None
        except BaseException:
            if self._owned is not None:
                self._owned.close()
            raise

    @property
    def name(self) -> Union[str, bytes]:
        """The path that was opened, or the file object's name; "" where it has none."""
        return self._name

    @property
    def mode(self) -> str:
        """"rb" or "wb"."""
        return "wb" if self._buffer is None else "rb"

    def readable(self) -> bool:
        self._check_open()
        return self._buffer is not None

    def writable(self) -> bool:
        self._check_open()
        return self._writer is not None

    def seekable(self) -> bool:
        self._check_open()
        return self._buffer is None or self._buffer.seekable()

    def fileno(self) -> int:
        """The compressed file's descriptor."""
        self._check_open()
        if not hasattr(self._file, "fileno"):
            raise io.UnsupportedOperation("the file has no descriptor")
        return self._file.fileno()

    def read(self, size: Optional[int] = -1) -> bytes:
        return self._reading().read(size)

    def read1(self, size: int = -1) -> bytes:
        return self._reading().read1(size)

    def readinto(self, buffer: Any) -> int:
        return self._reading().readinto(buffer)

    def readinto1(self, buffer: Any) -> int:
        return self._reading().readinto1(buffer)

    def readline(self, size: Optional[int] = -1) -> bytes:
        return self._reading().readline(-1 if size is None else size)

    def peek(self, size: int = 0) -> bytes:
        return self._reading().peek(size)

    def write(self, data: Any) -> int:
        return self._writing().write(data)

    def flush(self) -> None:
        """Make everything written so far readable at the other end; costs a shorter frame."""
        self._check_open()
        if self._writer is not None:
            self._writer.flush()

    def tell(self) -> int:
        self._check_open()
        if self._writer is None:
            return self._reading().tell()
        if self._begin is None:
            with io.open(self._name, "rb", 0) as file:
                self._begin = _smll.raw_size(_Head(file, self._appended_at))
        return self._begin + self._writer.tell()

    def frames(self) -> List[Tuple[int, int]]:
        """Start and size of each frame's data, counted in uncompressed bytes, in order. Where every archive of the file
        ends in an index, only that is read.

        Raises:
            io.UnsupportedOperation: the file cannot seek, or is open for writing.
        """
        return self._random().frames()

    def read_at(self, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start` on; the position stays. Decodes the frames that hold them and no others, and
        reads of the file little more than these and its index.

        Raises:
            io.UnsupportedOperation: the file cannot seek, or is open for writing.
        """
        if start < 0 or size < 0:
            raise ValueError("a place and a size are not negative")
        return self._random().read_at(start, size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, which may not be behind the end when reading, and not before the present one when
        writing or when reading what cannot seek itself. Returns the new one."""
        self._check_open()
        if self._writer is None and self._reading().seekable():
            return self._reading().seek(offset, whence)
        here = self.tell()
        if whence == io.SEEK_CUR:
            offset += here
        elif whence != io.SEEK_SET:
            raise io.UnsupportedOperation("the end is not known: only seeking from the start or the position works")
        if offset < here:
            raise io.UnsupportedOperation("the file cannot go back")
        while offset > here:
            part = min(offset - here, _READ_SIZE)
            part = self.write(bytes(part)) if self._writer is not None else len(self.read(part))
            if part == 0:
                break
            here += part
        return here

    def close(self) -> None:
        """End the archive and, where a path was opened, close the file. Closing again does nothing."""
        if self.closed:
            return
        if self._writer is not None:
            self._writer.check_reentry()
        try:
            if self._writer is not None:
                self._writer.finish()
        finally:
            try:
                if self._owned is not None:
                    self._owned.close()
            finally:
                # io's own close() flushes, which does nothing any more.
                super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")

    def _reading(self) -> io.BufferedReader:
        self._check_open()
        if self._buffer is None:
            raise io.UnsupportedOperation("the file was opened for writing")
        return self._buffer

    def _random(self) -> _RawReader:
        if not self._reading().seekable():
            raise io.UnsupportedOperation("the file cannot seek")
        return cast(_RawReader, self._reading().raw)

    def _writing(self) -> _smll.Writer:
        self._check_open()
        if self._writer is None:
            raise io.UnsupportedOperation("the file was opened for reading")
        return self._writer

    def __reduce__(self) -> NoReturn:
        raise TypeError("a file cannot be pickled: pickle its name")


@overload
def open(
    file: FileLike,
    mode: _BinaryMode = ...,
    *,
    encoding: None = ...,
    errors: None = ...,
    newline: None = ...,
    compressor: Optional[Compressor] = ...,
    level: int = ...,
    dictionary: Union[Dictionary, str, "os.PathLike[str]", None] = ...,
) -> SmllFile: ...
@overload
def open(
    file: FileLike,
    mode: _TextMode,
    *,
    encoding: Optional[str] = ...,
    errors: Optional[str] = ...,
    newline: Optional[str] = ...,
    compressor: Optional[Compressor] = ...,
    level: int = ...,
    dictionary: Union[Dictionary, str, "os.PathLike[str]", None] = ...,
) -> io.TextIOWrapper: ...
@overload
def open(
    file: FileLike,
    mode: str,
    *,
    encoding: Optional[str] = ...,
    errors: Optional[str] = ...,
    newline: Optional[str] = ...,
    compressor: Optional[Compressor] = ...,
    level: int = ...,
    dictionary: Union[Dictionary, str, "os.PathLike[str]", None] = ...,
) -> Union[SmllFile, io.TextIOWrapper]: ...
def open(  # noqa: A001 (the name is gzip's)
    file: FileLike,
    mode: str = "rb",
    *,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    newline: Optional[str] = None,
    compressor: Optional[Compressor] = None,
    level: int = 6,
    dictionary: Union[Dictionary, str, "os.PathLike[str]", None] = None,
) -> Union[SmllFile, io.TextIOWrapper]:
    """Open a compressed file in binary ("rb", "wb", "ab", "xb") or text ("rt", "wt", ...) mode."""
    if "t" in mode and "b" in mode:
        raise ValueError(f"invalid mode: {mode!r}")
    if "t" not in mode and (encoding or errors or newline is not None):
        raise ValueError("encoding, errors and newline are for text mode")
    binary = SmllFile(file, mode.replace("t", ""), compressor=compressor, level=level, dictionary=dictionary)
    if "t" not in mode:
        return binary
    # A file of another's making may have no name; TextIOWrapper asks for it when it is printed, and no sooner.
    return io.TextIOWrapper(cast(Any, binary), encoding or "utf-8", errors, newline)
