"""Where a file was larger than `max_bytes` allows, the error freed the frame that a thread of the reader was still
decoding into: the interpreter crashed, or memory that belonged to others was overwritten."""

import io
import os
import pathlib
import subprocess
import sys

from conftest import lines

import smll

# The library of the C library that stops at the first damage of the heap; elsewhere the crash is a matter of luck.
CHECKED = pathlib.Path("/usr/lib/x86_64-linux-gnu/libc_malloc_debug.so.0")

PROGRAM = """
import sys
import smll
archive = sys.stdin.buffer.read()
compressor = smll.Compressor(threads=4, level=1)
for _ in range(15):
    try:
        compressor.decompress_bytes(archive, max_bytes=24_000)
    except smll.Error as error:
        assert error.kind == "memory", error
    else:
        raise SystemExit("the limit was passed over")
print("done")
"""


def test_the_process_lives_on(cache):
    out = io.BytesIO()
    with smll.open(out, "wb", compressor=smll.Compressor(level=1)) as file:
        for _ in range(8):
            file.write(lines(20_000))
            file.flush()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}
    if CHECKED.exists():
        environment["LD_PRELOAD"] = str(CHECKED)
    result = subprocess.run([sys.executable, "-c", PROGRAM], input=out.getvalue(), env=environment, capture_output=True)
    assert (result.returncode, result.stdout.strip()) == (0, b"done"), result.stderr
