"""A reader that had failed could be read on, and then ended as if all had been whole, without the lost bytes; a writer
that had failed could be written on and finished, and made an archive that lacks what was lost."""

import contextlib
import io

import pytest
from conftest import lines

import smll


def compressed(data, size=20_000):
    out = io.BytesIO()
    with smll.open(out, "wb", compressor=smll.Compressor(level=1)) as file:
        for at in range(0, len(data), size):
            file.write(data[at : at + size])
            file.flush()
    return out.getvalue()


def error_of(work):
    with pytest.raises(smll.Error) as caught:
        work()
    return caught.value.kind, str(caught.value)


def test_every_later_read_gives_the_same_error(cache):
    archive = bytearray(compressed(lines(200_000)))
    archive[len(archive) // 2] ^= 1
    file = smll.open(io.BytesIO(bytes(archive)), compressor=smll.Compressor(level=1))
    first = error_of(lambda: [file.read1(1000) for _ in range(300)])
    assert first[0] == "data" and "frame" in first[1]
    for read in (lambda: file.read(), lambda: file.read1(10), lambda: file.readline()):
        assert error_of(read) == first


class Fails(io.RawIOBase):
    """Fails once, at the n-th call, and works again afterwards."""

    def __init__(self, data=b"", at=2):
        self.data, self.out, self.calls, self.at = io.BytesIO(data), bytearray(), 0, at

    def readable(self):
        return True

    def writable(self):
        return True

    def count(self):
        self.calls += 1
        if self.calls == self.at:
            raise OSError(5, "the cable fell out")

    def read(self, size=-1):
        self.count()
        return self.data.read(min(size, 1000))

    def write(self, data):
        self.count()
        self.out += data
        return len(data)


def read_on(file):
    for _ in range(300):
        assert file.read1(1000), "the file ended"


def test_what_the_source_raised_stays_too(cache):
    source = Fails(compressed(lines(200_000)), at=30)
    file = smll.open(source, compressor=smll.Compressor(level=1))
    with pytest.raises(OSError, match="the cable fell out"):
        read_on(file)
    for _ in range(2):
        with pytest.raises((OSError, smll.Error)):
            read_on(file)


def test_a_failed_writer_makes_no_whole_archive(cache):
    sink = Fails(at=5)
    file = smll.open(sink, "wb", compressor=smll.Compressor(level=1))

    def work():
        for _ in range(100):
            file.write(lines(3000))
            file.flush()

    with pytest.raises(OSError, match="the cable fell out"):
        work()
    for call in (work, lambda: file.write(b"more"), file.flush):
        with pytest.raises((OSError, smll.Error)):
            call()
    with contextlib.suppress(OSError, smll.Error):
        file.close()
    with pytest.raises(smll.Error):
        smll.open(io.BytesIO(bytes(sink.out)), compressor=smll.Compressor(level=1)).read()
