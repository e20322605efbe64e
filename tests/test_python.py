"""The Python package: texts, files, threads, errors."""

import gzip
import io
import threading

import pytest
from conftest import INPUTS, lines, noise

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


@pytest.fixture(scope="module")
def compressor(test_model):
    return smll.Compressor(test_model, threads=1)


@pytest.mark.parametrize("name", INPUTS)
def test_bytes(compressor, name):
    packed = compressor.compress(INPUTS[name])
    assert compressor.decompress_bytes(packed) == INPUTS[name]
    assert len(packed) <= len(INPUTS[name]) + 4


@pytest.mark.parametrize("text", ["", "plain", "😀 שלום", "lone \ud800 surrogate", "nul \0 nul"])
def test_text(compressor, text):
    packed = compressor.compress(text)
    assert isinstance(packed, bytes)
    assert compressor.decompress(packed) == text


def test_other_bytes_like_objects(compressor):
    for data in (bytearray(b"abc"), memoryview(b"abc")):
        assert compressor.decompress_bytes(compressor.compress(data)) == b"abc"
    with pytest.raises(TypeError):
        compressor.compress(3)
    with pytest.raises(UnicodeDecodeError):
        compressor.decompress(compressor.compress(b"\xff\xfe"))


def test_large_data_becomes_a_file(cache):
    fast = smll.Compressor(level=1)
    data = lines(100_000)
    packed = fast.compress(data)
    assert packed[:3] == b"\xf3ml"
    assert fast.decompress_bytes(packed) == data
    with pytest.raises(smll.Error) as caught:
        fast.decompress_bytes(packed, max_bytes=1000)
    assert caught.value.kind == "memory"


@pytest.mark.parametrize("data", [noise(50), b"ab" * 700, lines(900)], ids=["stored", "zstd", "other"])
@pytest.mark.parametrize("experts", ["all", "llm", "cm"])
def test_small_data_above_the_limit_is_refused(test_model, data, experts):
    compressor = smll.Compressor(test_model, experts=experts)
    packed = compressor.compress(data)
    assert compressor.decompress_bytes(packed, max_bytes=len(data)) == data
    with pytest.raises(smll.Error) as caught:
        compressor.decompress_bytes(packed, max_bytes=len(data) - 1)
    assert caught.value.kind == "memory"


def test_sizes_around_the_compact_limit(cache):
    compressor = smll.Compressor(level=1)
    for size in (65_535, 65_536):
        data = lines(size)
        assert compressor.decompress_bytes(compressor.compress(data)) == data


def test_context_manager(test_model):
    with smll.Compressor(test_model) as compressor:
        assert compressor.decompress(compressor.compress("text")) == "text"
    with pytest.raises(ValueError):
        compressor.compress("text")


def test_errors(compressor, other_model, tmp_path):
    for data in (b"", b"x", b"hello", b"\xf3ml", b"\xf3ml\x81\x00"):
        with pytest.raises(smll.Error) as caught:
            compressor.decompress(data)
        assert caught.value.kind == "data"
    with pytest.raises(smll.Error) as caught:
        smll.Compressor(tmp_path / "none.gguf")
    assert caught.value.kind == "model"
    for wrong in ({"level": 0}, {"backend": "none"}, {"experts": "none"}):
        with pytest.raises(smll.Error):
            smll.Compressor(**wrong)


def test_another_models_text_is_refused(compressor, other_model):
    other = smll.Compressor(other_model, experts="llm", threads=1)
    refused = 0
    for seed in range(40):
        packed = other.compress(lines(30, seed))
        if packed[0] >> 4 & 7 < 4:
            continue  # stored: these random models compress hardly anything
        with pytest.raises(smll.Error):
            compressor.decompress_bytes(packed)
        refused += 1
    assert refused > 0


def test_from_pretrained(test_model, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    names = ["README.md", "a-q4.gguf", "a-q8.gguf"]
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda repo: names)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repo, name: test_model)
    compressor = smll.Compressor.from_pretrained("owner/a", "*q8.gguf")
    assert compressor.decompress(compressor.compress("text")) == "text"
    assert smll.Compressor.from_pretrained("owner/a", "a-q4.gguf").model["path"] == test_model
    with pytest.raises(ValueError):
        smll.Compressor.from_pretrained("owner/a", "*.gguf")
    with pytest.raises(ValueError):
        smll.Compressor.from_pretrained("owner/a", "*q2.gguf")


def test_threads(compressor):
    texts = [lines(200, seed) for seed in range(8)]
    results = [None] * len(texts)

    def work(i):
        results[i] = compressor.decompress_bytes(compressor.compress(texts[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == texts


def test_the_interpreter_is_free_meanwhile():
    fast = smll.Compressor(level=2)
    ticks = 0
    done = threading.Event()
    worker = threading.Thread(target=lambda: (fast.compress(lines(40_000)), done.set()))
    worker.start()
    while not done.wait(0.005):
        ticks += 1
    worker.join()
    assert ticks > 2


def test_open(tmp_path):
    path = tmp_path / "f.smll"
    with smll.open(path, "wb", level=1) as file:
        file.write(b"one\n")
        file.flush()
        file.write(b"two\n")
    with smll.open(path, "ab", level=1) as file:
        file.write(b"three\n")
    with smll.open(path) as file:
        assert file.readline() == b"one\n"
        assert list(file) == [b"two\n", b"three\n"]
        assert file.read() == b""
    with smll.open(path, "wt", encoding="utf-8", level=1) as file:
        file.write("é\nü\n")
    with smll.open(path, "rt", encoding="utf-8") as file:
        assert file.read().splitlines() == ["é", "ü"]
    with pytest.raises(FileExistsError):
        smll.open(path, "xb")
    with pytest.raises(ValueError):
        smll.open(path, "rw")
    with smll.open(path) as file, pytest.raises(io.UnsupportedOperation):
        file.write(b"x")


def test_open_takes_file_objects():
    stream = io.BytesIO()
    with smll.open(stream, "wb", level=1) as file:
        file.write(lines(10_000))
    stream.seek(0)
    assert smll.open(stream).read() == lines(10_000)
    broken = io.BytesIO(stream.getvalue()[:-1])
    with pytest.raises(smll.Error):
        smll.open(broken).read()

    class Angry(io.RawIOBase):
        def readable(self):
            return True

        def read(self, size=-1):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        smll.open(Angry()).read()


def test_fsspec(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    path = str(tmp_path / "f.txt.smll")
    with fsspec.open(path, "wb", compression="smll") as file:
        file.write(b"through fsspec")
    with fsspec.open(path, "rb", compression="infer") as file:
        assert file.read() == b"through fsspec"


def test_interface_is_gzips(tmp_path):
    """Code written for gzip.GzipFile finds what it uses."""
    used = "close closed fileno flush isatty read read1 readable readinto readline readlines seekable tell writable write"
    with smll.open(tmp_path / "f", "wb", level=1) as ours, gzip.open(tmp_path / "g", "wb") as theirs:
        for name in used.split():
            assert hasattr(theirs, name) <= hasattr(ours, name), name


@pytest.mark.real_model
def test_default_model(real_model):
    text = "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife."
    packed = smll.compress(text)
    assert smll.decompress(packed) == text
    assert len(packed) <= 17
