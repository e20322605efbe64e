"""A file object whose write() or read() called back into the smll file that was using it met a writer in the middle of
its work. Such calls get a RuntimeError, as io's own buffered files give, and the file stays usable."""

import io

import pytest

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")

DATA = bytes(range(256)) * 40


class Calls(io.BytesIO):
    """Calls `inner` once when it is used."""

    inner = None

    def call(self):
        inner, self.inner = self.inner, None
        if inner:
            with pytest.raises(RuntimeError, match="reentrant"):
                inner()

    def write(self, data):
        self.call()
        return super().write(data)

    def read(self, size=-1):
        self.call()
        return super().read(size)


@pytest.mark.parametrize("inner", ["write", "flush", "close", "seek"])
@pytest.mark.parametrize("outer", ["flush", "close"])
def test_writing(inner, outer):
    stream = Calls()
    file = smll.open(stream, "wb", level=1)
    file.write(DATA)
    stream.inner = {
        "write": lambda: file.write(b"x"), "flush": file.flush, "close": file.close, "seek": lambda: file.seek(10**6),
    }[inner]
    getattr(file, outer)()
    assert stream.inner is None
    file.close()
    assert smll.decompress_bytes(stream.getvalue()) == DATA


@pytest.mark.parametrize("inner", ["read", "seek", "peek", "readline"])
def test_reading(inner):
    packed = io.BytesIO()
    with smll.open(packed, "wb", level=1) as file:
        file.write(DATA)
    stream = Calls(packed.getvalue())
    file = smll.open(stream)
    stream.inner = {"read": file.read, "seek": lambda: file.seek(5000), "peek": file.peek, "readline": file.readline}[inner]
    assert file.read() == DATA
    assert stream.inner is None


def test_a_file_that_reads_itself():
    class Itself(io.RawIOBase):
        def readable(self):
            return True

        def read(self, size=-1):
            return file.read(size)

    file = smll.open(Itself())
    with pytest.raises(RuntimeError):
        file.read()
