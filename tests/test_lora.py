"""A LoRA file becomes a dictionary's adapter. What one computes is compared with llama.cpp in src/lm/llama/lora_test.cc."""

import gguf
import numpy
import pytest
from conftest import lines

import smll as package

RANK = 4


def write_lora(path, model, architecture="llama"):
    """Of the query matrix of the first layer, with a rank of 4."""
    reader = gguf.GGUFReader(model)
    width, outputs = (int(n) for n in next(t for t in reader.tensors if t.name == "blk.0.attn_q.weight").shape)
    random = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    for name, shape in (("lora_a", (RANK, width)), ("lora_b", (outputs, RANK))):
        writer.add_tensor(f"blk.0.attn_q.weight.{name}", random.normal(0, 0.3, shape).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def lora(tmp_path, test_model):
    write_lora(tmp_path / "lora.gguf", test_model)
    return tmp_path / "lora.gguf"


def test_in_the_program(smll, test_model, lora):
    smll.write("records", lines(3000))
    smll("train", "records", "--lora", lora, "--minutes", 0.01, "--model", test_model, "-o", "with.smlld")
    smll("train", "records", "--lora", lora, "--lora-scale", 0, "--minutes", 0.01, "--model", test_model, "-o", "zero.smlld")
    assert b"adapter:   none" not in smll("dict", "info", "with.smlld").stdout
    text, archives = lines(2000), []
    for name in ("with", "zero"):
        options = ["--experts", "llm", "--model", test_model, "-D", f"{name}.smlld"]
        archives.append(smll("-c", *options, input=text).stdout)
        assert smll("-dc", *options, input=archives[-1]).stdout == text
    assert archives[0][40:] != archives[1][40:]  # behind the records that name them


def test_in_python(test_model, lora):
    samples = lines(2000).splitlines()
    dictionary = package.Dictionary.train(samples, model_path=test_model, minutes=0.01, lora=lora)
    with package.Compressor(test_model, dictionary=dictionary) as compressor:
        assert compressor.decompress(compressor.compress("a text")) == "a text"
    with pytest.raises(package.Error, match="either learned or read"):
        package.Dictionary.train(samples, model_path=test_model, minutes=0.01, lora=lora, adapter=True)


def test_what_is_no_lora_of_the_model(smll, test_model, lora, tmp_path):
    smll.write("records", lines(1000))
    smll.write("text", b"no GGUF file")
    write_lora(tmp_path / "other.gguf", test_model, "qwen3")
    for wrong in ("text", "absent", test_model, tmp_path / "other.gguf"):
        refused = smll("train", "records", "--lora", wrong, "--minutes", 0.01, "--model", test_model, "-o", "d", status=3)
        assert b"smll: " in refused.stderr and not smll.path("d").exists()
