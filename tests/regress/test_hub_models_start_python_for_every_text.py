"""A compressor with an `hf:` model started python3 to find the file for every text, and looked at the file system for
every text with other models."""

import os
import subprocess
import sys

CODE = """
import os, sys, smll
with smll.Compressor(sys.argv[1]) as compressor:
    texts = [f"text number {i} of the lot" for i in range(10)]
    packed = [compressor.compress(text) for text in texts]
    assert [compressor.decompress(text) for text in packed] == texts
with smll.Compressor(sys.argv[2]) as compressor:
    packed = compressor.compress("text")
    os.remove(sys.argv[2])
    assert compressor.decompress(packed) == "text" and compressor.compress("text") == packed
"""


def test_the_file_is_looked_for_once(cache, test_model, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    fake = programs / "python3"
    fake.write_text(f"#!/bin/sh\necho run >>{tmp_path}/runs\necho {test_model}\n")
    fake.chmod(0o755)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(open(test_model, "rb").read())
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", CODE, "hf:owner/name:*.gguf", str(copy)], env=environment,
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs").read_text() == "run\n"
