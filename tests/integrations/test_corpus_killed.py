"""`smll corpus` on 2,000 files, killed ten times, ends with the bytes of a run that nobody disturbed."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
from cluster import PACKAGE, lines

pytest.importorskip("fsspec", reason="fsspec is not installed: no test of corpora")

FILES = int(os.environ.get("SMLL_FILES", "2000"))
KILLS = 10


def tree(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_killed_ten_times(tmp_path):
    rng = random.Random(1)
    words = lines(100_000)
    for number in range(FILES):
        path = tmp_path / f"source/{number % 20}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = rng.randrange(90_000)
        path.write_bytes(words[start : start + rng.randrange(400)])

    def start(target):
        return subprocess.Popen(
            [sys.executable, "-m", "smll", "corpus", "compress", "--level", "1", "source", target],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": PACKAGE}, stderr=subprocess.PIPE,
        )  # fmt: skip

    def archives():
        return sum(path.suffix == ".smll" for path in (tmp_path / "corpus").rglob("*"))

    for kill in range(KILLS):
        wanted = rng.randrange(kill * FILES // (KILLS + 1), (kill + 1) * FILES // (KILLS + 1))
        process = start("corpus")
        while process.poll() is None and archives() <= wanted:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr.read()
    last = start("corpus")
    told = last.communicate()[1].decode()
    assert last.returncode == 0 and f"compressed {FILES:,} files" in told, told
    kept = int(told.split(" archives were done before")[0].split("; ")[1].split(" of ")[0].replace(",", ""))
    assert kept > FILES // 2, told
    undisturbed = start("undisturbed")
    assert undisturbed.wait() == 0, undisturbed.stderr.read()
    assert tree(tmp_path / "corpus") == tree(pathlib.Path(tmp_path / "undisturbed"))
