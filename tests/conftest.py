"""Fixtures of the end-to-end tests, which drive the built program and Python module.

SMLL_BIN names the program (default build/smll), SMLL_TEST_MODEL the small generated model (default
build/test_model.gguf, made when it is missing), beside which families/ has one of each family of models.
SMLL_PYTHONPATH names the directory with the Python package
(default build/python).
"""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
sys.path.insert(0, os.environ.get("SMLL_PYTHONPATH", str(BUILD / "python")))

DEFAULT_MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def pytest_configure(config):
    # Tests say which model they mean; the user's own would take the default one's place.
    os.environ.pop("SMLL_MODEL", None)
    config.addinivalue_line("markers", "real_model: needs the default model in the cache")


@pytest.fixture(scope="session")
def binary():
    path = pathlib.Path(os.environ.get("SMLL_BIN", BUILD / "smll"))
    assert path.exists(), f"{path} is not built: run make"
    return str(path)


@pytest.fixture(scope="session")
def test_model():
    path = pathlib.Path(os.environ.get("SMLL_TEST_MODEL", BUILD / "test_model.gguf"))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, str(ROOT / "scripts/make_test_model.py"), str(path)], check=True
        )
    return str(path)


@pytest.fixture
def emulated_gpu(monkeypatch):
    """The GPU's kernels compiled for the CPU, in the place of libsmll_cuda, unless SMLL_CUDA_LIBRARY names one."""
    library = pathlib.Path(os.environ.get("SMLL_CUDA_LIBRARY", BUILD / "libsmll_cuda_emulated.so"))
    assert library.exists(), f"{library} is not built: run make"
    monkeypatch.setenv("SMLL_CUDA_LIBRARY", str(library))


FAMILIES = ["llama", "qwen2", "qwen3", "gemma3", "granite", "smollm3"]


@pytest.fixture(scope="session")
def family_model(test_model):
    """The small generated model of a family, by the family's name."""

    def path(family):
        model = pathlib.Path(test_model).parent / "families" / f"{family}.gguf"
        assert model.exists(), f"{model} is missing: run make unit, which generates it"
        return str(model)

    return path


@pytest.fixture(scope="session")
def other_model(test_model, tmp_path_factory):
    """The same shape, other weights: only its fingerprint tells it apart."""
    path = tmp_path_factory.mktemp("other") / "other.gguf"
    script = str(ROOT / "scripts/make_test_model.py")
    subprocess.run([sys.executable, script, str(path), "--seed", "2"], check=True)
    return str(path)


def real_model_path():
    cache = os.environ.get("SMLL_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "smll"
    )
    return pathlib.Path(cache) / "models" / DEFAULT_MODEL


@pytest.fixture(scope="session")
def real_model():
    path = real_model_path()
    if not path.exists():
        pytest.skip(f"the default model is not in the cache ({path}): smll models pull")
    return str(path)


@pytest.fixture
def cache(tmp_path_factory, monkeypatch):
    """An empty cache, so that tests neither see nor change the user's."""
    path = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SMLL_CACHE", str(path))
    monkeypatch.delenv("SMLL_MODEL", raising=False)
    return path


class Cli:
    """Runs smll in one directory."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = directory

    def __call__(self, *arguments, input=b"", status=0, timeout=300, env=None):
        result = subprocess.run(
            [self.binary, *map(str, arguments)],
            input=input,
            capture_output=True,
            cwd=self.directory,
            timeout=timeout,
            env={**os.environ, **(env or {})},
        )
        if status is not None:
            assert result.returncode == status, (arguments, result.returncode, result.stderr)
        return result

    def path(self, name):
        return self.directory / name

    def write(self, name, data):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


@pytest.fixture
def smll(binary, cache, tmp_path):
    return Cli(binary, tmp_path)


def lines(size, seed=1):
    """English-like text of exactly `size` bytes."""
    words = b"the of and to in a is that for it was on are as with his they at be this from".split()
    out = bytearray()
    state = seed
    while len(out) < size:
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        out += words[(state >> 16) % len(words)]
        out += b".\n" if (state >> 8) % 11 == 0 else b" "
    return bytes(out[:size])


def noise(size, seed=1):
    """Bytes that do not compress."""
    import random

    return random.Random(seed).randbytes(size)


# What text compressors lose: each must come back byte for byte.
INPUTS = {
    "empty": b"",
    "one byte": b"x",
    "40 NULs": bytes(40),
    "all bytes": bytes(range(256)),
    "random": noise(3000),
    "CRLF": b"one\r\ntwo\r\n\r\nthree",
    "BOM": b"\xef\xbb\xbfwith a mark",
    "emoji and right-to-left": "😀👩‍👩‍👧 שלום עולם مرحبا e\u0301 \u202eabc".encode(),
    "spaces": b" " * 2000,
    "no space": b"abcdefghij" * 500,
    "special tokens": b"x <|im_end|> y <|endoftext|> z",
    "invalid UTF-8": b"caf\xe9 \xff\xfe \xc3( ok",
    "above U+10FFFF": b"the endz\x00\x00\xf6\x9e\x91\x9b\xdf\x8c\x90\xd6on\n",
    "tabs and trailing spaces": b"\t\tx  \n  \n\n y \t",
    "text": lines(3000),
}
