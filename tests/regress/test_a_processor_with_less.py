"""Asking which instruction sets there are ran AVX-512 code: the program ended with SIGILL where the processor has none."""

import shutil
import subprocess

import pytest
from conftest import lines

QEMU = shutil.which("qemu-x86_64")


@pytest.mark.skipif(QEMU is None, reason="no qemu-x86_64 (Debian's qemu-user): no other processor is tried")
@pytest.mark.parametrize("processor", ["Haswell", "Nehalem"])  # AVX2; SSE4.2 and nothing of AVX
def test_a_processor_with_less_writes_the_same_archive(smll, test_model, processor):
    text = lines(200)
    options = ["-T", "1", "--model", str(test_model)]
    emulated = subprocess.run([QEMU, "-cpu", processor, smll.binary, *options], input=text, capture_output=True)
    assert emulated.returncode == 0, emulated.stderr
    native = subprocess.run([smll.binary, *options], input=text, capture_output=True, check=True)
    assert emulated.stdout == native.stdout
