"""`smll info` says what decoding an archive will need, and `--version --verbose` which versions this smll reads."""

import re

from test_exact import GOLDEN, TEXT


def test_without_a_model(smll):
    said = smll("info", str(GOLDEN / "cm.smll")).stdout.decode()
    assert "none is needed" in said and "3150 uncompressed" in said
    assert re.search(r"memory: +\d+\.\d MiB\n", said) and re.search(r"time: .* seconds", said)


def test_with_a_model(smll, test_model):
    archive = str(GOLDEN / "llm.smll")
    known = smll("models", "info", "--backend", "exact", test_model).stdout.decode()
    fingerprint = re.search(r"fingerprint: +(\w+)", known)[1]
    said = smll("info", "--model", test_model, archive).stdout.decode()
    assert f"fingerprint {fingerprint}, window 64 tokens" in said and "besides the model" in said
    memory = float(re.search(r"memory: +([\d.]+) MiB", said)[1])
    limit = int(memory * 1024 * 1.01) + 1  # what is said is rounded
    assert smll("-dc", "--model", test_model, "-M", f"{limit}K", archive).stdout == TEXT.read_bytes()
    assert smll("-dc", "--model", test_model, "-M", f"{int(memory * 1024 * 0.98)}K", archive, status=1).stdout == b""


def test_a_model_that_is_not_here(smll, tmp_path):
    refused = smll("info", str(GOLDEN / "llm.smll"), status=3, env={"SMLL_CACHE": str(tmp_path)})
    assert b"window 64 tokens" in refused.stdout
    assert b"not here" in refused.stderr and b"--model" in refused.stderr


def test_a_dictionary(smll, test_model, tmp_path):
    opening = tmp_path / "golden"
    opening.write_bytes(TEXT.read_bytes()[-6000:])
    archive = str(GOLDEN / "dictionary-mixed.smll")
    said = smll("info", "--model", test_model, "-D", str(opening), archive).stdout
    assert b"dictionary: golden, identity" in said and b"memory:" in said
    refused = smll("info", "--model", test_model, archive, status=3)
    assert b"dictionary: golden" in refused.stdout and b"dict add" in refused.stderr


def test_what_is_no_archive(smll):
    smll.write("f", b"text")
    assert b"f: " in smll("info", "f", status=1).stderr
    assert smll("info", status=2).stdout == b""


def test_versions(smll):
    said = smll("--version", "--verbose").stdout.decode()
    assert said.startswith("smll ") and "archives: format 1" in said and "predictions: 1" in said and "arithmetic: 1" in said
    assert len(smll("--version").stdout.splitlines()) == 1
