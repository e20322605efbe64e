"""What a user's file object raises comes out of the smll file that uses it as it is, wrong results get an error that
says so, and close() closes in any case."""

import io

import pytest
from conftest import lines

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


class Mine(Exception):
    pass


class File:
    """Neither io's nor seekable: read() and write() do what they are told."""

    def __init__(self, result=None, error=None):
        self.result, self.error = result, error

    def read(self, size=-1):
        return self.write(size)

    def write(self, data):
        if self.error:
            raise self.error
        return self.result


@pytest.mark.parametrize("error", [Mine("mine"), OSError(28, "full"), KeyboardInterrupt(), ValueError("closed")])
def test_exceptions(error):
    with pytest.raises(type(error)) as caught:
        smll.open(File(error=error), "rb").read()
    assert caught.value is error
    file = smll.open(File(error=error), "wb", level=1)
    file.write(b"some text")
    with pytest.raises(type(error)) as caught:
        file.close()
    assert caught.value is error
    assert file.closed
    file.close()


@pytest.mark.parametrize("result, kind", [(None, smll.Error), ("text", TypeError), (3, TypeError), (b"x" * 10**6, smll.Error)])
def test_reading(result, kind):
    with pytest.raises(kind):
        smll.open(File(result), "rb").read()


@pytest.mark.parametrize(
    "result, kind", [("text", TypeError), (2.5, TypeError), (0, smll.Error), (-1, smll.Error), (10**6, smll.Error), (10**30, OverflowError)]
)
def test_writing(result, kind):
    file = smll.open(File(result), "wb", level=1)
    file.write(b"some text")
    with pytest.raises(kind):
        file.close()
    assert file.closed


def test_raw_files_may_take_less():
    class Raw(io.RawIOBase):
        taken = b""

        def writable(self):
            return True

        def write(self, data):
            if len(self.taken) > 300:
                return None  # it would have to wait
            part = bytes(data)[:7]
            self.taken += part
            return len(part)

    raw = Raw()
    with smll.open(raw, "wb", level=1) as file:
        file.write(b"some text")
    assert smll.decompress_bytes(raw.taken) == b"some text"
    file = smll.open(Raw(), "wb", level=1)
    file.write(lines(10_000))
    with pytest.raises(smll.Error) as caught:
        file.close()
    assert caught.value.kind == "io"


def test_after_a_failed_write():
    """The archive is not ended as if nothing had happened, and what the block raised is what is seen."""
    stream = io.BytesIO()

    class Full(File):
        def write(self, data):
            if len(stream.getvalue()) > 100:
                raise OSError(28, "full")
            return stream.write(data)

    with pytest.raises(OSError, match="full"), smll.open(Full(), "wb", level=1) as file:
        file.write(lines(10_000))
        file.flush()
        file.write(b"x")
        file.flush()
    assert file.closed
    with pytest.raises(smll.Error):
        smll.decompress_bytes(stream.getvalue())

    file = smll.open(Full(), "wb", level=1)
    file.write(b"x")
    with pytest.raises(OSError):
        file.flush()
    for again in (lambda: file.write(b"x"), file.flush):
        with pytest.raises(OSError, match="full"):
            again()
    with pytest.raises(OSError, match="full"):
        file.close()
    assert file.closed


def test_after_a_failed_read():
    """A pipe's error stays: nothing is read as if it were the rest."""
    stream = io.BytesIO()
    with smll.open(stream, "wb", level=1) as file:
        for seed in range(3):
            file.write(lines(300_000, seed))
            file.flush()
    packed = stream.getvalue()

    class Once(io.RawIOBase):
        def __init__(self):
            self.stream, self.reads = io.BytesIO(packed), 0

        def readable(self):
            return True

        def read(self, size=-1):
            self.reads += 1
            if self.reads == 2:
                raise Mine
            return self.stream.read(size)

    file = smll.open(Once())
    with pytest.raises(Mine):
        file.read()
    for _ in range(2):
        with pytest.raises(Mine):
            file.read()


def test_names_that_are_no_utf8(test_model, tmp_path):
    """They come back as os.fsdecode() gives them."""
    path = bytes(tmp_path) + b"/m\xff.gguf"
    with open(test_model, "rb") as source, open(path, "wb") as target:
        target.write(source.read())
    import os

    compressor = smll.Compressor(os.fsdecode(path))
    assert compressor.model_path == os.fsdecode(path)
    with pytest.raises(smll.Error):
        smll.Compressor(os.fsdecode(bytes(tmp_path) + b"/none\xfe.gguf"))


def test_what_was_refused_stays_refused():
    """Reading on after an error is no way past a limit or past damage."""
    stream = io.BytesIO()
    with smll.open(stream, "wb", level=1) as file:
        for seed in range(4):
            file.write(lines(1000, seed))
            file.flush()
    stream.seek(0)
    file = smll.open(stream, compressor=smll.Compressor(level=1, max_bytes=2500))
    for _ in range(3):
        with pytest.raises(smll.Error) as caught:
            file.read()
        assert caught.value.kind == "memory"
