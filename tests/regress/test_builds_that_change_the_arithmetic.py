"""A build with -ffast-math, or for a big-endian processor, went through and made archives that no other build opens.
Rotary tables and the frequencies escaped what the rest keeps to, see the unit tests Rotary and Distribution.
"""

import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"


def compile_with(*options):
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    command = [compiler, "-std=c++20", "-fsyntax-only", f"-I{SOURCE}", *options]
    return subprocess.run([*command, str(SOURCE / "lm/exact/rope.cc")], capture_output=True)


def test_as_it_is():
    assert compile_with("-O2").returncode == 0


@pytest.mark.parametrize("option", ["-ffast-math", "-Ofast", "-ffinite-math-only"])
def test_fast_math(option):
    result = compile_with(option)
    assert result.returncode != 0
    assert b"-ffast-math" in result.stderr


def test_big_endian():
    result = compile_with("-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__")
    assert result.returncode != 0
    assert b"little-endian" in result.stderr
