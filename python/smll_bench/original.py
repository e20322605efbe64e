"""The original smll, where it is installed.

Its package is imported as `smll` too, so it lives in an environment of its own; `smll bench --original PYTHON` names that
environment's interpreter.
"""

from __future__ import annotations

import subprocess

_PROGRAM = """
import sys, smll
model, action = sys.argv[1:]
out = sys.stdout.buffer
with smll.Compressor(model) as compressor:
    data = sys.stdin.buffer.read()
    if action == "compress":
        out.write(compressor.compress(data.decode()))
    else:
        out.write(compressor.decompress(data).encode())
"""


class Original:
    """Runs the original with one model, each call in a process of its own.

    Args:
        python: the interpreter that has it.
        model_path: the GGUF file.
        seconds: how long a call may take; its decompression does not always end.
    """

    def __init__(self, python: str, model_path: str, seconds: float = 120) -> None:
        self._command = [python, "-c", _PROGRAM, model_path]
        self._seconds = seconds

    def compress(self, data: bytes) -> bytes:
        return self._run("compress", data)

    def decompress(self, data: bytes) -> bytes:
        return self._run("decompress", data)

    def _run(self, action: str, data: bytes) -> bytes:
        done = subprocess.run(
            [*self._command, action], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=self._seconds, check=True,
        )  # fmt: skip
        return done.stdout
