"""from_pretrained against a local hub."""

import os
import pathlib
import subprocess
import sys

import pytest
from hub import Hub

pytest.importorskip("huggingface_hub")

TESTS = pathlib.Path(__file__).parent
REPO = "QuantFactory/SmolLM2-360M-GGUF"


@pytest.fixture
def hub(test_model):
    files = {"SmolLM2-360M.Q4_0.gguf": test_model, "SmolLM2-360M.Q8_0.gguf": test_model,
             "README.md": TESTS / "hub.py"}
    with Hub(REPO, files) as served:
        yield served


@pytest.fixture
def run_with(tmp_path):
    """Runs Python code that sees a local hub and no other one, with empty caches."""

    def run(hub, code):
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"),
                       "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
                       "SMLL_CACHE": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def run(hub, run_with):
    return lambda code: run_with(hub, code)


def test_the_originals_example_word_for_word(run, hub):
    example = (TESTS / "original_example.py").read_text()
    done = run(example + 'print(len(compressed), decompressed, compressor.__class__.__module__)')
    assert done.stdout.split(maxsplit=1)[1].startswith("Hello, world!")
    assert any("Q4_0" in request for request in hub.requests)
    assert not any("Q8_0" in request for request in hub.requests)


def test_the_hubs_cache_is_used(run, hub):
    code = f"import smll; smll.Compressor.from_pretrained({REPO!r}, 'SmolLM2-360M.Q8_0.gguf').compress('x')"
    run(code)
    assert sum(request.startswith("GET") and "resolve" in request for request in hub.requests) == 1
    hub.requests.clear()
    run(code)
    assert not any(request.startswith("GET") and "resolve" in request for request in hub.requests)


def test_what_does_not_fit(run):
    code = f"""
import smll
for pattern in ("*Q2_K.gguf", "*.gguf"):
    try:
        smll.Compressor.from_pretrained({REPO!r}, pattern)
    except ValueError as error:
        print(error)
"""
    missing, several = run(code).stdout.splitlines()
    assert "no file" in missing
    assert "more than one" in several and "Q8_0" in several


def test_additional_files(run, hub):
    run(f"import smll; smll.Compressor.from_pretrained({REPO!r}, '*Q4_0.gguf', ['README*'])")
    assert any("README.md" in request for request in hub.requests)


@pytest.mark.parametrize("repo, file, family", [
    ("Qwen/Qwen2.5-0.5B-Instruct-GGUF", "qwen2.5-0.5b-instruct-q8_0.gguf", "qwen2"),
    ("Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf", "qwen3"),
    ("unsloth/gemma-3-270m-it-GGUF", "gemma-3-270m-it-Q8_0.gguf", "gemma3"),
])
def test_models_of_other_families(run_with, family_model, repo, file, family):
    with Hub(repo, {file: family_model(family), "config.json": TESTS / "hub.py"}) as hub:
        run_with(hub, f"""
import smll
compressor = smll.Compressor.from_pretrained({repo!r}, "*[qQ]8_0.gguf")
text = " the that was not for his but from are <table> and on <think> not\\n\\nthe \u2581 had"
archive = compressor.compress(text)
assert compressor.decompress(archive) == text
alone = smll.Compressor.from_pretrained({repo!r}, "*[qQ]8_0.gguf", experts="llm")
archive = alone.compress(text)
assert alone.decompress(archive) == text
assert len(archive) < len(text.encode()), "stored, so the model coded nothing"
""")
        assert any(file in request for request in hub.requests)
