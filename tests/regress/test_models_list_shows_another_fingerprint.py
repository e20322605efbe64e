"""`smll models list` showed one fingerprint for a file, and another one after a run with another window, without a word why."""

import re

from conftest import lines


def test_each_fingerprint_has_its_backend_and_window(smll, test_model):
    smll.write("f", lines(200))
    told = {}
    for backend, window in (("exact", 2048), ("exact", 256), ("llama", 256)):
        smll("--model", test_model, "--experts", "llm", "--backend", backend, "--window", window, "-T1", "-f", "f")
        listing = smll("-lv", "f.smll").stdout.decode()
        seen = re.search(r"fingerprint (\w+) backend (\w+) window (\d+)", listing)
        assert seen[2] == backend and int(seen[3]) == window
        told[seen[1]] = (backend, window)
    listing = smll("models", "list").stdout.decode()
    assert listing.count(test_model) == 1
    shown = re.findall(r"fingerprint (\w+) with backend (\w+), window (\d+)", listing)
    assert {fingerprint: (backend, int(window)) for fingerprint, backend, window in shown} == told
    info = smll("models", "info", test_model).stdout.decode()
    assert re.search(r"window: +2048", info) and re.search(r"fingerprint: (\w+)", info)[1] in told


def test_a_file_that_changed_has_no_old_fingerprint(smll, test_model, other_model):
    smll.write("f", lines(200))
    fingerprints = []
    for model in (test_model, other_model):
        smll.write("m.gguf", open(model, "rb").read())
        smll("--model", "m.gguf", "--experts", "llm", "-f", "f")
        shown = re.findall(r"fingerprint (\w+)", smll("models", "list").stdout.decode())
        assert len(shown) == 1
        fingerprints += shown
    assert fingerprints[0] != fingerprints[1]
