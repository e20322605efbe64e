"""A writer kept predictors, with their threads and memory, for every number of lanes that ever came; weights were read
once for each window and each model object.
"""

import os
import subprocess
import sys

import pytest

COUNT = """
import io, os, sys
from conftest import lines
import smll
compressor = smll.Compressor(sys.argv[1], threads=12, window=64, experts="llm")
with smll.open(io.BytesIO(), "wb", compressor=compressor) as file:
    for lanes in (1, 2, 3, 5, 4):
        file.write(lines(lanes * 8192))
        file.flush()
    print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")
def test_threads(test_model, cache):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", COUNT, test_model], capture_output=True, env=environment, check=True)
    assert int(result.stdout) <= 12
