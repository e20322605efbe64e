"""`pool.map(compressor.compress, texts)` loaded the model for every item, and `smll.open` for every file: each item
unpickles a compressor, each file made one. Equal ones share a model now, and it outlives a pool's items."""

import io
import os
import shutil
import pickle
import subprocess
import sys

import pytest
from conftest import lines

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


@pytest.fixture
def made(monkeypatch):
    """The settings of the models that the C++ side was asked for."""
    module = sys.modules["smll._smll"]
    models = []
    real = module.Model

    def make(**settings):
        models.append(settings)
        return real(**settings)

    monkeypatch.setattr(module, "Model", make)
    return models


def test_items_of_a_pool(test_model, made):
    # A window that no other test asks for.
    compressor = smll.Compressor(test_model, threads=1, window=71)
    pickled = pickle.dumps(compressor.compress)
    compressor.close()
    del compressor
    packed = [pickle.loads(pickled)(lines(100, seed)) for seed in range(5)]
    assert len(made) <= 2
    assert smll.Compressor(test_model, threads=1, window=71).decompress_bytes(packed[4]) == lines(100, 4)
    assert len(made) <= 2


def test_files(test_model, made, monkeypatch):
    monkeypatch.setenv("SMLL_MODEL", test_model)
    for _ in range(4):
        stream = io.BytesIO()
        with smll.open(stream, "wb") as file:
            file.write(lines(300))
        stream.seek(0)
        assert smll.open(stream).read() == lines(300)
    assert len(made) == 1


def test_equal_compressors(test_model, made):
    first = smll.Compressor(test_model, threads=1, window=72)
    second = smll.Compressor(test_model, threads=1, window=72, experts="llm")
    assert len(made) == 1
    first.close()
    assert second.decompress_bytes(second.compress(b"still open")) == b"still open"
    smll.Compressor(test_model, threads=2, window=72)
    assert len(made) == 2


def test_another_file_of_the_same_name_is_another_model(test_model, other_model, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(open(test_model, "rb").read())
    first = smll.Compressor(path)
    fingerprint = first.model["fingerprint"]
    copy = shutil.copy(other_model, tmp_path / "copy.gguf")
    os.replace(copy, path)
    assert smll.Compressor(path).model["fingerprint"] != fingerprint
    assert first.model["fingerprint"] == fingerprint


FORKED = """
import os, signal, sys
import smll
compressor = smll.Compressor(sys.argv[1], threads=2)
packed = compressor.compress(b"a text of the parent " * 50)
child = os.fork()
if child == 0:
    signal.alarm(100)
    same = compressor.compress(b"a text of the parent " * 50) == packed
    compressor.close()
    os._exit(0 if same else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_its_own(test_model):
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", FORKED, test_model], env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
