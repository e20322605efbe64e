"""Files, as gzip and bz2 have them."""

from __future__ import annotations

import io
import os
from typing import IO, Any, Literal, Optional, Union, cast, overload

from . import _smll
from ._compressor import Compressor

_READ_SIZE = 256 * 1024

_BinaryMode = Literal["r", "rb", "w", "wb", "x", "xb", "a", "ab"]
_TextMode = Literal["rt", "wt", "xt", "at"]

# A path, or an object with read() or write().
FileLike = Union[str, bytes, "os.PathLike[str]", IO[bytes]]


class _RawReader(io.RawIOBase):
    def __init__(self, reader: _smll.Reader) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._reader.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class SmllFile(io.BufferedIOBase):
    """A binary file whose content is compressed on the way.

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
    ) -> None:
        self._writer: Optional[_smll.Writer] = None
        self._buffer: Optional[io.BufferedReader] = None
        self._owned: Optional[IO[bytes]] = None
        kind = mode.replace("b", "")
        if kind not in ("r", "w", "x", "a"):
            raise ValueError(f"invalid mode: {mode!r}")
        self._compressor = compressor if compressor is not None else Compressor(level=level)
        if isinstance(file, (str, bytes, os.PathLike)):
            file = self._owned = io.open(file, kind + "b")
        self._file = file
        if kind == "r":
            raw = _RawReader(_smll.Reader(self._compressor._model, file))
            self._buffer = io.BufferedReader(raw, _READ_SIZE)
        else:
            self._writer = _smll.Writer(
                self._compressor._model, file, self._compressor._experts, self._compressor._lanes
            )

    def readable(self) -> bool:
        self._check_open()
        return self._buffer is not None

    def writable(self) -> bool:
        self._check_open()
        return self._writer is not None

    def read(self, size: Optional[int] = -1) -> bytes:
        return self._reading().read(size)

    def read1(self, size: int = -1) -> bytes:
        return self._reading().read1(size)

    def readinto(self, buffer: Any) -> int:
        return self._reading().readinto(buffer)

    def readline(self, size: Optional[int] = -1) -> bytes:
        return self._reading().readline(-1 if size is None else size)

    def peek(self, size: int = 0) -> bytes:
        return self._reading().peek(size)

    def write(self, data: Any) -> int:
        self._check_open()
        if self._writer is None:
            raise io.UnsupportedOperation("the file was opened for reading")
        view = memoryview(data)
        self._writer.write(view)
        return view.nbytes

    def flush(self) -> None:
        """Make everything written so far readable at the other end; costs a shorter frame."""
        self._check_open()
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self.closed:
            return
        try:
            if self._writer is not None:
                writer, self._writer = self._writer, None
                writer.finish()
        finally:
            self._buffer = None
            try:
                if self._owned is not None:
                    self._owned.close()
            finally:
                # io's own close() would flush, and there is nothing to flush any more.
                super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")

    def _reading(self) -> io.BufferedReader:
        self._check_open()
        if self._buffer is None:
            raise io.UnsupportedOperation("the file was opened for writing")
        return self._buffer


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
) -> Union[SmllFile, io.TextIOWrapper]:
    """Open a compressed file in binary ("rb", "wb", "ab", "xb") or text ("rt", "wt", ...) mode."""
    if "t" in mode and "b" in mode:
        raise ValueError(f"invalid mode: {mode!r}")
    if "t" not in mode and (encoding or errors or newline is not None):
        raise ValueError("encoding, errors and newline are for text mode")
    binary = SmllFile(file, mode.replace("t", ""), compressor=compressor, level=level)
    if "t" not in mode:
        return binary
    # A file of another's making may have no name; TextIOWrapper asks for it when it is printed, and no sooner.
    return io.TextIOWrapper(cast(Any, binary), encoding or "utf-8", errors, newline)
