"""What goes wrong around the program ends in one message that says what, where and what to do."""

import os
import resource
import struct
import subprocess

import pytest
from conftest import lines, noise


def only_message(result):
    """The one line that the program said."""
    said = result.stderr.decode().splitlines()
    assert len(said) == 1 and said[0].startswith("smll: "), said
    return said[0]


def damaged_models(data):
    """Ways in which a model's file can be broken, by name."""
    layers = data.index(b"llama.block_count") + len(b"llama.block_count") + 4
    many_layers = data[:layers] + struct.pack("<I", 1 << 24) + data[layers + 4 :]
    twice = data.replace(struct.pack("<Q", 1) + b"A", struct.pack("<Q", 1) + b"B", 1)
    return {
        "empty": b"",
        "no GGUF": noise(2000),
        "cut in the metadata": data[:3000],
        "cut in the weights": data[:-5000],
        "more layers than tensors": many_layers,
        "a token twice": twice,
        "another tokenizer": data.replace(b"gpt2", b"rwkv", 1),
        "no tokens": data.replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz", 1),
    }


@pytest.mark.parametrize("backend", ["exact", "llama"])
@pytest.mark.parametrize("name", damaged_models(b"llama.block_count" + bytes(10000)))
def test_damaged_model_file(smll, test_model, name, backend):
    with open(test_model, "rb") as file:
        data = damaged_models(file.read())[name]
    if backend == "llama" and name in ("another tokenizer", "more layers than tensors"):
        pytest.skip("llama.cpp's own matter")
    path = smll.write("damaged.gguf", data)
    result = smll("--backend", backend, "--model", path, "-c", input=lines(500), status=3)
    assert "damaged.gguf" in only_message(result)
    assert result.stdout == b""


def test_no_permission_to_read(smll):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    os.chmod(smll.write("f", b"f"), 0)
    assert "Permission denied" in only_message(smll("-1", "f", status=1))


def test_no_permission_to_write(smll):
    smll.write("f", b"f")
    # Nobody may make files there, root neither.
    message = only_message(smll("-1", "f", "-o", "/proc/version", "-f", status=1))
    assert "/proc/version" in message
    message = only_message(smll("-1", "f", "-o", "nowhere/f.smll", status=1))
    assert "nowhere/f.smll" in message and "No such file" in message


def test_input_vanishes(smll):
    """A file that cannot be read to its end, and one that is gone before its turn."""
    assert "missing" in only_message(smll("-1", "missing", status=1))
    message = only_message(smll("-1", "-c", "/proc/self/mem", status=1))
    assert "/proc/self/mem" in message and "read" in message


def test_no_memory(smll):
    smll.write("f", lines(300_000))
    limit = 64 << 20

    def starve():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    result = subprocess.run([smll.binary, "-2", "-T", "1", "f"], cwd=smll.directory, preexec_fn=starve,
                            capture_output=True)
    assert result.returncode == 1
    assert "not enough memory" in only_message(result)
    assert sorted(p.name for p in smll.directory.iterdir()) == ["f"]


def test_file_size_limit(smll):
    """As a full disk does, in the midst of the output."""
    smll.write("f", noise(200_000))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    result = subprocess.run([smll.binary, "-1", "f"], cwd=smll.directory, preexec_fn=limit,
                            capture_output=True)
    assert result.returncode == 1, result
    assert "File too large" in only_message(result) and "f.smll" in only_message(result)
    assert sorted(p.name for p in smll.directory.iterdir()) == ["f"]
