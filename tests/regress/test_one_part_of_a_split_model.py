"""No test held that one part of a split model is refused. llama.cpp reads the other parts too, from files that no fingerprint
covers."""

import struct

import pytest

UINT16, STRING = 2, 8


def entry(key, kind, value):
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


def with_split(model, count):
    """The model with `split.count` in its metadata, which stays a multiple of 64 bytes from where it was."""
    data = open(model, "rb").read()
    assert data[:4] == b"GGUF"
    added = entry(b"split.count", UINT16, struct.pack("<H", count))
    padding = 64 - len(added) - len(entry(b"pad", STRING, struct.pack("<Q", 0)))
    added += entry(b"pad", STRING, struct.pack("<Q", padding) + b"x" * padding)
    entries, = struct.unpack_from("<Q", data, 16)
    return data[:16] + struct.pack("<Q", entries + 2) + added + data[24:]


@pytest.mark.parametrize("backend", ["exact", "llama"])
def test_is_refused(smll, test_model, backend):
    name = "model-00001-of-00002.gguf"
    smll.write(name, with_split(test_model, 2))
    smll.write("model-00002-of-00002.gguf", with_split(test_model, 2))
    options = ("--model", name, "--experts", "llm", "--backend", backend)
    result = smll(*options, "-c", input=b"some text", status=3)
    assert result.stdout == b""
    for word in (name.encode(), b"split", b"llama-gguf-split --merge"):
        assert word in result.stderr
    smll.write("f", b"some text")
    smll(*options, "f", status=3)
    assert not smll.path("f.smll").exists()
    assert b"llama-gguf-split" in smll("models", "info", name, status=3).stderr


@pytest.mark.parametrize("backend", ["exact", "llama"])
def test_a_model_in_one_part_is_whole(smll, test_model, backend):
    smll.write("model-00001-of-00001.gguf", with_split(test_model, 1))
    options = ("--model", "model-00001-of-00001.gguf", "--backend", backend)
    archive = smll(*options, "--experts", "llm", "-c", input=b"some text").stdout
    assert smll(*options, "-d", input=archive).stdout == b"some text"
