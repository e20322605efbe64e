"""Builds libraries that stand between the program and the C library, for what cannot be brought about otherwise."""

import os
import shutil
import subprocess

import pytest


def preload(directory, source):
    """The environment that loads `source` (C) into a program first. Skips where that cannot work: with another build
    of the program, which may be an emulated or a sanitized one."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or "SMLL_BIN" in os.environ:
        pytest.skip("needs a C compiler and the program of this build")
    code, library = directory / "preload.c", directory / "preload.so"
    code.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, code, "-ldl", "-pthread"], check=True)
    return {"LD_PRELOAD": str(library)}
