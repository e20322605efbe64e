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
    script.write_text("import smll\nx: str = smll.compress('text')\nsmll.Compressor(level='6')\nsmll.open(3)\n")
    done = mypy(tmp_path, script)
    assert done.stdout.count("error:") >= 3, done.stdout


def test_the_package_says_that_it_is_typed():
    import smll

    assert (pathlib.Path(smll.__file__).parent / "py.typed").exists()
