"""`models list`, `models info`, the statistics and messages showed another fingerprint of one model for each window that it was
used with, so that nobody could tell by it which model a file is."""

import json
import re

import pytest
from conftest import lines


def fingerprints(text):
    return re.findall(r"fingerprint:? +(\w{16})", text)


@pytest.mark.parametrize("backend", ["exact", "llama"])
def test_the_window_does_not_count(smll, test_model, backend):
    smll.write("f", lines(200))
    shown = []
    for window in (2048, 256):
        smll("--model", test_model, "--experts", "llm", "--backend", backend, "--window", window, "-T1", "-f", "f", "--stats", "s")
        shown.append(json.loads(smll.path("s").read_text())["fingerprint"])
        listing = smll("-lv", "f.smll").stdout.decode()
        assert f"backend {backend} window {window}" in listing
        shown += fingerprints(listing)
    listing = smll("models", "list").stdout.decode()
    assert listing.count(test_model) == 1
    assert re.findall(r"fingerprint (\w+) with backend (\w+)", listing) == [(shown[0], backend)]
    info = smll("models", "info", "--backend", backend, test_model).stdout.decode()
    shown += fingerprints(info)
    assert len(shown) == 5 and len(set(shown)) == 1


def test_a_message_about_another_model(smll, test_model, other_model):
    archives = []
    for window in (2048, 256):
        archives.append(smll("--experts", "llm", "--model", test_model, "--window", window, "-T1", input=lines(300)).stdout)
    shown = set()
    for archive in archives:
        message = smll("-d", "--model", other_model, input=archive, status=3).stderr.decode()
        shown.add(tuple(fingerprints(message)))
    listing = smll("models", "list").stdout.decode()
    mine, = fingerprints(listing[listing.index(test_model):])
    ((needed, given),) = shown
    assert needed == mine and given != mine


def test_an_archive_of_a_model_that_was_never_here(smll, test_model, tmp_path):
    smll.write("f", lines(200))
    smll("--model", test_model, "--experts", "llm", "f")
    listing = smll("-lv", "f.smll", env={"SMLL_CACHE": str(tmp_path / "none")}).stdout.decode()
    known = smll("models", "info", "--backend", "exact", test_model).stdout.decode()
    assert fingerprints(listing) == fingerprints(known)


def test_a_model_is_found_for_every_window(smll, cache, test_model):
    """The index knew a model with the windows that it had been used with; for others it was looked for by name."""
    archive = smll("--experts", "llm", "--model", test_model, "--window", 256, "-T1", input=lines(300)).stdout
    index = cache / "index.json"
    index.unlink()
    smll("models", "info", "--backend", "exact", test_model)
    document = json.loads(index.read_text())
    assert len(document["models"]) == 1
    document["models"][0]["name"] = "another name"
    index.write_text(json.dumps(document))
    assert smll("-d", input=archive).stdout == lines(300)


def test_a_file_that_changed_has_no_old_fingerprint(smll, test_model, other_model):
    smll.write("f", lines(200))
    shown = []
    for model in (test_model, other_model):
        smll.write("m.gguf", open(model, "rb").read())
        smll("--model", "m.gguf", "--experts", "llm", "-f", "f")
        shown.append(fingerprints(smll("models", "list").stdout.decode()))
        assert len(shown[-1]) == 1
    assert shown[0] != shown[1]
