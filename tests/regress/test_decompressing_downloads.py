"""Decompressing a short text got the default model when it was not in the cache; the manual says that decompressing never
downloads anything."""

import os
import subprocess
import sys

CODE = """
import sys, smll
with smll.Compressor(sys.argv[1]) as compressor:
    packed = compressor.compress("It was the best of times")
try:
    smll.decompress(packed)
except smll.Error as error:
    assert error.kind == "model" and "smll models pull" in str(error), error
else:
    sys.exit("no error")
"""


def test_a_short_text(cache, test_model, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    pip = programs / "python3"
    pip.write_text(f"#!/bin/sh\n: >{tmp_path}/asked\nexit 1\n")
    pip.chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", CODE, test_model], env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "asked").exists()
