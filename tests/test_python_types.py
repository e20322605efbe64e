"""The package's types: complete, and right for a user's script."""

import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("mypy", reason="mypy is not installed: no test of the types")

TESTS = pathlib.Path(__file__).parent


def mypy(tmp_path, script):
    package = os.environ.get("SMLL_PYTHONPATH", str(TESTS.parent / "build" / "python"))
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", tmp_path / "cache", script],
        env={**os.environ, "MYPYPATH": package}, capture_output=True, text=True, timeout=300,
    )


def test_a_users_script_is_strictly_typed(tmp_path):
    done = mypy(tmp_path, TESTS / "typed_user.py")
    assert done.returncode == 0, done.stdout


def test_mistakes_are_found(tmp_path):
    script = tmp_path / "wrong.py"
    wrong = [
        "x: str = smll.compress('text')",
        "smll.Compressor(level='6')",
        "smll.open(3)",
        "c.compress_many([3])",
        "c.compress_many([], errors='ignore')",
        "c.decompress_many(['text'])",
        "l: List[str] = c.decompress_many([b''], errors='return')",
        "n: str = next(c.iter_compress([]))",
    ]
    script.write_text("\n".join(["from typing import List", "import smll", "c = smll.Compressor()", *wrong]))
    done = mypy(tmp_path, script)
    found = {line.split(":")[1] for line in done.stdout.splitlines() if "error:" in line}
    assert found == {str(number) for number in range(4, 4 + len(wrong))}, done.stdout


def test_the_package_says_that_it_is_typed():
    import smll

    assert (pathlib.Path(smll.__file__).parent / "py.typed").exists()
