"""A download that a signal ended left its hidden directory, with up to the size of a model in it, in the cache for ever."""

import os
import pathlib
import signal
import subprocess
import time

import pytest


@pytest.fixture
def models(cache, tmp_path_factory, monkeypatch):
    """The cache's directory, with a python3 in the PATH that waits in place of a download."""
    programs = tmp_path_factory.mktemp("programs")
    python = programs / "python3"
    python.write_text("#!/bin/sh\n[ -z \"$WAITS\" ] || exec sleep 60\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return pathlib.Path(cache) / "models"


def hidden(models):
    return sorted(models.glob(".getting-*"))


def start(smll, models):
    before = hidden(models)
    process = subprocess.Popen([smll.binary, "models", "pull"], env={**os.environ, "WAITS": "1"}, start_new_session=True,
                               stderr=subprocess.DEVNULL)
    while hidden(models) == before and process.poll() is None:
        time.sleep(0.01)
    return process


def end(process):
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)


def test_next_download_removes_it(smll, models):
    end(start(smll, models))
    (left,) = hidden(models)
    left.joinpath("part.whl").write_bytes(b"x" * 1000)
    smll("models", "pull", status=3)
    assert hidden(models) == []


def test_running_one_is_left_alone(smll, models):
    process = start(smll, models)
    (used,) = hidden(models)
    smll("models", "pull", status=3)
    assert hidden(models) == [used]
    end(process)
