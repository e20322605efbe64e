"""`smll models pull` with SMLL_MODEL naming a path failed, and with it `make test` and `make demo`."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_file_that_is_here_is_printed(smll, test_model):
    smll("models", "pull", "no-such.gguf", status=3)
    smll("models", "pull", smll.directory, status=3)
    assert smll("models", "pull", test_model).stdout == test_model.encode() + b"\n"
    environment = {"SMLL_MODEL": test_model}
    assert smll("models", "pull", env=environment).stdout == test_model.encode() + b"\n"
    missing = smll("models", "pull", env={"SMLL_MODEL": "/no/such.gguf"}, status=3).stderr
    assert b"/no/such.gguf" in missing


def test_make_tests_the_default_model_whatever_the_environment_names():
    if not shutil.which("make"):
        pytest.skip("there is no make")
    environment = {**os.environ, "SMLL_MODEL": "/no/such.gguf"}
    planned = subprocess.run(["make", "-n", "e2e"], cwd=ROOT, env=environment, capture_output=True, check=True, text=True)
    pulls = [line for line in planned.stdout.splitlines() if line.endswith("models pull")]
    assert len(pulls) == 1 and "env -u SMLL_MODEL" in pulls[0]
    assert "SMLL_MODEL" not in os.environ
