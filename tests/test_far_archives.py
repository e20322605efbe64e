"""Parts of archives that are far away: only the index and the frames of a range are fetched."""

import io
import threading

import pytest
from conftest import noise
from web import serving

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")

FRAMES = 60
SIZE = 20_000  # of a frame's data, which does not compress


@pytest.fixture(scope="module")
def compressor(test_model):
    return smll.Compressor(test_model, level=1, threads=1)


@pytest.fixture(scope="module")
def data():
    return noise(FRAMES * SIZE)


@pytest.fixture(scope="module")
def archive(compressor, data):
    packed = io.BytesIO()
    with smll.open(packed, "wb", compressor=compressor) as file:
        for start in range(0, len(data), SIZE):
            file.write(data[start : start + SIZE])
            file.flush()
    return packed.getvalue()


class Counted(io.BytesIO):
    taken = 0

    def read(self, size=-1):
        part = super().read(size)
        self.taken += len(part)
        return part


def test_frames_come_from_the_index(archive, compressor):
    stored = Counted(archive)
    with smll.open(stored, compressor=compressor) as file:
        assert file.frames() == [(i * SIZE, SIZE) for i in range(FRAMES)]
    assert stored.taken < 3000


@pytest.mark.parametrize("start", [0, 1, SIZE - 1, 30 * SIZE, FRAMES * SIZE - 10, FRAMES * SIZE, 10**15])
def test_reading_at_a_place_takes_its_frames_alone(archive, compressor, data, start):
    stored = Counted(archive)
    with smll.open(stored, compressor=compressor) as file:
        assert file.read_at(start, 100) == data[start : start + 100]
        assert file.tell() == 0
        if start < len(data):
            assert stored.taken < 3 * SIZE + 10_000
        assert file.read(5) == data[:5]  # and changes nothing for what reads on
        file.seek(-7, io.SEEK_END)
        assert file.read_at(5, 3) == data[5:8]
        assert file.read() == data[-7:]


def test_seeking_takes_the_index_and_not_all_headers(archive, compressor, data):
    stored = Counted(archive)
    with smll.open(stored, compressor=compressor) as file:
        file.seek(59 * SIZE)
        assert stored.taken < 3000
        assert file.read(10) == data[59 * SIZE : 59 * SIZE + 10]


def test_what_cannot_be_read_at_a_place(archive, compressor):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    for file in (smll.open(Pipe(archive), compressor=compressor), smll.open(io.BytesIO(), "wb", compressor=compressor)):
        for call in (lambda: file.read_at(0, 1), file.frames):
            with pytest.raises(io.UnsupportedOperation):
                call()
        file.close()
        with pytest.raises(ValueError):
            file.read_at(0, 1)
    with pytest.raises(ValueError):
        smll.open(io.BytesIO(archive), compressor=compressor).read_at(-1, 1)


def test_several_threads_read_at_places(archive, compressor, data):
    wrong = []
    with smll.open(io.BytesIO(archive), compressor=compressor) as file:
        def read(seed):
            for i in range(20):
                start = (seed * 7919 + i * 104729) % (len(data) - 50)
                if file.read_at(start, 50) != data[start : start + 50]:
                    wrong.append(start)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        read_on = file.read()
        for thread in threads:
            thread.join()
    assert wrong == [] and read_on == data


def test_a_call_from_within_a_call_raises(archive, compressor):
    class Nosy(io.BytesIO):
        file = None

        def read(self, size=-1):
            if self.file is not None:
                self.file.read_at(0, 1)
            return super().read(size)

    stored = Nosy(archive)
    with smll.open(stored, compressor=compressor) as file:
        stored.file = file
        with pytest.raises(RuntimeError, match="in use"):
            file.read_at(0, 1)
        stored.file = None
        assert len(file.read_at(0, 3)) == 3


def test_over_http(archive, compressor, data, tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: no test over HTTP")
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: no test over HTTP")
    (tmp_path / "noise.smll").write_bytes(archive)
    with serving(tmp_path) as server:
        with fsspec.open(f"{server.url}/noise.smll", block_size=16384) as far, smll.open(far, compressor=compressor) as file:
            start, size = file.frames()[41]
            assert file.read_at(start, size) == data[start : start + size]
        served = [size for path, size in server.served if path == "/noise.smll"]
    assert sum(served) < len(archive) / 8


def test_a_record_of_a_corpus_over_http(compressor, tmp_path):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: no test over HTTP")
    from smll import corpus

    lines = [noise(900, seed=i).hex().encode() + b"\n" for i in range(300)]
    (tmp_path / "log").write_bytes(b"".join(lines))
    corpus.compress(str(tmp_path / "log"), str(tmp_path / "corpus"), plan=corpus.Plan("lines"), compressor=compressor)
    with serving(tmp_path) as server:
        log = corpus.Corpus(f"{server.url}/corpus", compressor=compressor)
        for number in (0, 150, 299):
            server.served.clear()
            assert log.record("log", number) == lines[number]
            assert sum(size for _, size in server.served) < (tmp_path / "corpus/log/00000.smll").stat().st_size / 3
