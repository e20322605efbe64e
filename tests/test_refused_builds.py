"""Builds that could not compute what smll must, or not as it must, stop with the reason."""

import shutil
import subprocess

import pytest
from conftest import ROOT

CLANG = shutil.which("clang++")
HEADER = ROOT / "src" / "base" / "exact_float.h"


def compiled(*options):
    """The header in front of all exact arithmetic, which says what a build must be."""
    command = [CLANG, "-std=c++20", "-fsyntax-only", "-x", "c++", *options, str(HEADER)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def clang():
    if CLANG is None:
        pytest.skip("clang++, which compiles for every processor, is not installed")


def test_this_machine_is_not_refused():
    built = compiled()
    assert built.returncode == 0, built.stderr


@pytest.mark.parametrize("target", ["i686-linux-gnu", "armv7-linux-gnueabihf", "x86_64-linux-gnux32", "riscv32-linux-gnu"])
def test_of_32_bits(target):
    refused = compiled(f"--target={target}")
    assert refused.returncode != 0 and "smll is for 64-bit processors" in refused.stderr


@pytest.mark.parametrize("target", ["s390x-linux-gnu", "powerpc64-linux-gnu", "aarch64_be-linux-gnu"])
def test_big_endian(target):
    refused = compiled(f"--target={target}")
    assert refused.returncode != 0 and "smll is for little-endian processors" in refused.stderr


@pytest.mark.parametrize("option", ["-ffast-math", "-ffinite-math-only"])
def test_other_arithmetic(option):
    refused = compiled(option)
    assert refused.returncode != 0 and "archives depend on exact arithmetic" in refused.stderr
